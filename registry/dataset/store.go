package dataset

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"sync"
)

// store keeps blocks of numbers: some in memory, the others in a temporary file
// without a name. It is safe for concurrent use.
type store struct {
	dir   string
	limit int64 // bytes in memory

	mu    sync.Mutex
	held  int64
	file  *os.File
	size  int64
	spare []*sorted // memory for sorting
}

// sorting is memory for sorting a column; sorted gives it back.
func (s *store) sorting() *sorted {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.spare)
	if n == 0 {
		return &sorted{}
	}
	one := s.spare[n-1]
	s.spare = s.spare[:n-1]
	return one
}

func (s *store) sorted(one *sorted) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spare = append(s.spare, one)
}

// block of numbers: in memory, or in the file.
type block struct {
	numbers []float64
	at      int64
	n       int
}

// put stores numbers. Where it keeps the slice itself, it returns another one.
func (s *store) put(numbers []float64) (b block, spare []float64, err error) {
	size := int64(8 * cap(numbers))
	s.mu.Lock()
	if s.held+size <= s.limit {
		s.held += size
		s.mu.Unlock()
		return block{numbers: numbers, n: len(numbers)}, make([]float64, 0, cap(numbers)), nil
	}
	bytes := make([]byte, 0, 8*len(numbers))
	for _, v := range numbers {
		bytes = binary.LittleEndian.AppendUint64(bytes, math.Float64bits(v))
	}
	at, err := s.reserve(int64(len(bytes)))
	s.mu.Unlock()
	if err != nil {
		return block{}, nil, err
	}
	if _, err := s.file.WriteAt(bytes, at); err != nil {
		return block{}, nil, fmt.Errorf("temporary file: %w: set TMPDIR to a folder with room", err)
	}
	return block{at: at, n: len(numbers)}, numbers[:0], nil
}

// reserve room in the file; s.mu is held.
func (s *store) reserve(n int64) (at int64, err error) {
	if s.file == nil {
		if s.file, err = temporary(s.dir); err != nil {
			return 0, err
		}
	}
	at = s.size
	s.size += n
	return at, nil
}

// write stores bytes in the file.
func (s *store) write(b []byte) (at int64, err error) {
	s.mu.Lock()
	at, err = s.reserve(int64(len(b)))
	s.mu.Unlock()
	if err != nil {
		return 0, err
	}
	if _, err := s.file.WriteAt(b, at); err != nil {
		return 0, fmt.Errorf("temporary file: %w: set TMPDIR to a folder with room", err)
	}
	return at, nil
}

// read the numbers of a block, into one of two buffers where they are not in
// memory.
func (s *store) read(b block, numbers []float64, bytes []byte) ([]float64, []byte, error) {
	if b.numbers != nil {
		return b.numbers, bytes, nil
	}
	if cap(bytes) < 8*b.n {
		bytes = make([]byte, 8*b.n)
	}
	bytes = bytes[:8*b.n]
	if _, err := s.file.ReadAt(bytes, b.at); err != nil {
		return nil, bytes, fmt.Errorf("temporary file: %w", err)
	}
	numbers = numbers[:0]
	for i := 0; i < len(bytes); i += 8 {
		numbers = append(numbers, math.Float64frombits(binary.LittleEndian.Uint64(bytes[i:])))
	}
	return numbers, bytes, nil
}

// release the memory of a block.
func (s *store) release(blocks []block) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range blocks {
		s.held -= int64(8 * cap(blocks[i].numbers))
		blocks[i].numbers = nil
	}
}

func (s *store) close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}
