package feedback

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	maxBody = 16 << 20
	// maxReported bounds the errors in an answer; the others are only counted.
	maxReported = 100
)

// reason is why a row was not counted; the same word in metric and answer.
type reason string

const (
	badRow          reason = "bad_row"
	forbiddenRow    reason = "forbidden"
	unknownVersion  reason = "unknown_version"
	tooManyVersions reason = "too_many_versions"
)

// Config of a Handler.
type Config struct {
	// May says whether the sender may send feedback for a namespace. Nil: anybody may.
	May func(ctx context.Context, namespace string) error
	// Known says whether there is such a version. Nil: every version is counted.
	Known      func(ctx context.Context, namespace, model, version string) bool
	Registerer prometheus.Registerer // may be nil
	Now        func() time.Time      // nil: time.Now
}

// Handler serves POST /leeway/v1/feedback.
type Handler struct {
	cfg      Config
	counters *counters
}

// New makes a Handler and registers its counters.
func New(cfg Config) (*Handler, error) {
	h := &Handler{cfg: cfg, counters: newCounters()}
	if cfg.Now == nil {
		h.cfg.Now = time.Now
	}
	if cfg.Registerer != nil {
		if err := h.counters.register(cfg.Registerer); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// Answer is what a sender gets.
type Answer struct {
	Accepted int        `json:"accepted"`
	Rejected int        `json:"rejected"`
	Errors   []RowError `json:"errors,omitempty"` // at most the first 100
}

// RowError says which row was not counted and why.
type RowError struct {
	Index  int    `json:"index"` // from 0, in the order of the body
	Reason string `json:"reason"`
	Error  string `json:"error"`
}

// ServeHTTP answers 200 when a row was counted or none was sent, 403 or 422 when
// all were refused, 400 or 413 for a body that is no rows at all.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "feedback is sent with POST", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		code := http.StatusBadRequest
		if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
			code, err = http.StatusRequestEntityTooLarge, fmt.Errorf("the body is larger than %d bytes", maxBody)
		}
		http.Error(w, err.Error(), code)
		return
	}
	rows, err := splitRows(body)
	if err != nil {
		code := http.StatusBadRequest
		if errors.Is(err, errTooMany) {
			code = http.StatusRequestEntityTooLarge
		}
		http.Error(w, err.Error(), code)
		return
	}
	t := tally{handler: h, ctx: r.Context(), may: map[string]error{}, known: map[versionKey]bool{}}
	for i, raw := range rows {
		t.take(i, raw)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(t.status())
	_ = json.NewEncoder(w).Encode(t.answer)
}

// tally is one request. A request has few namespaces and versions and many rows,
// so what may be is asked once for each.
type tally struct {
	handler *Handler
	ctx     context.Context
	may     map[string]error
	known   map[versionKey]bool
	answer  Answer
	only    reason // of all refusals so far, if it is one
}

func (t *tally) take(i int, raw []byte) {
	row, err := parseRow(raw)
	if err != nil {
		t.refuse(i, badRow, err)
		return
	}
	if err := t.allowed(row.Namespace); err != nil {
		t.refuse(i, forbiddenRow, err)
		return
	}
	if !t.exists(row) {
		t.refuse(i, unknownVersion, fmt.Errorf("%s/%s has no version %s", row.Namespace, row.Model, row.Version))
		return
	}
	if err := t.handler.counters.count(row, t.handler.cfg.Now()); err != nil {
		t.refuse(i, tooManyVersions, err)
		return
	}
	t.answer.Accepted++
}

func (t *tally) allowed(namespace string) error {
	if t.handler.cfg.May == nil {
		return nil
	}
	err, asked := t.may[namespace]
	if !asked {
		err = t.handler.cfg.May(t.ctx, namespace)
		t.may[namespace] = err
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

func (t *tally) refuse(i int, why reason, err error) {
	t.handler.counters.refused.WithLabelValues(string(why)).Inc()
	if t.answer.Rejected == 0 {
		t.only = why
	} else if t.only != why {
		t.only = ""
	}
	t.answer.Rejected++
	if len(t.answer.Errors) < maxReported {
		t.answer.Errors = append(t.answer.Errors, RowError{Index: i, Reason: string(why), Error: err.Error()})
	}
}

func (t *tally) status() int {
	switch {
	case t.answer.Accepted > 0 || t.answer.Rejected == 0:
		return http.StatusOK
	case t.only == forbiddenRow:
		return http.StatusForbidden
	default:
		return http.StatusUnprocessableEntity
	}
}
