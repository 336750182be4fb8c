package observe

import (
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/sidecar/protocol"
)

// learner observes where there is no reference: what has names is counted into columns that it finds, without bins, so
// that there is something to adopt as a reference. It ends with the first reference. Clients choose the names, so
// memory is bounded: columns and their types come out of a budget, and what it has no room for is not learned.
type learner struct {
	mu                sync.Mutex // taken before the recorders' locks
	features, outputs *learned
	folds             folds
	parser            protocol.Parser
}

// learned is the protocol.Learner of one half.
type learned struct {
	recorder *profile.Recorder
	index    map[string]int
	columns  []learnedColumn
	derived  protocol.Derived
	redact   []string       // columns whose categories are kept as hashes
	room     *room          // for both halves
	folds    *folds         // likewise
	fresh    map[string]int // names of this body and how many values they have; they are columns once it has been read to its end
	order    []string       // of fresh
	refused  int            // values of this body that there is no room for
}

// learnedColumn has no series and no type until its first value. Until then it is missing.
type learnedColumn struct {
	name   string
	typ    profile.Type
	series int // of the recorder's features
}

// room is what may still be learned.
type room struct {
	columns int
	bytes   int64
}

// columnBytes is what a name of a column and its series take, without a sketch.
const columnBytes = 1 << 10

// take takes bytes out of the budget, if it has them.
func (r *room) take(n int64) bool {
	if n > r.bytes {
		return false
	}
	r.bytes -= n
	return true
}

// newLearner gives an eighth of its bytes to the categories of each half, the rest to columns.
func newLearner(cfg Config) *learner {
	l := &learner{parser: protocol.Parser{MaxFeatures: cfg.MaxFeatures}}
	left := &room{columns: profile.MaxColumns, bytes: cfg.LearnBudget / 4 * 3}
	half := func() *learned {
		recorder := profile.NewLearner(int(cfg.LearnBudget / 8 / profile.LearnedName))
		return &learned{
			recorder: recorder, index: map[string]int{}, room: left, folds: &l.folds, redact: cfg.Redact, fresh: map[string]int{},
		}
	}
	l.features, l.outputs = half(), half()
	return l
}

// lock lets the caller count what was seen at a time.
func (l *learner) lock(at time.Time) {
	l.mu.Lock()
	l.features.recorder.Lock(at)
	l.outputs.recorder.Lock(at)
}

// tryLock is lock for who may not wait. untidy: the recorders are to be tidied.
func (l *learner) tryLock(at time.Time) (ok, untidy bool) {
	if !l.mu.TryLock() {
		return false, false
	}
	ok, untidy = l.features.recorder.TryLock(at)
	if !ok {
		l.mu.Unlock()
		return false, untidy
	}
	ok, more := l.outputs.recorder.TryLock(at)
	if !ok {
		l.features.recorder.Unlock()
		l.mu.Unlock()
	}
	return ok, untidy || more
}

func (l *learner) unlock() {
	l.outputs.recorder.Unlock()
	l.features.recorder.Unlock()
	l.mu.Unlock()
}

// count reads one half of an exchange into its columns, under the lock. New columns count from the next body on, but
// for the first body, which is read again.
func (l *learner) count(m protocol.Message, response bool) error {
	t, read := l.features, l.parser.Features
	if response {
		t, read = l.outputs, l.parser.Predictions
	}
	defer t.forget()
	first := t.Width() == 0
	if err := read(m, t); err != nil {
		return err
	}
	t.grow()
	if first && t.Width() > 0 {
		t.forget()
		if err := read(m, t); err != nil {
			return err
		}
	}
	for _, n := range t.fresh {
		t.refused += n
	}
	t.folds.column += int64(t.refused)
	return nil
}

// profile describes what was learned in about a time; nil where that is nothing. Counting goes on meanwhile.
func (l *learner) profile(from, to time.Time) *profile.Profile {
	l.mu.Lock()
	columns := [2][]learnedColumn{slices.Clone(l.features.columns), slices.Clone(l.outputs.columns)}
	l.mu.Unlock()
	p := learnedProfile(l.features.recorder, columns[0], from, to)
	outputs := learnedProfile(l.outputs.recorder, columns[1], from, to)
	p.Predictions = outputs.Features
	p.Rows = max(p.Rows, outputs.Rows)
	if len(p.Features) == 0 { // answers have names, requests have none
		p.From, p.To = outputs.From, outputs.To
	}
	if len(p.Features)+len(p.Predictions) == 0 {
		return nil
	}
	return p
}

