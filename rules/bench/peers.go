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
	peerCalm      = 200_000 // rows that do not change, for thresholds
	peerParticles = 200     // windows of which the rarest are split, for thresholds
	peerWindow    = 800     // rows before the change that are looked at in windows
)

// peerSpec is what peers.py is told.
type peerSpec struct {
	Sizes     []int `json:"sizes"`
	Particles int   `json:"particles"`
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
	Real    bool    `json:"-"`
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
	real, err := realChanges(ctx, b.root)
	if err != nil {
		return err
	}
	spec, found, err := b.peerStreams(ctx, folder, append(madeChanges(), real...))
	if err != nil {
		return err
	}
	its, err := b.runPeers(ctx, folder, spec)
	if err != nil {
		return err
	}
	b.printPeers(spec, append(found, its...))
	return nil
}

// runPeers has all packages tried at the same time, each by two processes: one
// for columns that are drawn, one for real ones.
func (b *bench) runPeers(ctx context.Context, folder string, spec peerSpec) (findings, error) {
	if err := os.WriteFile(filepath.Join(folder, peersFile), peersScript, 0o600); err != nil {
		return nil, err
	}
	var shares [2][]string
	for _, c := range spec.Calms {
		i := 0
		if c.Real {
			i = 1
		}
		shares[i] = append(shares[i], c.Name)
	}
	found := make([][2]findings, len(peerPackages))
	failed := make([][2]error, len(peerPackages))
	var all sync.WaitGroup
	for i, p := range peerPackages {
		if !slices.Contains(b.packages, p.name) {
			continue
		}
		python, err := installed(ctx, p.packages, p.imports)
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s takes no part: %v\n", p.name, err)
			continue
		}
		for k, columns := range shares {
			all.Go(func() { found[i][k], failed[i][k] = p.run(ctx, python, folder, columns) })
		}
	}
	all.Wait()
	var out findings
	var err error
	for i := range found {
		out = slices.Concat(out, found[i][0], found[i][1])
		err = errors.Join(err, failed[i][0], failed[i][1])
	}
	return out, err
}

// peerStreams writes the streams, and lets the rules see them.
func (b *bench) peerStreams(ctx context.Context, folder string, changes []change) (peerSpec, findings, error) {
	trials := max(int(b.scale*15), 3)
	spec := peerSpec{
		Sizes: peerSizes, Particles: peerParticles, Reference: peerReference, Before: peerWindow,
		ValueRows: peerCalm, KswinRows: max(int(3000*b.scale), 1000), KswinTrials: min(trials, 3), KswinAfter: 1000,
	}
	var found findings
	references := map[string][][]float64{}
	for i, c := range changes {
		if err := ctx.Err(); err != nil {
			return spec, nil, err
		}
		random := simulate.NewRandom(b.seed, uint64(1000*i))
		if references[c.calm.name] == nil {
			for range trials {
				references[c.calm.name] = append(references[c.calm.name], c.calm.training(random.Rand))
			}
			if err := b.peerCalm(folder, &spec, c.calm, references[c.calm.name], random.Rand); err != nil {
				return spec, nil, err
			}
		}
		to := peerChange{Name: c.name, Calm: c.calm.name, File: fmt.Sprintf("change-%d", i)}
		var rows [][]float64
		var list []trial
		for _, reference := range references[c.calm.name] {
			t := c.trial(random.Rand, reference)
			list, rows, to.At = append(list, t), append(rows, t.rows), append(to.At, t.change)
		}
		if err := save(filepath.Join(folder, to.File+".f8"), rows...); err != nil {
			return spec, nil, err
		}
		spec.Changes = append(spec.Changes, to)
		its, err := b.leeway(random, c, list)
		if err != nil {
			return spec, nil, err
		}
		found = append(found, its...)
	}
	data, err := json.Marshal(spec)
	if err != nil {
		return spec, nil, err
	}
	return spec, found, os.WriteFile(filepath.Join(folder, "spec.json"), data, 0o600)
}

// peerCalm writes what thresholds are found on: training data, rows that do not
// change, and how many there are to be between false alarms.
func (b *bench) peerCalm(folder string, spec *peerSpec, c *calm, references [][]float64, r *rand.Rand) error {
	between, err := b.delivered(c, peerHourly[0])
	if err != nil {
		return err
	}
	spec.Calms = append(spec.Calms, peerCalms{c.name, c.kind, between, c.real})
	rows := make([]float64, peerCalm)
	for i := range rows {
		rows[i] = c.value(r)
	}
	return errors.Join(
		save(filepath.Join(folder, "references-"+c.name+".f8"), references...),
		save(filepath.Join(folder, "calm-"+c.name+".f8"), rows))
}

// What of ours sees a change of a column. Wrong answers have a ladder where the
// version was registered with its error and the rows that it is of, and else the
// rule about 24 hours.
const (
	leeway      = "Leeway"
	ladderRule  = "drift ladder"
	answersRule = "ladder of answers"
	qualityRule = "quality rule"
)

func (c *calm) rule() string {
	if c.kind == wrong {
		return answersRule
	}
	return ladderRule
}

// leeway is what the rules find in the trials of a change.
func (b *bench) leeway(random simulate.Random, c change, trials []trial) (findings, error) {
	var found findings
	for _, hourly := range peerHourly {
		f := finding{Change: c.name, Package: leeway, Detector: c.calm.rule(), Variant: atRate(hourly)}
		for _, t := range trials {
			delay, early, err := b.replayed(random, c.calm, t, hourly)
			if err != nil {
				return nil, err
			}
			f.Delays, f.Early = append(f.Delays, delay), f.Early+early
		}
		found = append(found, f)
		if c.calm.kind == wrong {
			found = append(found, b.quality(random.Rand, c, hourly, len(trials)))
		}
	}
	return found, nil
}

func atRate(hourly float64) string { return fmt.Sprintf("%.0f rows an hour", hourly) }

// quality is when the rule about wrong answers sees a change, in rows.
func (b *bench) quality(r *rand.Rand, c change, hourly float64, trials int) finding {
	q := b.values.Quality
	rule := simulate.Quality{
		Window: time.Duration(q.Window), Interval: time.Duration(q.Interval), For: time.Duration(q.For),
		MinLabels: q.MinLabels, Factor: q.Factor, Sigmas: q.Sigmas,
	}
	f := finding{Change: c.name, Package: leeway, Detector: qualityRule, Variant: atRate(hourly)}
	answers := make([]bool, int((rule.Window+2*rule.For).Hours()*hourly))
	for range trials {
		for i := range answers {
			answers[i] = c.value(r, i) == 1
		}
		f.Delays = append(f.Delays, int(rule.Wrong(answers, 0, hourly, wrongBefore).Hours()*hourly))
	}
	return f
}
