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

// binner makes the bins that a profile of the training rows has.
func (c *calm) binner(reference []float64) (*profile.Binner, error) {
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
		return nil, err
	}
	return profile.NewBinner(p.Features[0])
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

// judged is what the rules make of a column: its bins, into which of them a value
// goes, and the windows. Answers, right and wrong, have two bins; the others those
// of a profile of the training rows.
func (b *bench) judged(c *calm, reference []float64) (bins int, bin func(float64) int, rungOf func(rules.Rung) simulate.Rung, err error) {
	if c.kind == wrong {
		return 2, func(x float64) int { return int(x) }, b.wrongAnswers, nil
	}
	binner, err := c.binner(reference)
	if err != nil {
		return 0, nil, nil, err
	}
	kind := simulate.Kind{Shares: make([]float64, plain(binner))}
	return len(binner.Ratios()), func(x float64) int { return c.bin(binner, x) },
		func(r rules.Rung) simulate.Rung { return b.whole(r, kind) }, nil
}

// replayed is when the ladder of the rules sees the change, at so many rows an
// hour: the delay in rows, 0 if never, and alarms before it.
func (b *bench) replayed(random simulate.Random, c *calm, t trial, hourly float64) (delay, early int, err error) {
	bins, bin, rungOf, err := b.judged(c, t.reference)
	if err != nil {
		return 0, 0, err
	}
	reference := make([]float64, bins)
	for _, x := range t.reference {
		reference[bin(x)]++
	}
	rows := simulate.ChangedRows{Hourly: hourly, Change: t.change, Bins: make([]int, len(t.rows)), Past: make([]float64, len(reference))}
	for i, x := range t.rows {
		rows.Bins[i] = bin(x)
		if i < t.change {
			rows.Past[rows.Bins[i]] += 1 / float64(t.change)
		}
	}
	var ladder []simulate.Clocked
	for _, r := range b.ladder {
		ladder = append(ladder, inTime(r, rungOf(r)))
	}
	for _, a := range simulate.Detect(random, ladder, simulate.NewColumn(reference), 1, rows) {
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
	bins, bin, rungOf, err := b.judged(c, rows)
	if err != nil {
		return 0, err
	}
	counts := make([]float64, bins)
	for _, x := range rows {
		counts[bin(x)]++
	}
	kind := simulate.Kind{Name: c.name}
	for _, n := range counts {
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
	mean, _, _ := summary(some.models(simulate.Setting{Kind: kind, Rows: hourly, Reference: peerReference, Columns: 1}, true, budget, rungOf))
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
