package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"

	"github.com/leeway-dev/leeway/registry/dataset"
	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/rules"
	"github.com/leeway-dev/leeway/rules/simulate"
)

// How long the streams are that detectors are tried on.
const (
	peerReference = 10_000 // training rows
	peerBefore    = 4000   // rows at least before the change, up to peerPhase more
	peerPhase     = 1600
	peerAfter     = 10_000
)

// trial is one stream: the rows of the training data, and those that come.
type trial struct {
	reference, rows []float64
	change          int // the first row after it
}

// training draws rows of the training data.
func (c *calm) training(r *rand.Rand) []float64 {
	rows := make([]float64, peerReference)
	for i := range rows {
		rows[i] = c.value(r)
	}
	return rows
}

func (c change) trial(r *rand.Rand, reference []float64) trial {
	t := trial{reference: reference, rows: make([]float64, peerBefore+peerPhase+peerAfter)}
	t.change = peerBefore + r.IntN(peerPhase)
	for i := range t.rows {
		if i < t.change {
			t.rows[i] = c.calm.value(r)
		} else {
			t.rows[i] = c.value(r, i-t.change)
		}
	}
	return t
}

// text is a value as the cell of a file: categories are words, lest they be
// taken for numbers.
func (c *calm) text(x float64) string {
	if c.kind == number {
		return strconv.FormatFloat(x, 'g', -1, 64)
	}
	return "c" + strconv.Itoa(int(x))
}

// profiled is the column as a profile of the training rows has it.
func (c *calm) profiled(reference []float64) (profile.Column, error) {
	var text bytes.Buffer
	text.WriteString("x\n")
	for _, x := range reference {
		text.WriteString(c.text(x) + "\n")
	}
	kind := profile.Category
	if c.kind == number {
		kind = profile.Number
	}
	p, _, err := dataset.FromCSV(c.name, &text, dataset.Options{Types: map[string]profile.Type{"x": kind}})
	if err != nil {
		return profile.Column{}, err
	}
	return p.Features[0], nil
}

func (c *calm) bin(b *profile.Binner, x float64) int {
	if c.kind == number {
		return b.Number(x)
	}
	return b.Category(c.text(x))
}

// plain is the number of bins that hold values, as the rules count them.
func plain(b *profile.Binner) int {
	n := 0
	for i, name := range b.Names() {
		switch name {
		case "under", "over", "far_under", "far_over", "unseen", "missing":
		default:
			if b.Ratios()[i] > 0 {
				n++
			}
		}
	}
	return n
}

// judged is what the rules make of a column.
type judged struct {
	counts []float64 // rows of the training data by bin
	ranks  []float64 // mean rank of each bin; nil: they have no order
	bin    func(float64) int
	rung   func(rules.Rung) simulate.Rung
}

// judged has two bins for answers, right and wrong; else those of a profile of the
// training rows.
func (b *bench) judged(c *calm, reference []float64) (judged, error) {
	j := judged{counts: make([]float64, 2), bin: func(x float64) int { return int(x) }, rung: b.wrongAnswers}
	if c.kind != wrong {
		column, err := c.profiled(reference)
		if err != nil {
			return j, err
		}
		binner, err := profile.NewBinner(column)
		if err != nil {
			return j, err
		}
		kind := simulate.Kind{Shares: make([]float64, plain(binner))}
		j = judged{
			counts: make([]float64, len(column.Bins)), ranks: column.MeanRanks(),
			bin:  func(x float64) int { return c.bin(binner, x) },
			rung: func(r rules.Rung) simulate.Rung { return b.whole(r, kind) },
		}
	}
	for _, x := range reference {
		j.counts[j.bin(x)]++
	}
	return j, nil
}

// replayed is when the ladder of the rules sees the change, at so many rows an
// hour: the delay in rows, 0 if never, and alarms before it.
func (b *bench) replayed(random simulate.Random, c *calm, t trial, hourly float64) (delay, early int, err error) {
	j, err := b.judged(c, t.reference)
	if err != nil {
		return 0, 0, err
	}
	rows := simulate.ChangedRows{Hourly: hourly, Change: t.change, Bins: make([]int, len(t.rows)), Past: make([]float64, len(j.counts))}
	for i, x := range t.rows {
		rows.Bins[i] = j.bin(x)
		if i < t.change {
			rows.Past[rows.Bins[i]] += 1 / float64(t.change)
		}
	}
	var ladder []simulate.Clocked
	for _, r := range b.ladder {
		ladder = append(ladder, inTime(r, j.rung(r)))
	}
	for _, a := range simulate.Detect(random, ladder, simulate.NewOrdered(j.counts, j.ranks), 1, rows) {
		if a.False > 0 {
			early++
		}
		if at := int(math.Ceil(a.True.Hours() * hourly)); at > 0 && (delay == 0 || at < delay) {
			delay = at
		}
	}
	return delay, early, nil
}

// delivered are the rows between the false alarms of the whole ladder on a
// column, at so many rows an hour.
func (b *bench) delivered(c *calm, hourly float64) (float64, error) {
	r := rand.New(rand.NewPCG(b.seed, 77))
	rows := make([]float64, 200_000)
	for i := range rows {
		rows[i] = c.value(r)
	}
	j, err := b.judged(c, rows)
	if err != nil {
		return 0, err
	}
	kind := simulate.Kind{Name: c.name, Ordered: j.ranks != nil} // what has rows is in the order of the values
	for _, n := range j.counts {
		if n > 0 {
			kind.Shares = append(kind.Shares, n/float64(len(rows)))
		}
	}
	some := *b
	some.references, some.draws = max(int(200*b.scale), 40), 60
	budget := b.values.Budgets.Inputs
	if c.kind == wrong {
		budget = b.values.Budgets.Answers
	}
	mean, _ := summary(some.models(simulate.Setting{Kind: kind, Rows: hourly, Reference: peerReference, Columns: 1}, true, budget, j.rung).alarms)
	if mean == 0 {
		return 0, fmt.Errorf("%s: no false alarm in all that was drawn: allow more with -scale", c.name)
	}
	return budget.Per.Seconds() / 3600 * hourly / budget.FalseAlarms / mean, nil
}

// save writes numbers as they lie in memory, which numpy reads.
func save(path string, values ...[]float64) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	for _, v := range values {
		if err := binary.Write(file, binary.LittleEndian, v); err != nil {
			return err
		}
	}
	return file.Close()
}
