package feedback

import (
	"hash/maphash"
	"time"
)

const (
	// duplicateFor is how long a receipt is known.
	duplicateFor = 10 * time.Minute
	// maxReceipts bounds how many are known, about 20 MB; the oldest are forgotten
	// first, and counted as such.
	maxReceipts = 500_000
)

// seen knows the receipts of the last minutes by a hash each: that two of half a
// million share one of 64 bits is a matter of one in 10⁸.
type seen struct {
	seed  maphash.Seed
	known map[uint64]struct{}
	// ring has what is known in the order of its coming; head is the oldest. It
	// grows up to max.
	ring []sighting
	head int
	max  int
}

type sighting struct {
	hash uint64
	at   int64 // nanoseconds since 1970
}

func newSeen(limit int) *seen {
	return &seen{seed: maphash.MakeSeed(), known: map[uint64]struct{}{}, max: limit}
}

func (s *seen) hash(row Row) uint64 {
	return maphash.String(s.seed, row.Namespace+"\x00"+row.Receipt)
}

func (s *seen) has(hash uint64) bool {
	_, ok := s.known[hash]
	return ok
}

// forgetOld makes has say no to what was added more than ten minutes ago.
func (s *seen) forgetOld(now time.Time) {
	for len(s.known) > 0 && now.UnixNano()-s.ring[s.head].at > int64(duplicateFor) {
		s.forget()
	}
	if len(s.known) == 0 { // give back what a large load took
		s.ring, s.head, s.known = nil, 0, map[uint64]struct{}{}
	}
}

func (s *seen) forget() {
	delete(s.known, s.ring[s.head].hash)
	s.head = (s.head + 1) % len(s.ring)
}

// add makes a hash known that is not, and says whether another one had to be
// forgotten early for it.
func (s *seen) add(hash uint64, now time.Time) (early bool) {
	n := len(s.known)
	if n == s.max {
		s.forget()
		n, early = n-1, true
	}
	if n == len(s.ring) {
		larger := make([]sighting, min(max(2*n, 1024), s.max))
		k := copy(larger, s.ring[s.head:])
		copy(larger[k:], s.ring[:s.head])
		s.ring, s.head = larger, 0
	}
	s.ring[(s.head+n)%len(s.ring)] = sighting{hash, now.UnixNano()}
	s.known[hash] = struct{}{}
	return early
}
