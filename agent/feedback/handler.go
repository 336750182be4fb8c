package feedback

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// maxRequests bounds those that are read at once, and with them the memory:
	// some 20 MB of rows each, and up to 32 MiB of text where JSON has no line ends.
	maxRequests = 4
	// patience is how long one more waits for its turn.
	patience = 5 * time.Second
)

// Config of a Handler.
type Config struct {
	// May says whether the sender may send feedback for a namespace. With an error
	// that wraps auth.ErrUnavailable nothing of the request counts. Nil: anybody may.
	May func(ctx context.Context, namespace string) error
	// Known says whether there is such a version. Nil: every version is counted.
	Known      func(ctx context.Context, namespace, model, version string) bool
	Registerer prometheus.Registerer // may be nil
	Now        func() time.Time      // nil: time.Now
	// MaxReceipts that are known at once, for duplicates; 0 is 500,000.
	MaxReceipts int
}

// Handler serves POST /leeway/v1/feedback.
type Handler struct {
	cfg      Config
	counters *counters
	reading  chan struct{} // one for each request that is read

	counting sync.Mutex // one request at a time, so that of two equal ones one is the first
	seen     *seen
}

// New makes a Handler and registers its counters.
func New(cfg Config) (*Handler, error) {
	if cfg.MaxReceipts <= 0 {
		cfg.MaxReceipts = maxReceipts
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	h := &Handler{
		cfg: cfg, counters: newCounters(), reading: make(chan struct{}, maxRequests), seen: newSeen(cfg.MaxReceipts),
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
	Accepted int `json:"accepted"`
	// Duplicate rows had a receipt that this replica took before.
	Duplicate int        `json:"duplicate"`
	Rejected  int        `json:"rejected"`
	Errors    []RowError `json:"errors,omitempty"` // at most the first 100
}

// RowError says which row was not counted and why.
type RowError struct {
	Index  int    `json:"index"` // from 0, in the order of the body
	Reason string `json:"reason"`
	Error  string `json:"error"`
}

// ServeHTTP answers 200 when a row was counted before or now or none was sent,
// 403 or 422 when all were refused. Nothing counts with 400, 413 and 415, for a
// body that is no rows at all, and with 503: too many are sending, or nobody can
// say who may.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "feedback is sent with POST", http.StatusMethodNotAllowed)
		return
	}
	select {
	case h.reading <- struct{}{}:
		defer func() { <-h.reading }()
	case <-time.After(patience):
		w.Header().Set("Retry-After", "1")
		http.Error(w, "too many are sending feedback at once; try again", http.StatusServiceUnavailable)
		return
	case <-r.Context().Done():
		return
	}
	t := newTally(r.Context(), h)
	if err := readRows(w, r, t); err != nil {
		refuseBody(w, err)
		return
	}
	t.count()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(t.status())
	_ = json.NewEncoder(w).Encode(t.answer)
}
