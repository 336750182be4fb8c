package calibrate_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/leeway-dev/leeway/rules"
	"github.com/leeway-dev/leeway/rules/calibrate"
	"github.com/leeway-dev/leeway/rules/promapi"
)

const hour = rules.Duration(time.Hour)

// traffic makes hourly counts in ten bins: rows sessions of size rows that are
// alike, of a mix that wanders with a memory of so many hours (0: it stays).
func traffic(r *rand.Rand, hours, rows, size int, memory float64) [][]float64 {
	out := make([][]float64, hours)
	state := 0.0
	for h := range out {
		counts := make([]float64, 10)
		if memory > 0 {
			keep := math.Exp(-1 / memory)
			state = keep*state + math.Sqrt(1-keep*keep)*r.NormFloat64()
		}
		for range rows / size {
			// the bin of a normal value around the state
			bin := int(math.Floor((r.NormFloat64() + 0.7*state + 2.5) * 2))
			counts[min(max(bin, 0), 9)] += float64(size)
		}
		out[h] = counts
	}
	return out
}

func TestMeasure(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	independent := calibrate.Measure("a", false, traffic(r, 30*24, 600, 1, 0))
	for w, phi := range independent.Clustering {
		if phi > 1.25 {
			t.Errorf("independent rows: φ of %s is %g, want 1", w, phi)
		}
	}
	if independent.Slow || independent.Rows[hour] != 600 || len(independent.Clustering) != 4 {
		t.Errorf("%+v", independent)
	}
	sessions := calibrate.Measure("a", false, traffic(r, 30*24, 3000, 20, 0))
	for w, phi := range sessions.Clustering {
		if phi < 16 || phi > 25 {
			t.Errorf("sessions of 20 rows: φ of %s is %g, want 20", w, phi)
		}
	}
	if got := sessions.Effective(24 * hour); sessions.Slow || got < 2800 || got > 4500 {
		t.Errorf("effective rows of a day: %g, want 3600; slow %v", got, sessions.Slow)
	}
	slow := 0
	for range 20 {
		if calibrate.Measure("a", false, traffic(r, 30*24, 600, 1, 72)).Slow {
			slow++
		}
	}
	if slow < 17 {
		t.Errorf("a memory of three days is found to be slow in %d of 20", slow)
	}
	slow = 0
	for range 20 {
		if calibrate.Measure("a", false, traffic(r, 30*24, 600, 1, 1)).Slow {
			slow++
		}
	}
	if slow > 2 {
		t.Errorf("a memory of an hour is found to be slow in %d of 20", slow)
	}
}

// A day without samples is no day of zeros, and three days are too few.
func TestGapsAndShortHistory(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	hours := traffic(r, 30*24, 600, 1, 0)
	for h := 300; h < 324; h++ {
		hours[h] = nil
	}
	if c := calibrate.Measure("a", false, hours); c.Clustering[hour] > 1.25 || c.Rows[hour] != 600 {
		t.Errorf("%+v", c)
	}
	c := calibrate.Measure("a", false, traffic(r, 50, 600, 1, 0))
	if _, known := c.Clustering[24*hour]; known || c.Clustering[hour] == 0 {
		t.Errorf("of two days: %+v", c.Clustering)
	}
}

// server answers range queries from hourly numbers of one version.
type server struct {
	t     *testing.T
	from  time.Time
	hours [][]float64
}

func (s server) QueryRange(_ context.Context, expr string, from, to time.Time, step time.Duration) ([]promapi.Series, error) {
	if to.Sub(from) > 8*24*time.Hour || step != time.Hour {
		s.t.Errorf("one query for %s by %s", to.Sub(from), step)
	}
	series := func(value func(hour int) float64, more ...string) promapi.Series {
		out := promapi.Series{Labels: labels.FromStrings(append([]string{"namespace", "ml", "model_name", "churn", "model_version", "3"}, more...)...)}
		for at := from; !at.After(to); at = at.Add(step) {
			if h := int(at.Sub(s.from)/time.Hour) - 1; h >= 0 && h < len(s.hours) {
				out.Points = append(out.Points, promapi.Point{Time: at, Value: value(h)})
			}
		}
		return out
	}
	switch {
	case strings.Contains(expr, "histogram_quantile"):
		return []promapi.Series{series(func(h int) float64 { return 0.1 + 0.4*float64(h%10/9) })}, nil // 0.5 in one hour of ten
	case strings.Contains(expr, "5xx"):
		return []promapi.Series{series(func(int) float64 { return 60 })}, nil
	case strings.Contains(expr, "leeway_request"):
		return []promapi.Series{series(func(int) float64 { return 600 })}, nil
	case strings.Contains(expr, "leeway_feature"):
		var out []promapi.Series
		for b := range 10 {
			out = append(out, series(func(h int) float64 { return s.hours[h][b] }, "feature", "age", "bin", fmt.Sprint(b)))
		}
		return out, nil
	}
	return nil, nil
}

func TestHistoryAndValues(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	now := time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC)
	s := server{t, now.Truncate(time.Hour).Add(-20 * 24 * time.Hour), traffic(r, 20*24, 600, 20, 0)}
	report, err := calibrate.History(t.Context(), s, 20*24*time.Hour, now, func(string, ...any) {})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Versions) != 1 {
		t.Fatalf("%+v", report)
	}
	v := report.Versions[0]
	if v.Model != "churn" || v.Hours != 20*24 || v.Requests != 600 || math.Abs(v.Errors-0.1) > 1e-9 || v.P99 != 0.1 || len(v.Columns) != 1 {
		t.Errorf("%+v", v)
	}
	out := string(report.Values(rules.Defaults()))
	for _, want := range []string{
		"# Measured from 2026-02-09 12:00 to 2026-03-01 12:00", "# ml/churn version 3: 480 hours, 600 requests an hour, 10 % errors",
		"too few rows for page (1h wants 50) and act (24h wants 1000): unknown", "latency: {margin: 400ms}", "# errors: {maxBaseline: 0.15}",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	values, err := rules.ParseValues([]byte(out))
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	if a := values.Clustering.Assumed; a < 16 || a > 26 {
		t.Errorf("assumed clustering %g, want 20", a)
	}
	if _, err := rules.Render(values); err != nil {
		t.Error(err)
	}
	if _, err := calibrate.History(t.Context(), s, 24*time.Hour, now, func(string, ...any) {}); err == nil {
		t.Error("a day is taken for enough")
	}
}
