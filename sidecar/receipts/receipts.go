// Package receipts puts a receipt, the name of a prediction (package registry/receipt), into the heads of answers to
// inference requests, so that whoever learns the truth can say which prediction it is about.
//
// It is the only thing that the sidecar ever adds to what passes, so it adds it without a look at the rest: the line
// goes right behind the status line, whose end is all that has to be known. No head is held back for it, and in the
// buffer that was read only what stands before it moves.
package receipts

import (
	"math/rand/v2"
	"time"

	"github.com/leeway-dev/leeway/registry/receipt"
	"github.com/leeway-dev/leeway/sidecar/follow"
)

// Header is the name of the header.
const Header = "Leeway-Receipt"

const (
	before  = Header + ": "
	after   = "\r\n"
	longest = len(before) + receipt.MaxLen + len(after)
)

// Issuer makes the receipts of one version. Safe for concurrent use.
type Issuer struct {
	model, version string
	room           int
}

// New returns an issuer. It fails with the errors of package receipt for names that no receipt can say.
func New(model, version string) (*Issuer, error) {
	n, err := receipt.Longest(model, version)
	if err != nil {
		return nil, err
	}
	return &Issuer{model: model, version: version, room: follow.MaxWaiting * (len(before) + n + len(after))}, nil
}

// Room is how many bytes Edit puts in at most.
func (i *Issuer) Room() int { return i.room }

// Follow returns a follower that tells sink, and gives the wanted requests' answers receipts (follow.NewMarking).
func (i *Issuer) Follow(sink follow.Sink, wanted func(*follow.Exchange) bool) *Follower {
	return &Follower{follow.NewMarking(sink, wanted), i}
}

// Follower follows one connection and puts receipts in (relay.Editor).
type Follower struct {
	*follow.Pair
	issuer *Issuer
}

// Edit shows buf[from:], which the server sent, and puts receipts in. What has become of it begins at the offset that
// is returned: the receipts take their room from what is in front of from.
func (f *Follower) Edit(buf []byte, from int, at time.Time) int {
	start := from
	for _, mark := range f.MarkResponse(buf[from:], at) {
		var line [longest]byte
		n := f.issuer.line(line[:0], at)
		if n > start {
			break
		}
		copy(buf[start-n:], buf[start:from+mark])
		copy(buf[from+mark-n:], line[:n])
		start -= n
	}
	return start
}

// line writes a header line into b and returns its length. The nonce comes of a generator that every process seeds
// with randomness of its own.
func (i *Issuer) line(b []byte, at time.Time) int {
	r := receipt.Receipt{Model: i.model, Version: i.version, Time: at, Nonce: rand.Uint64()}
	b, err := r.Append(append(b, before...))
	if err != nil { // the clock is not in the years that a receipt can say
		return 0
	}
	return len(append(b, after...))
}
