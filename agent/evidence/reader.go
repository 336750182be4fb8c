package evidence

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

const requestCount = "leeway_request_duration_seconds_count"

// Source gives numbers: an engine, of now or of the past.
type Source interface {
	// Query evaluates PromQL at a time.
	Query(ctx context.Context, expr string, at time.Time) (promql.Vector, error)
}

// Reader reads the numbers of one model at one time. All fields must be set;
// they are those of guard.Config.
type Reader struct {
	Source           Source
	Namespace, Model string
	Now              time.Time
	Stale            time.Duration
	TrafficWindow    time.Duration
	PageWindow       string
}

// Measure reads the numbers that a diagnosis needs, and notes in the stay when
// the active version had its first requests and its first labels: before that it was
// not good but unknown.
func (r Reader) Measure(ctx context.Context, e *decide.Evidence, stay *v1alpha1.ServedVersion) error {
	var err error
	since := min(max(r.Now.Sub(e.RolloutSince), time.Second), time.Hour)
	if e.RolloutRequests, _, err = r.Number(ctx, "sum(increase(%s{%s}[%s]))", requestCount, r.Selector(e.Active), Duration(since)); err != nil {
		return err
	}
	if err := r.load(ctx, e); err != nil {
		return err
	}
	if _, seen := stay.SeenSince[string(decide.AlertErrors)]; !seen && e.RolloutRequests > 0 {
		r.seen(e, stay, decide.AlertErrors, decide.AlertLatency)
	}
	return r.firstLabels(ctx, e, stay)
}

// seen notes that there is something to judge by.
func (r Reader) seen(e *decide.Evidence, stay *v1alpha1.ServedVersion, causes ...decide.AlertCause) {
	for _, cause := range causes {
		put(&stay.SeenSince, string(cause), metav1.NewMicroTime(r.Now))
	}
	e.History[0] = Served(*stay)
}

// Traffic looks whether requests of the active version can be counted, and says
// why the model is blind if not.
func (r Reader) Traffic(ctx context.Context, version string) (decide.Reason, string, error) {
	n, ok, err := r.Number(ctx, "sum(increase(%s{%s}[%s]))", requestCount, r.Selector(version), Duration(r.TrafficWindow))
	switch {
	case err != nil:
		return "", "", err
	case !ok: // fewer than two samples: they have just begun to arrive
		return decide.ReasonNoData, "nothing to count requests by in " + Duration(r.TrafficWindow), nil
	case n <= 0:
		return decide.ReasonNoTraffic, "no request in " + Duration(r.TrafficWindow), nil
	}
	return "", "", nil
}

// firstLabels notes when the active version had its first labels.
func (r Reader) firstLabels(ctx context.Context, e *decide.Evidence, stay *v1alpha1.ServedVersion) error {
	if _, ok := stay.SeenSince[string(decide.AlertQuality)]; ok {
		return nil
	}
	s := r.Selector(e.Active)
	n, ok, err := r.Number(ctx, "sum(increase(leeway_feedback_rows_total{%s}[%s]) or increase(leeway_feedback_outcomes_total{%s}[%s]))",
		s, Duration(r.Stale), s, Duration(r.Stale))
	if err != nil || !ok || n <= 0 {
		return err
	}
	r.seen(e, stay, decide.AlertQuality)
	return nil
}

// loadSpan is how far back the load is looked at.
const loadSpan = time.Hour

// load reads what is asked of the model now and what was before, where there is an
// alert on latency: the first of them says when before was.
func (r Reader) load(ctx context.Context, e *decide.Evidence) error {
	var first *decide.Alert
	for i, a := range e.Alerts {
		if a.Cause == decide.AlertLatency && a.Namespace == e.Namespace && a.Model == e.Model && a.Version == e.Active &&
			a.Window < math.MaxInt64 && (first == nil || a.ActiveAt.Before(first.ActiveAt)) {
			first = &e.Alerts[i]
		}
	}
	if first == nil {
		return nil
	}
	before, l := first.ActiveAt.Add(-first.Window), &e.Load
	most := func(at time.Time, over time.Duration) (float64, error) {
		x, _, err := r.numberAt(ctx, at, "max_over_time(sum(rate(%s{%s}[%s]))[%s:%s])",
			requestCount, r.Everything(), Duration(r.TrafficWindow), Duration(over), Duration(r.TrafficWindow/2))
		return x, err
	}
	p99 := func(at time.Time) (float64, error) {
		x, _, err := r.numberAt(ctx, at, "histogram_quantile(0.99, sum by (le) (rate(leeway_request_duration_seconds_bucket{%s,code=\"2xx\"}[%s])))",
			r.Everything(), Duration(first.Window))
		return x, err
	}
	var err error
	if l.RequestsBefore, err = most(before, loadSpan); err != nil {
		return err
	}
	if l.Requests, err = most(r.Now, min(r.Now.Sub(before), loadSpan)); err != nil {
		return err
	}
	if l.P99Before, err = p99(before); err != nil {
		return err
	}
	l.P99, err = p99(r.Now)
	return err
}

// CountedRows is what the counters say of the same time. A row counts once in
// every feature, so the largest is the rows.
func (r Reader) CountedRows(ctx context.Context, version string, from time.Time) (float64, error) {
	n, _, err := r.Number(ctx, "max(sum by (feature) (increase(leeway_feature_observations_total{%s}[%s])))",
		r.Selector(version), Duration(r.Now.Sub(from)))
	return n, err
}

// Everything selects what all versions of the model show.
func (r Reader) Everything() string {
	return fmt.Sprintf("namespace=%q,model_name=%q", r.Namespace, r.Model)
}

// Selector selects what a version of the model shows.
func (r Reader) Selector(version string) string {
	return fmt.Sprintf("namespace=%q,model_name=%q,model_version=%q", r.Namespace, r.Model, version)
}

// Number evaluates an expression that has one value or none now.
func (r Reader) Number(ctx context.Context, format string, args ...any) (float64, bool, error) {
	return r.numberAt(ctx, r.Now, format, args...)
}

// numberAt evaluates an expression that has one value or none. Several are an
// error: reading one of them is how others got it wrong.
func (r Reader) numberAt(ctx context.Context, at time.Time, format string, args ...any) (float64, bool, error) {
	expr := fmt.Sprintf(format, args...)
	vector, err := r.Source.Query(ctx, expr, at)
	if err != nil {
		return 0, false, fmt.Errorf("query %s: %w", expr, err)
	}
	switch {
	case len(vector) == 0:
		return 0, false, nil
	case len(vector) > 1:
		return 0, false, fmt.Errorf("query %s: %d series where one is expected", expr, len(vector))
	case math.IsNaN(vector[0].F) || math.IsInf(vector[0].F, 0):
		return 0, false, nil
	}
	return vector[0].F, true, nil
}

// Duration spells a duration for PromQL, in whole milliseconds.
func Duration(d time.Duration) string {
	return model.Duration(max(d.Truncate(time.Millisecond), time.Millisecond)).String()
}
