package buffer

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"
)

// Record is one finished request.
type Record struct {
	Time    time.Time // of its newest sample; kept to the millisecond
	Samples int
	Body    []byte
}

// Config says where the log lies and how much it keeps.
type Config struct {
	Dir string // made if it is missing
	// MaxAge is how long a record is kept for a reader that is away; 0 is 2 h.
	MaxAge time.Duration
	// MaxBytes bounds the log on disk; 0 is 512 MiB.
	MaxBytes int64
	// SegmentBytes is the size at which a segment is closed, and so the
	// granularity in which the log is dropped; 0 is 8 MiB.
	SegmentBytes int64
}

func (c Config) withDefaults() Config {
	c.MaxAge = cmp.Or(c.MaxAge, 2*time.Hour)
	c.MaxBytes = cmp.Or(c.MaxBytes, 512<<20)
	c.SegmentBytes = cmp.Or(c.SegmentBytes, 8<<20)
	return c
}

// segmentShare of MaxAge is the longest time that one segment spans, so that
// dropping by age works in steps that are small against the age.
const segmentShare = 24

// ErrClosed is returned after Close.
var ErrClosed = errors.New("buffer is closed")

// Buffer is the log. It is safe for concurrent use.
type Buffer struct {
	cfg Config

	mu sync.Mutex
	// segments is never empty; ids rise by one; the last is the one written to.
	segments []*segment
	file     *os.File // of the last segment
	bytes    int64    // of all segments
	readers  []*Reader
	changed  chan struct{} // closed and replaced when there is something to read
	closed   bool
	header   [headerSize]byte
}

// Open reads what an earlier run left in the directory and begins a new segment.
func Open(cfg Config) (*Buffer, error) {
	b := &Buffer{cfg: cfg.withDefaults(), changed: make(chan struct{})}
	if err := os.MkdirAll(cfg.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("buffer: %w", err)
	}
	if err := b.loadSegments(); err != nil {
		return nil, fmt.Errorf("buffer in %s: %w", cfg.Dir, err)
	}
	if err := b.rotate(); err != nil {
		return nil, fmt.Errorf("buffer in %s: %w", cfg.Dir, err)
	}
	return b, nil
}

func (b *Buffer) loadSegments() error {
	entries, err := os.ReadDir(b.cfg.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		id, ok := segmentID(e.Name())
		if !ok {
			continue
		}
		s, err := scanSegment(segmentPath(b.cfg.Dir, id), nil)
		if err != nil {
			return err
		}
		s.id = id
		b.segments = append(b.segments, &s)
		b.bytes += s.bytes
	}
	slices.SortFunc(b.segments, func(x, y *segment) int { return cmp.Compare(x.id, y.id) })
	return nil
}

// rotate closes the last segment and begins the next. b.mu is held.
func (b *Buffer) rotate() error {
	next := uint64(1)
	if n := len(b.segments); n > 0 {
		next = b.segments[n-1].id + 1
	}
	path := segmentPath(b.cfg.Dir, next)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	if b.file != nil {
		b.file.Close()
	}
	b.file = f
	b.segments = append(b.segments, &segment{id: next, path: path})
	return nil
}

// Append adds a record; readers see it at once. It also drops what is too old.
func (b *Buffer) Append(r Record) error {
	if len(r.Body) > maxBody {
		return fmt.Errorf("buffer: record of %d bytes; the most is %d", len(r.Body), maxBody)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return ErrClosed
	}
	last := b.segments[len(b.segments)-1]
	if last.samples > 0 && (last.bytes >= b.cfg.SegmentBytes || r.Time.Sub(last.first) > b.cfg.MaxAge/segmentShare) {
		if err := b.rotate(); err != nil {
			return fmt.Errorf("buffer: %w", err)
		}
		last = b.segments[len(b.segments)-1]
	}
	if err := b.write(last, r); err != nil {
		return fmt.Errorf("buffer: %w", err)
	}
	b.trim(r.Time)
	close(b.changed)
	b.changed = make(chan struct{})
	return nil
}

func (b *Buffer) write(s *segment, r Record) error {
	encodeHeader(b.header[:], r)
	if _, err := b.file.WriteAt(b.header[:], s.bytes); err != nil {
		return err
	}
	if _, err := b.file.WriteAt(r.Body, s.bytes+headerSize); err != nil {
		return err
	}
	if s.samples == 0 {
		s.first = r.Time
	}
	n := int64(headerSize + len(r.Body))
	s.bytes, s.samples, s.last = s.bytes+n, s.samples+int64(r.Samples), r.Time
	b.bytes += n
	return nil
}

// trim drops whole segments, oldest first; never the one written to.
func (b *Buffer) trim(now time.Time) {
	for len(b.segments) > 1 {
		oldest := b.segments[0]
		if now.Sub(oldest.last) <= b.cfg.MaxAge && b.bytes <= b.cfg.MaxBytes {
			return
		}
		for _, r := range b.readers {
			r.skip(oldest)
		}
		b.segments = b.segments[1:]
		b.bytes -= oldest.bytes
		// A reader may have it open still; the name goes now, the space later.
		_ = os.Remove(oldest.path)
	}
}

// Bytes is the size of the log on disk.
func (b *Buffer) Bytes() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes
}

// Close ends all readers, saves their positions, and closes the log.
func (b *Buffer) Close() error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil
	}
	b.closed = true
	close(b.changed)
	readers := slices.Clone(b.readers)
	err := b.file.Close()
	b.mu.Unlock()
	for _, r := range readers {
		err = errors.Join(err, r.Save())
	}
	return err
}

// find is the segment with this id, or the first after it. b.mu is held.
func (b *Buffer) find(id uint64) *segment {
	for _, s := range b.segments {
		if s.id >= id {
			return s
		}
	}
	return nil
}