// learnedProfile has the columns in the order in which they were found. Rows from before a column was found lack it.
func learnedProfile(r *profile.Recorder, columns []learnedColumn, from, to time.Time) *profile.Profile {
	p := r.Profile(from, to)
	found := p.Features
	p.Features = nil
	for _, c := range columns {
		if c.typ == "" {
			continue
		}
		f := found[c.series]
		f.Missing += p.Rows - f.Rows
		f.Rows = p.Rows
		p.Features = append(p.Features, f)
	}
	return p
}

// grow makes columns of the new names, as far as there is room.
func (t *learned) grow() {
	for _, name := range t.order {
		if t.room.columns == 0 || !t.room.take(columnBytes) {
			return
		}
		t.room.columns--
		delete(t.fresh, name)
		t.derived.Summarised = summarised(t.derived.Summarised, name)
		t.index[name] = len(t.columns)
		t.columns = append(t.columns, learnedColumn{name: name})
	}
}

func (t *learned) forget() {
	clear(t.fresh)
	t.order, t.refused = t.order[:0], 0
}

// Learn is part of protocol.Learner.
func (t *learned) Learn(name []byte, n int) {
	if _, known := t.index[string(name)]; known { // on second reading
		return
	}
	values, again := t.fresh[string(name)]
	switch {
	case again:
	case len(t.fresh) >= t.room.columns, len(name) == 0 || len(name) > profile.MaxName || !utf8.Valid(name):
		t.refused += n
		return
	default:
		t.order = append(t.order, string(name))
	}
	t.fresh[string(name)] = values + n
}

// Width is part of protocol.Table.
func (t *learned) Width() int { return len(t.columns) }

// Lookup is part of protocol.Table.
func (t *learned) Lookup(name []byte) int {
	if i, ok := t.index[string(name)]; ok {
		return i
	}
	return -1
}

// Numbers is part of protocol.Table.
func (t *learned) Numbers(column int, values []float64, stride int) {
	if t.columns[column].typ == "" && allMissing(values, stride) {
		return
	}
	if s := t.series(column, profile.Number); s != nil {
		s.Numbers(values, stride, nil)
	} else {
		t.refused += (len(values) + stride - 1) / stride
	}
}

func allMissing(values []float64, stride int) bool {
	for i := 0; i < len(values); i += stride {
		if values[i] == values[i] {
			return false
		}
	}
	return true
}

// Value is part of protocol.Table.
func (t *learned) Value(column int, v protocol.Value) {
	typ := profile.Category
	switch {
	case v.Type == protocol.Missing && t.columns[column].typ == "":
		return
	case v.Type == protocol.Number:
		typ = profile.Number
	}
	if s := t.series(column, typ); s != nil {
		tell(s, t.columns[column].typ, v)
	} else {
		t.refused++
	}
}

// series is that of a column; its first value makes it one of a type. It is nil where there is no room for the type.
func (t *learned) series(column int, typ profile.Type) *profile.Series {
	c := &t.columns[column]
	if c.typ == "" {
		if typ == profile.Number && !t.room.take(profile.LearnedNumbers) {
			return nil
		}
		c.typ = typ
		redacted := typ == profile.Category && slices.Contains(t.redact, c.name)
		c.series = t.recorder.Learn(profile.Column{Name: c.name, Type: typ, Redacted: redacted})
	}
	return t.recorder.Feature(c.series)
}

// Derived is part of protocol.Table.
func (t *learned) Derived() protocol.Derived { return t.derived }

// Folded is part of protocol.Table.
func (t *learned) Folded(f protocol.Fold, n int) { t.folds.add(f, n) }

// Unknown is part of protocol.Table: a name that is new, or for which there is no room.
func (t *learned) Unknown(int) {}

// Rows is part of protocol.Table.
func (t *learned) Rows(n int) {
	if len(t.columns) > 0 {
		t.recorder.AddRows(int64(n))
	}
}
