package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/leeway-dev/leeway/rules/simulate"
)

// peerHourly are the rows an hour at which the rules, whose windows are of time,
// are tried. Peers have as few false alarms as the rules at the first.
var peerHourly = []float64{1000, 10_000}

// peerSizes are the windows, in rows, of peers that need one.
var peerSizes = []int{100, 400, 1600}

const (
	peerCalm   = 300_000 // rows that do not change, for thresholds
	peerWindow = 1600    // rows before the change that are looked at in windows
)

// peerSpec is what peers.py is told.
type peerSpec struct {
	Sizes     []int `json:"sizes"`
	Nulls     int   `json:"nulls"`
	Reference int   `json:"reference"`
	Before    int   `json:"before"`

	ValueRows   int `json:"valueRows"`
	KswinRows   int `json:"kswinRows"`
	KswinTrials int `json:"kswinTrials"`
	KswinAfter  int `json:"kswinAfter"`

	Calms   []peerCalms  `json:"calms"`
	Changes []peerChange `json:"changes"`
}

type peerCalms struct {
	Name    string  `json:"name"`
	Kind    string  `json:"kind"`
	Between float64 `json:"between"`
}

type peerChange struct {
	Name string `json:"name"`
	Calm string `json:"calm"`
	File string `json:"file"`
	At   []int  `json:"at"`
}

// peers prints how many rows pass between a change and the alarm, beside other
// packages on the same rows, each with as few false alarms.
func (b *bench) peers(ctx context.Context) error {
	folder, err := os.MkdirTemp("", "leeway-peers-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	changes := madeChanges()
	real, err := realChanges(ctx, b.flights, b.bikes)
	if err != nil {
		return err
	}
	spec, found, err := b.peerStreams(ctx, folder, append(changes, real...))
	if err != nil {
		return err
	}
	its, err := b.runPeers(ctx, folder)
	if err != nil {
		return err
	}
	b.printPeers(spec, append(found, its...))
	return nil
}

// runPeers has all packages tried, at the same time.
func (b *bench) runPeers(ctx context.Context, folder string) ([]finding, error) {
	found := make([][]finding, len(peerPackages))
	failed := make([]error, len(peerPackages))
	var all sync.WaitGroup
	for i, p := range peerPackages {
		if !slices.Contains(b.packages, p.name) {
			continue
		}
		all.Go(func() {
			began := time.Now()
			python, err := p.python(ctx)
			if err != nil {
				fmt.Fprintf(os.Stderr, "%s takes no part: %v\n", p.name, err)
				return
			}
			found[i], failed[i] = p.run(ctx, python, folder)
			fmt.Fprintf(os.Stderr, "%s: %s\n", p.name, time.Since(began).Round(time.Second))
		})
	}
	all.Wait()
	return slices.Concat(found...), errors.Join(failed...)
}

// peerStreams writes the streams, and lets the rules see them.
func (b *bench) peerStreams(ctx context.Context, folder string, changes []change) (peerSpec, []finding, error) {
	trials := max(int(b.scale*15), 3)
	spec := peerSpec{
		Sizes: peerSizes, Nulls: max(int(300*b.scale), 60), Reference: peerReference, Before: peerWindow,
		ValueRows: peerCalm, KswinRows: max(int(3000*b.scale), 1000), KswinTrials: min(trials, 3), KswinAfter: 1000,
	}
	var found []finding
	written := map[string]bool{}
	for i, c := range changes {
		if err := ctx.Err(); err != nil {
			return spec, nil, err
		}
		random := simulate.NewRandom(b.seed, uint64(1000*i))
		to := peerChange{Name: c.name, Calm: c.calm.name, File: fmt.Sprintf("change-%d", i)}
		var references, rows [][]float64
		ours := make([]finding, len(peerHourly))
		for h, hourly := range peerHourly {
			ours[h] = finding{Change: c.name, Package: leeway, Detector: c.calm.rule(), Variant: fmt.Sprintf("%.0f rows an hour", hourly)}
		}
		for range trials {
			t := c.trial(random.Rand)
			references, rows, to.At = append(references, t.reference), append(rows, t.rows), append(to.At, t.change)
			for h, hourly := range peerHourly {
				delay, early, err := b.replayed(random, c.calm, t, hourly)
				if err != nil {
					return spec, nil, err
				}
				ours[h].Delays, ours[h].Early = append(ours[h].Delays, delay), ours[h].Early+early
			}
		}
		found = append(found, ours...)
		if c.calm.kind == wrong {
			for _, hourly := range peerHourly {
				found = append(found, b.quality(random.Rand, c, hourly, trials))
			}
		}
		if !written[c.calm.name] {
			written[c.calm.name] = true
			between, err := b.delivered(c.calm, peerHourly[0])
			if err != nil {
				return spec, nil, err
			}
			spec.Calms = append(spec.Calms, peerCalms{c.calm.name, c.calm.kind, between})
			if err := save(filepath.Join(folder, "references-"+c.calm.name+".f8"), references...); err != nil {
				return spec, nil, err
			}
			if err := save(filepath.Join(folder, "calm-"+c.calm.name+".f8"), c.calm.draw(random.Rand, max(peerCalm, spec.Nulls*slices.Max(peerSizes)))); err != nil {
				return spec, nil, err
			}
		}
		if err := save(filepath.Join(folder, to.File+".f8"), rows...); err != nil {
			return spec, nil, err
		}
		spec.Changes = append(spec.Changes, to)
	}
	data, err := json.Marshal(spec)
	if err != nil {
		return spec, nil, err
	}
	return spec, found, os.WriteFile(filepath.Join(folder, "spec.json"), data, 0o600)
}

// draw draws rows that do not change.
func (c *calm) draw(r *rand.Rand, n int) []float64 {
	rows := make([]float64, n)
	for i := range rows {
		rows[i] = c.value(r)
	}
	return rows
}

// What of ours sees a change of a column. The ladder does not look at wrong
// answers as it is shipped: what it would see is worth knowing.
const (
	leeway      = "Leeway"
	ladderRule  = "drift ladder"
	qualityRule = "quality rule"
	wouldBe     = "drift ladder on wrong answers (not shipped)"
)

func (c *calm) rule() string {
	if c.kind == wrong {
		return wouldBe
	}
	return ladderRule
}

// quality is when the rule about wrong answers sees a change, in rows.
func (b *bench) quality(r *rand.Rand, c change, hourly float64, trials int) finding {
	q := b.values.Quality
	rule := simulate.Quality{
		Window: time.Duration(q.Window), Interval: time.Duration(q.Interval), For: time.Duration(q.For),
		MinLabels: q.MinLabels, Factor: q.Factor, Sigmas: q.Sigmas,
	}
	f := finding{Change: c.name, Package: leeway, Detector: qualityRule, Variant: fmt.Sprintf("%.0f rows an hour", hourly)}
	answers := make([]bool, int((rule.Window+2*rule.For).Hours()*hourly))
	for range trials {
		for i := range answers {
			answers[i] = c.value(r, i) == 1
		}
		f.Delays = append(f.Delays, int(rule.Wrong(answers, 0, hourly, wrongBefore).Hours()*hourly))
	}
	return f
}
