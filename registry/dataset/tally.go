package dataset

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/registry/profile/summary"
)

// tally reads the rows once more, where their time or truth is known, now that
// there are bins to count them in.
func (r *run) tally(ctx context.Context, p *profile.Profile) (*profile.Profile, error) {
	timed := r.options.Time != ""
	label := -1
	if i, ok := r.plan.byName[r.options.Label]; ok && r.options.Label != "" && len(p.Predictions) > 0 {
		label = i
	}
	if !timed && label < 0 {
		return p, nil
	}
	t := &tally{label: -1, class: -1}
	// Columns of numbers that were told decide which rows are bad.
	plan := r.plan.with(func(i int, c column) mode {
		switch {
		case i == label:
			return category
		case timed || c.prediction || c.told && c.mode == number || c.mode == instant:
			return c.mode
		}
		return skip
	})
	if label >= 0 {
		plan.columns[label].told = true
		t.label = plan.columns[label].slot
	}
	if err := t.prepare(r, plan, p, timed); err != nil {
		return nil, err
	}
	workers := make([]*tallyWorker, r.options.Workers)
	for i := range workers {
		workers[i] = t.worker(p)
	}
	report, _, _, err := r.pass(ctx, plan, func(worker int) consumer { return workers[worker] })
	if err != nil {
		return nil, err
	}
	if report.Rows != r.report.Rows || report.Bad != r.report.Bad {
		return nil, errChanged
	}
	if t.blocks != nil {
		t.blocks.Apply(p)
	}
	for k := range t.errors {
		for _, w := range workers[1:] {
			workers[0].errors[k].Merge(w.errors[k])
		}
		workers[0].errors[k].Apply(&p.Predictions[k])
	}
	if excess := workers[0].excess; excess != nil {
		for _, w := range workers[1:] {
			excess.Merge(w.excess)
		}
		excess.Apply()
	}
	return p, nil
}

// tally says where the bins of each column of a profile come from.
type tally struct {
	columns []tallyColumn // features, and then predictions
	first   int           // of the predictions
	classes []int         // slots of the probabilities of classes
	names   []string      // of the classes
	class   int           // the column of the highest one, or −1
	label   int           // slot, or −1
	errors  []bool        // by prediction: as many as there are, where errors are counted
	binners []*profile.Binner

	mu     sync.Mutex
	blocks *profile.Blocks
	time   int // slot
}

// tallyColumn is a column of the profile.
type tallyColumn struct {
	slot int // in a batch; −1 is the highest of the classes
	sum  int // of a vector; −1 for none
	text bool
}

func (t *tally) prepare(r *run, plan *plan, p *profile.Profile, timed bool) error {
	t.first = len(p.Features)
	if timed {
		t.blocks = profile.NewBlocks(p)
		t.time = plan.columns[plan.time].slot
	}
	for _, list := range [][]profile.Column{p.Features, p.Predictions} {
		for _, c := range list {
			b, err := profile.NewBinner(c)
			if err != nil {
				return err
			}
			t.binners = append(t.binners, b)
		}
	}
	for _, prediction := range []bool{false, true} {
		for _, i := range r.order() {
			if c := plan.columns[i]; c.prediction == prediction {
				t.columns = append(t.columns, tallyColumns(c, r.plan.columns[i].mode)...)
			}
		}
	}
	if r.highest != nil {
		for _, i := range r.classes {
			t.classes = append(t.classes, plan.columns[i].slot)
			t.names = append(t.names, plan.columns[i].name)
		}
		t.class = len(t.columns)
		t.columns = append(t.columns, tallyColumn{slot: -1, sum: -1})
	}
	if t.label >= 0 {
		if len(p.Predictions) != 1 && t.classes == nil {
			return fmt.Errorf("label %q: predictions are several columns, but not the probabilities of classes, numbers from 0 to 1 that add up to 1 in each row: name one prediction, or no label but --ignore it", r.options.Label)
		}
		t.errors = make([]bool, len(p.Predictions))
	}
	return nil
}

func tallyColumns(c column, m mode) []tallyColumn {
	if m != vector {
		return []tallyColumn{{slot: c.slot, sum: -1, text: m == category}}
	}
	var list []tallyColumn
	for k := range summary.Size {
		list = append(list, tallyColumn{slot: c.slot, sum: k})
	}
	return list
}

// tallyWorker counts for one worker.
type tallyWorker struct {
	*tally
	errors  []*profile.Errors // by prediction
	excess  *profile.Excess   // of classes; nil for none
	bins    [][]uint8         // by column, then row
	row     []uint8
	known   []map[string]uint8 // bins of categories that were seen
	highest []float64
}

