package buffer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A record on disk is a header of headerSize bytes, big endian, and the body:
//
//	0  length of the body        uint32
//	4  CRC-32C of header and body uint32, over bytes 8… of the header and the body
//	8  time in ms since 1970     int64
//	16 samples in the body       uint32
const headerSize = 20

// maxBody bounds what a damaged length field can make a reader allocate.
const maxBody = 16 << 20

var errDamaged = errors.New("damaged record")

// segment is one file of the log. Its fields, but for id and path, are guarded
// by the mutex of the Buffer.
type segment struct {
	id      uint64
	path    string
	bytes   int64 // written and complete
	samples int64
	first   time.Time
	last    time.Time
}

func segmentPath(dir string, id uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%016d.seg", id))
}

// segmentID is the number in a segment's file name.
func segmentID(name string) (uint64, bool) {
	digits, ok := strings.CutSuffix(name, ".seg")
	if !ok {
		return 0, false
	}
	id, err := strconv.ParseUint(digits, 10, 64)
	return id, err == nil
}

func encodeHeader(h []byte, r Record) {
	binary.BigEndian.PutUint32(h[0:], uint32(len(r.Body)))
	binary.BigEndian.PutUint64(h[8:], uint64(r.Time.UnixMilli()))
	binary.BigEndian.PutUint32(h[16:], uint32(r.Samples))
	binary.BigEndian.PutUint32(h[4:], checksum(h, r.Body))
}

func checksum(header, body []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum(header[8:headerSize], table), table, body)
}

// readRecord reads the record at offset. The body is put into buf when it fits.
func readRecord(f io.ReaderAt, offset int64, buf []byte) (Record, error) {
	var h [headerSize]byte
	if _, err := f.ReadAt(h[:], offset); err != nil {
		return Record{}, fmt.Errorf("%w at byte %d: %w", errDamaged, offset, err)
	}
	r, length := decodeHeader(h[:])
	if length > maxBody {
		return Record{}, fmt.Errorf("%w at byte %d: body of %d bytes", errDamaged, offset, length)
	}
	if int64(cap(buf)) < length {
		buf = make([]byte, length)
	}
	r.Body = buf[:length]
	if _, err := f.ReadAt(r.Body, offset+headerSize); err != nil {
		return Record{}, fmt.Errorf("%w at byte %d: %w", errDamaged, offset, err)
	}
	if checksum(h[:], r.Body) != binary.BigEndian.Uint32(h[4:]) {
		return Record{}, fmt.Errorf("%w at byte %d: checksum", errDamaged, offset)
	}
	return r, nil
}

func decodeHeader(h []byte) (r Record, length int64) {
	r.Time = time.UnixMilli(int64(binary.BigEndian.Uint64(h[8:])))
	r.Samples = int(binary.BigEndian.Uint32(h[16:]))
	return r, int64(binary.BigEndian.Uint32(h[0:]))
}

// scanSegment walks the headers of a segment left by an earlier run. A record
// that was cut off by a crash ends the segment. visit may be nil.
func scanSegment(path string, visit func(offset int64, r Record)) (segment, error) {
	f, err := os.Open(path)
	if err != nil {
		return segment{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return segment{}, err
	}
	s := segment{path: path, last: info.ModTime(), first: info.ModTime()}
	var h [headerSize]byte
	for {
		if _, err := f.ReadAt(h[:], s.bytes); err != nil {
			return s, nil
		}
		r, length := decodeHeader(h[:])
		end := s.bytes + headerSize + length
		if length > maxBody || end > info.Size() {
			return s, nil
		}
		if visit != nil {
			visit(s.bytes, r)
		}
		if s.samples == 0 {
			s.first = r.Time
		}
		s.bytes, s.last = end, r.Time
		s.samples += int64(r.Samples)
	}
}
