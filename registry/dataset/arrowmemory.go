package dataset

import (
	"fmt"
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Bounds of what is read of a Parquet or Arrow file at a time.
const (
	maxArrowBytes    = 128 << 20 // in memory, of a page or record batch with all its buffers
	maxArrowMetadata = 32 << 20
	arrowRows        = 8192     // at a time, of Parquet
	maxKept          = 2 << 20  // of a buffer that is used again, and
	maxAllKept       = 16 << 20 // of all of a reader
)

// allocator refuses to take more memory than there may be. The library can't be
// told so but by a panic, which guarded turns into an error. What was freed is
// used again: a reader takes the same sizes for each of its batches.
type allocator struct {
	used  atomic.Int64
	mu    sync.Mutex
	freed [32][][]byte // of 2^i bytes each
	kept  int64        // bytes of these
}

var errArrowMemory = fmt.Errorf("a record batch or page takes more than %d MB: write smaller ones", maxArrowBytes>>20)

func newAllocator() *allocator { return &allocator{} }

// Allocate implements memory.Allocator.
func (a *allocator) Allocate(size int) []byte {
	a.take(size)
	return a.zeros(size)
}

// Reallocate implements memory.Allocator.
func (a *allocator) Reallocate(size int, b []byte) []byte {
	a.take(size - len(b))
	if size <= cap(b) {
		return b[:size]
	}
	larger := a.zeros(size)
	copy(larger, b)
	a.keep(b)
	return larger
}

// Free implements memory.Allocator.
func (a *allocator) Free(b []byte) {
	a.used.Add(-int64(len(b)))
	a.keep(b)
}

func (a *allocator) zeros(size int) []byte {
	class := bits.Len(uint(max(size, 64) - 1))
	a.mu.Lock()
	defer a.mu.Unlock()
	if n := len(a.freed[class]); n > 0 {
		b := a.freed[class][n-1]
		a.freed[class] = a.freed[class][:n-1]
		a.kept -= int64(cap(b))
		clear(b[:size])
		return b[:size]
	}
	if size > maxKept {
		return memory.NewGoAllocator().Allocate(size)
	}
	b := memory.NewGoAllocator().Allocate(1 << class)
	return b[:size]
}

// keep b for another time, unless it is large or much is kept.
func (a *allocator) keep(b []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	class := bits.Len(uint(cap(b))) - 1
	if cap(b) >= 64 && cap(b) == 1<<class && cap(b) <= maxKept && a.kept+int64(cap(b)) <= maxAllKept {
		a.kept += int64(cap(b))
		a.freed[class] = append(a.freed[class], b)
	}
}

func (a *allocator) take(n int) {
	if n < -maxArrowBytes || n > maxArrowBytes || a.used.Add(int64(n)) > maxArrowBytes {
		panic(errArrowMemory)
	}
}
