package observe

import (
	"sync"
	"sync/atomic"
)

// Buffers come in classes of 1 KiB, 4 KiB, … 1 MiB, last used first, so that few stay warm; larger ones are made as needed.
const (
	smallest = 1 << 10
	classes  = 6
	kept     = 4 // one part in so many of the limit stays as free buffers: to make them anew is dear where bodies are large
)

// budget is memory for captured bodies: what is lent is never more than limit.
type budget struct {
	limit int64
	used  atomic.Int64

	mu   sync.Mutex
	free [classes][][]byte
	held int
}

// reserve takes n bytes, or gives −n back.
func (b *budget) reserve(n int) bool {
	if b.used.Add(int64(n)) > b.limit && n > 0 {
		b.used.Add(int64(-n))
		return false
	}
	return true
}

func class(n int) (c, size int) {
	for size = smallest; size < n; size <<= 2 {
		c++
	}
	return c, size
}

// grow returns a buffer that holds buf's bytes and has room for n in all, or false. Then buf is still the caller's.
func (b *budget) grow(buf []byte, n int) ([]byte, bool) {
	c, size := class(n)
	if !b.reserve(size) {
		return buf, false
	}
	var larger []byte
	b.mu.Lock()
	if c < classes && len(b.free[c]) > 0 {
		last := len(b.free[c]) - 1
		larger = b.free[c][last]
		b.free[c] = b.free[c][:last]
		b.held -= size
	}
	b.mu.Unlock()
	if larger == nil {
		larger = make([]byte, 0, size)
	}
	larger = append(larger[:0], buf...)
	b.release(buf)
	return larger, true
}

// release takes a buffer of grow back.
func (b *budget) release(buf []byte) {
	size := cap(buf)
	if size == 0 {
		return
	}
	b.reserve(-size)
	c, _ := class(size)
	b.mu.Lock()
	if c < classes && b.held+size <= int(b.limit/kept) {
		b.free[c] = append(b.free[c], buf)
		b.held += size
	}
	b.mu.Unlock()
}

// Grow is part of unpack.Room.
func (b *budget) Grow(buf []byte, n int) ([]byte, bool) { return b.grow(buf, n) }

// Release is part of unpack.Room.
func (b *budget) Release(buf []byte) { b.release(buf) }
