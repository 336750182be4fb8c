package feedback_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/leeway-dev/leeway/agent/auth"
	"github.com/leeway-dev/leeway/agent/feedback"
	"github.com/leeway-dev/leeway/registry/receipt"
)

func named(t testing.TB, nonce uint64) string {
	t.Helper()
	s, err := receipt.Receipt{Model: "eta", Version: "3", Time: now.Add(-time.Minute), Nonce: nonce}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func labels(t testing.TB, nonces ...uint64) string {
	var b strings.Builder
	b.WriteString("namespace,receipt,predicted,actual\n")
	for _, n := range nonces {
		fmt.Fprintf(&b, "ml,%s,10,12\n", named(t, n))
	}
	return b.String()
}

// clocked is a handler whose time is moved by hand, and that knows few receipts.
func clocked(t *testing.T, maxReceipts int) (*feedback.Handler, *prometheus.Registry, *time.Time) {
	t.Helper()
	at, reg := now, prometheus.NewRegistry()
	h, err := feedback.New(feedback.Config{Registerer: reg, MaxReceipts: maxReceipts, Now: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	return h, reg, &at
}

func TestReceiptNamesThePrediction(t *testing.T) {
	h, reg := handler(t)
	body := `[{"namespace":"ml","receipt":"` + named(t, 1) + `","predicted":10,"actual":12},
		{"namespace":"ml","receipt":"` + named(t, 2) + `","model":"eta","version":3,"predicted":10,"actual":12,"weight":4},
		{"namespace":"ml","receipt":"` + named(t, 3) + `","model":"spam","predicted":10,"actual":12},
		{"namespace":"ml","receipt":"` + named(t, 4) + `","version":"4","predicted":10,"actual":12},
		{"namespace":"ml","receipt":"eta","predicted":10,"actual":12},
		{"namespace":"ml","receipt":"","predicted":10,"actual":12}]`
	code, answer, raw := post(h, body)
	if code != 200 {
		t.Fatalf("%d %s", code, raw)
	}
	want := feedback.Answer{Accepted: 2, Rejected: 4, Errors: []feedback.RowError{
		{2, "receipt_mismatch", "the receipt is of another prediction: it says eta version 3"},
		{3, "receipt_mismatch", "the receipt is of another prediction: it says eta version 3"},
		{4, "bad_row", "receipt: not a receipt: want 1.MODEL.VERSION.TIME.NONCE"},
		{5, "bad_row", "model is missing"},
	}}
	if diff := cmp.Diff(want, answer); diff != "" {
		t.Error(diff)
	}
	if err := testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP leeway_feedback_rows_total Labelled predictions of numbers.
# TYPE leeway_feedback_rows_total counter
leeway_feedback_rows_total{model_name="eta",model_version="3",namespace="ml"} 5
`), "leeway_feedback_rows_total"); err != nil {
		t.Error(err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "leeway_feedback_lag_seconds" {
			continue
		}
		// Each was predicted a minute ago, whatever it weighs.
		if lag := f.GetMetric()[0].GetHistogram(); lag.GetSampleCount() != 2 || lag.GetSampleSum() != 120 {
			t.Errorf("lag %v, want two of 60 s", lag)
		}
	}
}

func TestDuplicates(t *testing.T) {
	h, reg, at := clocked(t, 0)
	for i, c := range []struct {
		after               time.Duration
		nonces              []uint64
		accepted, duplicate int
	}{
		{0, []uint64{1, 2, 1}, 2, 1},
		{9 * time.Minute, []uint64{1, 2, 3}, 1, 2},
		{10 * time.Minute, []uint64{1, 2, 3}, 0, 3},
		{10*time.Minute + 1, []uint64{1, 2, 3}, 2, 1}, // three was new a minute ago
	} {
		*at = now.Add(c.after)
		code, answer, raw := postCSV(h, labels(t, c.nonces...), "")
		if code != 200 || answer.Accepted != c.accepted || answer.Duplicate != c.duplicate {
			t.Errorf("%d: %d %s", i, code, raw)
		}
	}
	if n := testutil.ToFloat64(gathered(t, reg, "leeway_feedback_duplicate_rows_total")); n != 7 {
		t.Errorf("%g duplicates, want 7", n)
	}
	// Another namespace has predictions of its own.
	if _, answer, raw := postCSV(h, strings.ReplaceAll(labels(t, 3), "ml,", "lm,"), ""); answer.Accepted != 1 {
		t.Error(raw)
	}
}

// More receipts than are kept: the oldest are forgotten, and it is told.
func TestReceiptsAreBounded(t *testing.T) {
	h, reg, at := clocked(t, 3000)
	var first, all []uint64
	for n := range uint64(5000) {
		all = append(all, n)
	}
	first = all[:10]
	for range 3 {
		if _, answer, raw := postCSV(h, labels(t, all...), ""); answer.Accepted != 5000 {
			t.Fatal(raw) // each was forgotten when it came again
		}
	}
	if _, answer, raw := postCSV(h, labels(t, all[2000:]...), ""); answer.Duplicate != 3000 {
		t.Error(raw)
	}
	if n := testutil.ToFloat64(gathered(t, reg, "leeway_feedback_receipts_forgotten_total")); n != 12_000 {
		t.Errorf("%g forgotten, want 12000", n)
	}
	*at = now.Add(time.Hour)
	if _, answer, raw := postCSV(h, labels(t, first...), ""); answer.Accepted != 10 {
		t.Error(raw)
	}
}

// What can't be counted is not a duplicate when it comes again.
func TestRefusedIsNotSeen(t *testing.T) {
	h, _, _ := clocked(t, 0)
	var b strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&b, "ml,m,%d,1,2\n", i)
	}
	if code, _, raw := postCSV(h, head+b.String(), ""); code != 200 {
		t.Fatal(raw)
	}
	for range 2 {
		code, answer, raw := postCSV(h, labels(t, 1), "")
		if code != 422 || answer.Rejected != 1 || answer.Errors[0].Reason != "too_many_versions" {
			t.Errorf("%d %s", code, raw)
		}
	}
}

// Of equal requests that come at once, each row counts once.
func TestDuplicatesAtOnce(t *testing.T) {
	h, reg, _ := clocked(t, 0)
	body := labels(t, 1, 2, 3, 4, 5)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() { postCSV(h, body, "") })
	}
	all.Wait()
	if n := testutil.ToFloat64(gathered(t, reg, "leeway_feedback_rows_total")); n != 5 {
		t.Errorf("%g rows, want 5", n)
	}
}

// While nobody can say who may, rows are not refused but sent again.
func TestUnavailable(t *testing.T) {
	h, err := feedback.New(feedback.Config{May: func(_ context.Context, namespace string) error {
		if namespace == "ml" {
			return nil
		}
		return fmt.Errorf("%w: access review", auth.ErrUnavailable)
	}})
	if err != nil {
		t.Fatal(err)
	}
	if code, _, raw := post(h, r1+"\n"+strings.ReplaceAll(r2, `"ml"`, `"other"`)); code != 503 {
		t.Errorf("%d %s", code, raw)
	}
}

// gathered is the one metric of a name.
func gathered(t *testing.T, reg *prometheus.Registry, name string) prometheus.Collector {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	c := prometheus.NewGauge(prometheus.GaugeOpts{Name: name})
	for _, f := range families {
		if f.GetName() == name && len(f.GetMetric()) == 1 {
			c.Set(f.GetMetric()[0].GetCounter().GetValue())
		}
	}
	return c
}
