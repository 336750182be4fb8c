package embedded

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
)

const (
	// queriesAtOnce bounds the memory that readers can make the controller use;
	// the rules do not wait behind it.
	queriesAtOnce = 4
	// maxPoints is Prometheus' own limit of points per series.
	maxPoints = 11_000
	maxForm   = 1 << 20
)

// api is the part of Prometheus' HTTP API that Grafana and promtool need.
type api struct {
	engine *Engine
	slots  chan struct{}
}

// Handler serves /api/v1/…: query, query_range, series, labels,
// label/<name>/values, metadata, rules, alerts, status/buildinfo and write. It
// asks for no token: the caller puts that in front.
func (e *Engine) Handler() http.Handler {
	a := &api{engine: e, slots: make(chan struct{}, queriesAtOnce)}
	mux := http.NewServeMux()
	for path, serve := range map[string]func(*http.Request) (any, error){
		"query":                  a.query,
		"query_range":            a.queryRange,
		"series":                 a.series,
		"labels":                 a.labels,
		"label/{name}/values":    a.labelValues,
		"metadata":               a.metadata,
		"rules":                  a.rules,
		"alerts":                 a.alerts,
		"status/buildinfo":       a.buildInfo,
		"status/runtimeinfo":     a.runtimeInfo,
		"status/leeway/sources":  a.sources,
		"status/leeway/verdicts": a.verdicts,
	} {
		h := a.answer(serve)
		mux.HandleFunc("GET /api/v1/"+path, h)
		mux.HandleFunc("POST /api/v1/"+path, h)
	}
	mux.Handle("POST /api/v1/write", e.receiver.handler())
	return mux
}

// apiError is an error with the word that clients of Prometheus expect.
type apiError struct {
	kind string
	code int
	err  error
}

func (e *apiError) Error() string { return e.err.Error() }
func (e *apiError) Unwrap() error { return e.err }

func badData(format string, args ...any) error {
	return &apiError{"bad_data", http.StatusBadRequest, fmt.Errorf(format, args...)}
}

func (a *api) answer(serve func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		w.Header().Set("Content-Type", "application/json")
		data, err := parsed(r, serve)
		if err == nil {
			var body []byte
			if body, err = json.Marshal(map[string]any{"status": "success", "data": data}); err == nil {
				_, _ = w.Write(body)
				return
			}
		}
		kind, code := classify(err)
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(map[string]string{"status": "error", "errorType": kind, "error": err.Error()})
	}
}

func parsed(r *http.Request, serve func(*http.Request) (any, error)) (any, error) {
	if err := r.ParseForm(); err != nil {
		return nil, badData("form: %w", err)
	}
	return serve(r)
}

func classify(err error) (kind string, code int) {
	var known *apiError
	switch {
	case errors.As(err, &known):
		return known.kind, known.code
	case isA[promql.ErrQueryTimeout](err):
		return "timeout", http.StatusServiceUnavailable
	case isA[promql.ErrQueryCanceled](err), errors.Is(err, context.Canceled):
		return "canceled", 499
	case isA[promql.ErrStorage](err):
		return "internal", http.StatusInternalServerError
	case isA[parser.ParseErrors](err):
		return "bad_data", http.StatusBadRequest
	default:
		return "execution", http.StatusUnprocessableEntity
	}
}

func isA[T error](err error) bool {
	var t T
	return errors.As(err, &t)
}

func (a *api) query(r *http.Request) (any, error) {
	at, err := parseTime(r.FormValue("time"), time.Now())
	if err != nil {
		return nil, err
	}
	return a.run(r, func(ctx context.Context) (promql.Query, error) {
		return a.engine.promql.NewInstantQuery(ctx, a.engine.db, a.engine.queryOptions(), r.FormValue("query"), at)
	})
}

func (a *api) queryRange(r *http.Request) (any, error) {
	start, err := parseTime(r.FormValue("start"), time.Time{})
	if err != nil {
		return nil, err
	}
	end, err := parseTime(r.FormValue("end"), time.Time{})
	if err != nil {
		return nil, err
	}
	step, err := parseDuration(r.FormValue("step"))
	switch {
	case err != nil:
		return nil, err
	case start.IsZero() || end.IsZero() || step <= 0:
		return nil, badData("query_range needs start, end and a step above 0")
	case end.Before(start):
		return nil, badData("end is before start")
	case end.Sub(start)/step > maxPoints:
		return nil, badData("more than %d points per series; use a larger step", maxPoints)
	}
	return a.run(r, func(ctx context.Context) (promql.Query, error) {
		return a.engine.promql.NewRangeQuery(ctx, a.engine.db, a.engine.queryOptions(), r.FormValue("query"), start, end, step)
	})
}

// run executes a query when there is a slot for it.
func (a *api) run(r *http.Request, make func(context.Context) (promql.Query, error)) (any, error) {
	timeout := queryTimeout
	if t := r.FormValue("timeout"); t != "" {
		d, err := parseDuration(t)
		if err != nil {
			return nil, err
		}
		timeout = min(d, queryTimeout)
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	select {
	case a.slots <- struct{}{}:
		defer func() { <-a.slots }()
	case <-ctx.Done():
		return nil, &apiError{"timeout", http.StatusServiceUnavailable, errors.New("too many queries at once")}
	}
	q, err := make(ctx)
	if err != nil {
		return nil, &apiError{"bad_data", http.StatusBadRequest, err}
	}
	defer q.Close()
	res := q.Exec(ctx)
	if res.Err != nil {
		return nil, res.Err
	}
	// Encoded here: the points are used again once the query is closed.
	result, err := encodeValue(res.Value)
	if err != nil {
		return nil, err
	}
	return map[string]any{"resultType": res.Value.Type(), "result": result}, nil
}

func parseTime(s string, otherwise time.Time) (time.Time, error) {
	if s == "" {
		return otherwise, nil
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil && math.Abs(f) < 1e11 {
		seconds, fraction := math.Modf(f)
		return time.Unix(int64(seconds), int64(math.Round(fraction*1000))*int64(time.Millisecond)).UTC(), nil
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, nil
	}
	return time.Time{}, badData("%q is not a time: use seconds since 1970 or RFC 3339", s)
}

func parseDuration(s string) (time.Duration, error) {
	if f, err := strconv.ParseFloat(s, 64); err == nil && math.Abs(f) < 1e9 {
		return time.Duration(f * float64(time.Second)), nil
	}
	if d, err := model.ParseDuration(s); err == nil {
		return time.Duration(d), nil
	}
	return 0, badData("%q is not a duration: use seconds or a form like 5m", s)
}
