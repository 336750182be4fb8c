package guard

import (
	"cmp"
	"context"
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// sample reads what a version showed over the window that ends now.
func (v *visit) sample(ctx context.Context, version string, window time.Duration) (decide.Sample, error) {
	var errs []error
	one := func(format string, args ...any) float64 {
		x, ok, err := v.number(ctx, format, args...)
		errs = append(errs, err)
		if !ok {
			return math.NaN()
		}
		return x
	}
	s, w, page := v.series(version), promDuration(window), cmp.Or(v.round.verdicts.PageWindow, "1h")
	out := decide.Sample{
		Requests: zero(one("sum(increase(%s{%s}[%s]))", requestCount, s, w)),
		Errors:   zero(one("sum(increase(%s{%s,code=\"5xx\"}[%s]))", requestCount, s, w)),
		P99:      one("histogram_quantile(0.99, sum by (le) (rate(leeway_request_duration_seconds_bucket{%s,code=\"2xx\"}[%s])))", s, w),

		PredictionZ:        one("max(leeway:prediction_drift:z%s{%s})", page, s),
		PredictionCritical: zero(one("max(leeway:prediction_model_drift:z_critical%s{%s})", page, s)),
		PredictionJS:       one("max(leeway:prediction_drift:js_distance%s{%s})", page, s),
	}
	return out, errors.Join(append(errs, v.labels(ctx, &out, version, window))...)
}

// labels reads what the labels that came in over the window that ends now say
// of a version.
func (v *visit) labels(ctx context.Context, s *decide.Sample, version string, window time.Duration) error {
	of := func(counter string) (float64, error) {
		x, _, err := v.number(ctx, "sum(increase(leeway_feedback_%s_total{%s}[%s]))", counter, v.series(version), promDuration(window))
		return zero(x), err
	}
	rows, err := of("rows")
	if err != nil {
		return err
	}
	if rows == 0 {
		s.Labels, s.ErrorSum, err = v.outcomes(ctx, version, window)
		s.ErrorSquares = s.ErrorSum
		return err
	}
	s.Labels = rows
	if s.ErrorSum, err = of("absolute_error"); err != nil {
		return err
	}
	s.ErrorSquares, err = of("squared_error")
	return err
}

// outcomes counts the labelled rows of a classifier, and the wrong answers: two
// labels of one series can't be compared in PromQL.
func (v *visit) outcomes(ctx context.Context, version string, window time.Duration) (rows, wrong float64, err error) {
	vector, err := v.Source.Query(ctx, "sum by (actual, predicted) (increase(leeway_feedback_outcomes_total{"+
		v.series(version)+"}["+promDuration(window)+"]))", v.now)
	if err != nil {
		return 0, 0, err
	}
	for _, s := range vector {
		if math.IsNaN(s.F) {
			continue
		}
		rows += s.F
		if s.Metric.Get("actual") != s.Metric.Get("predicted") {
			wrong += s.F
		}
	}
	return rows, wrong, nil
}

func zero(x float64) float64 {
	if math.IsNaN(x) {
		return 0
	}
	return x
}

// baselineOf writes a sample as the record keeps it; sampleOf reads it again,
// so that a verdict can be made again from the record alone.
func baselineOf(s decide.Sample) *v1alpha1.Baseline {
	b := &v1alpha1.Baseline{Requests: decimal(s.Requests), P99Seconds: decimal(s.P99), Labels: decimal(s.Labels)}
	if s.Requests > 0 {
		b.ErrorRatio = decimal(s.Errors / s.Requests)
	}
	if s.Labels > 0 {
		b.Error, b.ErrorSquares = decimal(s.ErrorSum/s.Labels), decimal(s.ErrorSquares/s.Labels)
	}
	return b
}

func sampleOf(b *v1alpha1.Baseline) decide.Sample {
	if b == nil {
		return decide.Sample{P99: math.NaN()}
	}
	s := decide.Sample{Requests: zero(parse(b.Requests)), P99: parse(b.P99Seconds), Labels: zero(parse(b.Labels))}
	s.Errors = zero(parse(b.ErrorRatio)) * s.Requests
	s.ErrorSum = zero(parse(b.Error)) * s.Labels
	s.ErrorSquares = zero(parse(b.ErrorSquares)) * s.Labels
	return s
}

// decimal writes a number exactly, and what is not known as nothing.
func decimal(x float64) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return ""
	}
	return strconv.FormatFloat(x, 'f', -1, 64)
}

func parse(s string) float64 {
	x, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return math.NaN()
	}
	return x
}
