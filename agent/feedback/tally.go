package feedback

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/leeway-dev/leeway/agent/auth"
)

// maxReported bounds the errors in an answer; the others are only counted.
const maxReported = 100

// reason is why a row was not counted; the same word in metric and answer.
type reason string

const (
	badRow          reason = "bad_row"
	receiptMismatch reason = "receipt_mismatch"
	forbiddenRow    reason = "forbidden"
	unknownVersion  reason = "unknown_version"
	tooManyVersions reason = "too_many_versions"
)

var reasons = []reason{badRow, receiptMismatch, forbiddenRow, unknownVersion, tooManyVersions}

// tally is one request. A request has few namespaces and versions and many rows,
// so what may be is asked once for each, and their names are kept once.
type tally struct {
	handler *Handler
	ctx     context.Context
	may     map[string]error
	known   map[versionKey]bool
	names   map[string]string

	taken   int // rows that came, good or not
	rows    []numbered
	answer  Answer
	refused map[reason]int
}

// numbered is a row with its index in the body.
type numbered struct {
	Row
	index int
}

func newTally(ctx context.Context, h *Handler) *tally {
	return &tally{
		handler: h, ctx: ctx, may: map[string]error{}, known: map[versionKey]bool{}, names: map[string]string{},
		refused: map[reason]int{},
	}
}

// take keeps a row that may count, and refuses one that came with an error. It
// fails where the request as a whole can't go on.
func (t *tally) take(row Row, err error) error {
	i := t.taken
	if i == MaxRows {
		return errTooMany
	}
	t.taken++
	if err != nil {
		why := badRow
		if errors.Is(err, errMismatch) {
			why = receiptMismatch
		}
		t.refuse(i, why, err)
		return nil
	}
	err = t.allowed(row.Namespace)
	switch {
	case errors.Is(err, auth.ErrUnavailable):
		return err // refused for good, the rows would be lost
	case err != nil:
		t.refuse(i, forbiddenRow, err)
	case !t.exists(row):
		t.refuse(i, unknownVersion, fmt.Errorf("%s/%s has no version %s", row.Namespace, row.Model, row.Version))
	default:
		t.keep(i, row)
	}
	return nil
}

// keep copies what is text: a row's is cut out of a larger one.
func (t *tally) keep(i int, row Row) {
	for _, s := range []*string{&row.Namespace, &row.Model, &row.Version, &row.Predicted.Class, &row.Actual.Class} {
		known, ok := t.names[*s]
		if !ok {
			known = strings.Clone(*s)
			t.names[known] = known
		}
		*s = known
	}
	row.Receipt = strings.Clone(row.Receipt)
	t.rows = append(t.rows, numbered{row, i})
}

// count counts what was kept, once the request has come whole.
func (t *tally) count() {
	h, now := t.handler, t.handler.cfg.Now()
	h.counting.Lock()
	defer h.counting.Unlock()
	h.seen.forgetOld(now)
	for _, row := range t.rows {
		var hash uint64
		if row.Receipt != "" {
			if hash = h.seen.hash(row.Row); h.seen.has(hash) {
				t.answer.Duplicate++
				continue
			}
		}
		if err := h.counters.count(row.Row, now); err != nil {
			t.refuse(row.index, tooManyVersions, err)
			continue
		}
		t.answer.Accepted++
		if row.Receipt != "" && h.seen.add(hash, now) {
			h.counters.forgotten.Inc()
		}
	}
	h.counters.duplicates.Add(float64(t.answer.Duplicate))
	for why, n := range t.refused {
		h.counters.refused.WithLabelValues(string(why)).Add(float64(n))
	}
	slices.SortFunc(t.answer.Errors, func(a, b RowError) int { return cmp.Compare(a.Index, b.Index) })
	t.answer.Errors = t.answer.Errors[:min(len(t.answer.Errors), maxReported)]
}

func (t *tally) allowed(namespace string) error {
	if t.handler.cfg.May == nil {
		return nil
	}
	err, asked := t.may[namespace]
	if !asked {
		err = t.handler.cfg.May(t.ctx, namespace)
		t.may[strings.Clone(namespace)] = err
	}
	return err
}

func (t *tally) exists(row Row) bool {
	if t.handler.cfg.Known == nil {
		return true
	}
	key := versionKey{row.Namespace, row.Model, row.Version}
	known, asked := t.known[key]
	if !asked {
		known = t.handler.cfg.Known(t.ctx, key.namespace, key.model, key.version)
		t.known[key] = known
	}
	return known
}

// refuse notes the first errors of each reason: those of one are found later
// than those of the others, and the answer has the first of all.
func (t *tally) refuse(i int, why reason, err error) {
	t.answer.Rejected++
	t.refused[why]++
	if t.refused[why] <= maxReported {
		t.answer.Errors = append(t.answer.Errors, RowError{Index: i, Reason: string(why), Error: err.Error()})
	}
}

func (t *tally) status() int {
	switch {
	case t.answer.Accepted > 0 || t.answer.Duplicate > 0 || t.answer.Rejected == 0:
		return http.StatusOK
	case t.refused[forbiddenRow] == t.answer.Rejected:
		return http.StatusForbidden
	default:
		return http.StatusUnprocessableEntity
	}
}