func (t *tally) worker(p *profile.Profile) *tallyWorker {
	w := &tallyWorker{tally: t, bins: make([][]uint8, len(t.columns)), row: make([]uint8, len(t.columns)), known: make([]map[string]uint8, len(t.columns))}
	for k := range t.errors {
		w.errors = append(w.errors, profile.NewErrors(p.Predictions[k]))
	}
	if t.errors != nil && t.class >= 0 {
		w.excess = profile.NewExcess(p.Predictions)
	}
	return w
}

// take implements consumer.
func (w *tallyWorker) take(b *batch) error {
	if b.rows == 0 {
		return nil
	}
	if w.class >= 0 {
		w.highest, _, _ = highest(b, w.classes, w.highest)
	}
	for k, c := range w.columns {
		if w.blocks == nil && k < w.first {
			continue
		}
		w.bins[k] = w.bins[k][:0]
		switch {
		case c.text:
			w.binTexts(k, b.cells[c.slot].texts)
		case c.slot < 0:
			w.binNumbers(k, w.highest)
		case c.sum >= 0:
			w.binNumbers(k, b.cells[c.slot].sums[c.sum])
		default:
			w.binNumbers(k, b.cells[c.slot].numbers)
		}
	}
	w.takeErrors(b)
	if w.blocks != nil {
		w.takeTimes(b.cells[w.time].times)
	}
	return nil
}

func (w *tallyWorker) binNumbers(k int, values []float64) {
	for _, v := range values {
		w.bins[k] = append(w.bins[k], uint8(w.binners[k].Number(v)))
	}
}

// maxKnown categories of a column are remembered with their bins.
const maxKnown = 1 << 14

func (w *tallyWorker) binTexts(k int, texts [][]byte) {
	for _, text := range texts {
		bin, ok := w.known[k][string(text)]
		if !ok {
			if len(w.known[k]) >= maxKnown || w.known[k] == nil {
				w.known[k] = map[string]uint8{}
			}
			bin = uint8(w.binners[k].Missing())
			if text != nil {
				bin = uint8(w.binners[k].Category(string(text)))
			}
			w.known[k][string(text)] = bin
		}
		w.bins[k] = append(w.bins[k], bin)
	}
}

// takeTimes counts rows in the one place where all workers do.
func (w *tallyWorker) takeTimes(rows []time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, at := range rows {
		for k := range w.row {
			w.row[k] = w.bins[k][i]
		}
		w.blocks.Add(at, w.row)
	}
}

// takeErrors compares predictions with labels.
func (w *tallyWorker) takeErrors(b *batch) {
	if w.errors == nil {
		return
	}
	for i, label := range b.cells[w.label].texts {
		if label == nil {
			continue
		}
		if w.class >= 0 {
			w.classErrors(b, i, label)
			continue
		}
		c := w.columns[w.first]
		bin := w.bins[w.first][i]
		if c.text {
			if answer := b.cells[c.slot].texts[i]; answer != nil {
				w.errors[0].Answer(bin, sameAnswer(answer, label))
			}
		} else if v := b.cells[c.slot].numbers[i]; v == v {
			w.errors[0].Number(bin, v, labelNumber(label))
		}
	}
}

// classErrors says of a row which class was right, if the label is the name of
// one, or what follows its last "_".
func (w *tallyWorker) classErrors(b *batch, row int, label []byte) {
	right, first := -1, -1
	for k, name := range w.names {
		if strings.EqualFold(name, string(label)) || strings.EqualFold(name[strings.LastIndex(name, "_")+1:], string(label)) {
			right = k
		}
		if v := b.cells[w.classes[k]].numbers[row]; first < 0 || v > b.cells[w.classes[first]].numbers[row] {
			first = k
		}
	}
	if right < 0 || math.IsNaN(w.highest[row]) {
		return
	}
	last := len(w.errors) - 1
	w.errors[last].Answer(w.bins[w.class][row], first == right)
	if w.excess != nil {
		w.excess.Answer(first == right, func(k int) uint8 { return w.bins[w.first+k][row] })
	}
	for k, c := range w.columns[w.first:w.class] {
		for n, slot := range w.classes {
			if c.slot == slot {
				actual := 0.0
				if n == right {
					actual = 1
				}
				w.errors[k].Number(w.bins[w.first+k][row], b.cells[slot].numbers[row], actual)
			}
		}
	}
}

func sameAnswer(a, b []byte) bool {
	return profile.Key(string(a), false) == profile.Key(string(b), false)
}

// labelNumber is what a label says where the prediction is a number.
func labelNumber(label []byte) float64 {
	switch profile.Key(string(label), false) {
	case "true":
		return 1
	case "false":
		return 0
	}
	return profile.ParseNumber(string(label))
}
