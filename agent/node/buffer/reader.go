package buffer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// position is where a reader goes on. It is what is saved.
type position struct {
	Segment uint64 `json:"segment"`
	Offset  int64  `json:"offset"`
}

// Reader reads the log from a position of its own. Next and Ack belong to one
// goroutine; the other methods are safe for concurrent use.
type Reader struct {
	buffer *Buffer
	name   string

	// Guarded by buffer.mu.
	at      position
	done    int64 // samples acknowledged in the segment at.Segment
	dropped int64
	next    int64 // length on disk of the record that Next returned, 0 if none
	samples int64 // in that record
	nextAt  time.Time
	acked   time.Time // time of the newest acknowledged record

	file   *os.File // belongs to the goroutine of Next
	opened uint64   // segment of file
	body   []byte
}

// Reader makes the reader of this name, at its saved position; a new name begins
// with the oldest record. A name may be used once.
func (b *Buffer) Reader(name string) (*Reader, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, ErrClosed
	}
	for _, r := range b.readers {
		if r.name == name {
			return nil, fmt.Errorf("buffer: reader %q exists", name)
		}
	}
	r := &Reader{buffer: b, name: name}
	if err := r.load(); err != nil {
		return nil, err
	}
	b.readers = append(b.readers, r)
	return r, nil
}

func (r *Reader) path() string {
	return filepath.Join(r.buffer.cfg.Dir, "position-"+url.PathEscape(r.name))
}

// load puts the reader at its saved position. One that is damaged or that lies
// after the log (the directory was emptied) begins anew: sent twice is better
// than not at all.
func (r *Reader) load() error {
	r.at = position{Segment: r.buffer.segments[0].id}
	raw, err := os.ReadFile(r.path())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("buffer: position of %s: %w", r.name, err)
	}
	var saved position
	if json.Unmarshal(raw, &saved) != nil || saved.Segment > r.buffer.segments[len(r.buffer.segments)-1].id {
		return nil
	}
	s := r.buffer.find(saved.Segment)
	if s.id != saved.Segment || saved.Offset < 0 || saved.Offset > s.bytes {
		return nil
	}
	r.at = saved
	_, err = scanSegment(s.path, func(offset int64, rec Record) {
		if offset < saved.Offset {
			r.done += int64(rec.Samples)
		}
	})
	return err
}

// Next waits for the next record that is not acknowledged and returns it; until
// Ack it returns the same. The body is valid until the next call.
func (r *Reader) Next(ctx context.Context) (Record, error) {
	for {
		at, size, wait, err := r.where()
		if err != nil {
			return Record{}, err
		}
		if wait != nil {
			select {
			case <-wait:
				continue
			case <-ctx.Done():
				return Record{}, ctx.Err()
			}
		}
		rec, err := r.read(at)
		if err != nil || at.Offset+headerSize+int64(len(rec.Body)) > size {
			r.giveUp(at.Segment)
			continue
		}
		if !r.hold(at, rec) {
			continue
		}
		return rec, nil
	}
}

// where moves over finished segments and says what to read, or what to wait for.
func (r *Reader) where() (at position, size int64, wait <-chan struct{}, err error) {
	b := r.buffer
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		if b.closed {
			return at, 0, nil, ErrClosed
		}
		s := b.find(r.at.Segment)
		if s.id != r.at.Segment {
			r.at, r.done = position{Segment: s.id}, 0
		}
		if r.at.Offset < s.bytes {
			return r.at, s.bytes, nil, nil
		}
		if s == b.segments[len(b.segments)-1] {
			return at, 0, b.changed, nil
		}
		r.at, r.done = position{Segment: s.id + 1}, 0
	}
}

func (r *Reader) read(at position) (Record, error) {
	if r.file == nil || r.opened != at.Segment {
		r.closeFile()
		f, err := os.Open(segmentPath(r.buffer.cfg.Dir, at.Segment))
		if err != nil {
			return Record{}, err
		}
		r.file, r.opened = f, at.Segment
	}
	rec, err := readRecord(r.file, at.Offset, r.body)
	if err == nil {
		r.body = rec.Body
	}
	return rec, err
}

func (r *Reader) closeFile() {
	if r.file != nil {
		r.file.Close()
		r.file = nil
	}
}

// hold notes the record that Ack will acknowledge, unless it was dropped while
// it was read.
func (r *Reader) hold(at position, rec Record) bool {
	r.buffer.mu.Lock()
	defer r.buffer.mu.Unlock()
	if r.at != at {
		return false
	}
	r.next, r.samples, r.nextAt = headerSize+int64(len(rec.Body)), int64(rec.Samples), rec.Time
	return true
}

// giveUp drops the rest of a segment that can't be read.
func (r *Reader) giveUp(id uint64) {
	b := r.buffer
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := b.find(id); s.id == id && r.at.Segment == id {
		r.dropped += max(s.samples-r.done, 0)
		r.at.Offset, r.done, r.next = s.bytes, s.samples, 0
	}
}

// skip counts what this reader had not read of a segment that is being dropped.
// buffer.mu is held.
func (r *Reader) skip(s *segment) {
	if r.at.Segment > s.id {
		return
	}
	if r.at.Segment < s.id {
		r.done = 0
	}
	r.dropped += max(s.samples-r.done, 0)
	r.at, r.done, r.next = position{Segment: s.id + 1}, 0, 0
}

// Ack moves past the record that Next returned last.
func (r *Reader) Ack() {
	r.buffer.mu.Lock()
	defer r.buffer.mu.Unlock()
	if r.next > 0 {
		r.at.Offset += r.next
		r.done += r.samples
		r.next, r.acked = 0, r.nextAt
	}
}

// Dropped is the number of samples that left the log before this reader had
// read them.
func (r *Reader) Dropped() int64 {
	r.buffer.mu.Lock()
	defer r.buffer.mu.Unlock()
	return r.dropped
}

// Behind says how many samples wait for this reader, and since about when (zero
// when none wait).
func (r *Reader) Behind() (samples int64, since time.Time) {
	r.buffer.mu.Lock()
	defer r.buffer.mu.Unlock()
	for _, s := range r.buffer.segments {
		if s.id < r.at.Segment {
			continue
		}
		left := s.samples
		if s.id == r.at.Segment {
			left -= r.done
		}
		if left > 0 && since.IsZero() {
			since = s.first
		}
		samples += max(left, 0)
	}
	if samples > 0 && r.acked.After(since) {
		since = r.acked
	}
	return samples, since
}

// Save writes the position to disk.
func (r *Reader) Save() error {
	r.buffer.mu.Lock()
	at := r.at
	r.buffer.mu.Unlock()
	raw, err := json.Marshal(at)
	if err != nil {
		return err
	}
	tmp := r.path() + ".tmp"
	if err := os.WriteFile(tmp, raw, 0o640); err != nil {
		return fmt.Errorf("buffer: position of %s: %w", r.name, err)
	}
	return os.Rename(tmp, r.path())
}

// Close saves the position and frees the name. Next must not be running.
func (r *Reader) Close() error {
	r.closeFile()
	err := r.Save()
	b := r.buffer
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, other := range b.readers {
		if other == r {
			b.readers = append(b.readers[:i:i], b.readers[i+1:]...)
			break
		}
	}
	return err
}
