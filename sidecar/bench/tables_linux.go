package main

import (
	"time"

	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/sidecar/protocol"
)

// binned counts values in the bins of a profile, and does nothing else with them.
type binned struct {
	binners  []*profile.Binner
	counts   [][]int64
	gathered protocol.Gathered
}

func (t *binned) Width() int      { return len(t.binners) }
func (*binned) Lookup([]byte) int { return -1 }
func (*binned) Unknown(int)       {}
func (*binned) Rows(int)          {}

// Derived is part of protocol.Table: the bench has columns of numbers only.
func (t *binned) Derived() protocol.Derived { return protocol.Derived{} }

func (t *binned) Folded(protocol.Fold, int) {}

func (t *binned) Value(column int, v protocol.Value) {
	t.counts[column][t.binners[column].Number(v.Number)]++
}

func (t *binned) Numbers(column int, values []float64, stride int) {
	t.binners[column].Numbers(values, stride, t.counts[column])
}

// Gather is part of protocol.Gatherer.
func (t *binned) Gather(values []float64) bool { return t.gather(values, t.Numbers) }

func (t *binned) gather(values []float64, numbers func(int, []float64, int)) bool {
	ok, full := t.gathered.Add(values, len(t.binners))
	if full {
		t.gathered.Tell(len(t.binners), numbers)
	}
	return ok
}

func newBinned(p *profile.Profile) (*binned, error) {
	t := &binned{}
	for _, c := range p.Features {
		b, err := profile.NewBinner(c)
		if err != nil {
			return nil, err
		}
		t.binners, t.counts = append(t.binners, b), append(t.counts, make([]int64, len(c.Bins)))
	}
	return t, nil
}

// recorded counts values in a live profile too.
type recorded struct {
	*binned
	*profile.Recorder
}

func (recorded) Folded(protocol.Fold, int) {}

func (t recorded) Rows(n int) { t.AddRows(int64(n)) }

func (t recorded) Numbers(column int, values []float64, stride int) {
	t.Feature(column).Numbers(values, stride, t.counts[column])
}

// Gather is part of protocol.Gatherer.
func (t recorded) Gather(values []float64) bool { return t.gather(values, t.Numbers) }

// intoBins parses V2 JSON into bins.
func intoBins(p *profile.Profile, bodies [][]byte) (step func(i int) error, err error) {
	t, err := newBinned(p)
	var parser protocol.Parser
	return func(i int) error {
		return parser.Features(protocol.Message{Kind: protocol.V2, Body: bodies[i%len(bodies)]}, t)
	}, err
}

// intoSketches parses V2 JSON into bins and the sketches of a live profile.
func intoSketches(p *profile.Profile, bodies [][]byte) (step func(i int) error, err error) {
	b, err := newBinned(p)
	if err != nil {
		return nil, err
	}
	r, err := profile.NewRecorder(p.Features, nil)
	if err != nil {
		return nil, err
	}
	t := recorded{b, r}
	var parser protocol.Parser
	return func(i int) error {
		r.Lock(time.Now())
		defer r.Unlock()
		return parser.Features(protocol.Message{Kind: protocol.V2, Body: bodies[i%len(bodies)]}, t)
	}, nil
}
