package feedback_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/leeway-dev/leeway/agent/feedback"
)

var now = time.Date(2026, 1, 2, 15, 0, 0, 0, time.UTC)

func handler(t testing.TB) (*feedback.Handler, *prometheus.Registry) {
	t.Helper()
	reg := prometheus.NewRegistry()
	h, err := feedback.New(feedback.Config{
		Registerer: reg,
		Now:        func() time.Time { return now },
		May: func(_ context.Context, namespace string) error {
			if namespace == "secret" {
				return errors.New("you may not")
			}
			return nil
		},
		Known: func(_ context.Context, _, _, version string) bool { return version != "99" },
	})
	if err != nil {
		t.Fatal(err)
	}
	return h, reg
}

func post(h http.Handler, body string) (int, feedback.Answer, string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/leeway/v1/feedback", strings.NewReader(body)))
	var a feedback.Answer
	_ = json.Unmarshal(w.Body.Bytes(), &a)
	return w.Code, a, w.Body.String()
}

const (
	r1 = `{"namespace":"ml","model":"eta","version":"3","predicted":10,"actual":12}`
	r2 = `{"namespace":"ml","model":"eta","version":3,"predicted":10.5,"actual":7.5,"time":"2026-01-02T14:59:00Z"}`
	c1 = `{"namespace":"ml","model":"spam","version":"1","predicted":"ham","actual":"spam"}`
	c2 = `{"namespace":"ml","model":"spam","version":"1","predicted":true,"actual":true}`
)

func TestForms(t *testing.T) {
	for name, body := range map[string]string{
		"array":   "[" + r1 + ",\n" + r2 + "," + c1 + "," + c2 + "]",
		"wrapped": `{"rows": [` + r1 + "," + r2 + "," + c1 + "," + c2 + "]}",
		"lines":   r1 + "\n\n" + r2 + "\r\n" + c1 + "\n" + c2,
	} {
		h, reg := handler(t)
		code, answer, raw := post(h, body)
		if code != 200 || answer.Accepted != 4 || answer.Rejected != 0 {
			t.Errorf("%s: %d %s", name, code, raw)
		}
		if err := testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP leeway_answer_observations_total Labelled predictions of classes that were right, and that were wrong.
# TYPE leeway_answer_observations_total counter
leeway_answer_observations_total{bin="right",model_name="spam",model_version="1",namespace="ml"} 1
leeway_answer_observations_total{bin="wrong",model_name="spam",model_version="1",namespace="ml"} 1
# HELP leeway_feedback_absolute_error_total Sum of |predicted - actual| over the labelled predictions.
# TYPE leeway_feedback_absolute_error_total counter
leeway_feedback_absolute_error_total{model_name="eta",model_version="3",namespace="ml"} 5
# HELP leeway_feedback_outcomes_total Labelled predictions of classes.
# TYPE leeway_feedback_outcomes_total counter
leeway_feedback_outcomes_total{actual="spam",model_name="spam",model_version="1",namespace="ml",predicted="ham"} 1
leeway_feedback_outcomes_total{actual="true",model_name="spam",model_version="1",namespace="ml",predicted="true"} 1
# HELP leeway_feedback_quartic_error_total Sum of (predicted - actual)⁴ over the labelled predictions: how sure the squared error is.
# TYPE leeway_feedback_quartic_error_total counter
leeway_feedback_quartic_error_total{model_name="eta",model_version="3",namespace="ml"} 97
# HELP leeway_feedback_rows_total Labelled predictions of numbers.
# TYPE leeway_feedback_rows_total counter
leeway_feedback_rows_total{model_name="eta",model_version="3",namespace="ml"} 2
# HELP leeway_feedback_squared_error_total Sum of (predicted - actual)² over the labelled predictions.
# TYPE leeway_feedback_squared_error_total counter
leeway_feedback_squared_error_total{model_name="eta",model_version="3",namespace="ml"} 13
# HELP leeway_feedback_lag_seconds Time from a prediction to its label.
# TYPE leeway_feedback_lag_seconds histogram
leeway_feedback_lag_seconds_bucket{model_name="eta",model_version="3",namespace="ml",le="1"} 0
leeway_feedback_lag_seconds_bucket{model_name="eta",model_version="3",namespace="ml",le="10"} 0
leeway_feedback_lag_seconds_bucket{model_name="eta",model_version="3",namespace="ml",le="60"} 1
leeway_feedback_lag_seconds_bucket{model_name="eta",model_version="3",namespace="ml",le="600"} 1
leeway_feedback_lag_seconds_bucket{model_name="eta",model_version="3",namespace="ml",le="3600"} 1
leeway_feedback_lag_seconds_bucket{model_name="eta",model_version="3",namespace="ml",le="21600"} 1
leeway_feedback_lag_seconds_bucket{model_name="eta",model_version="3",namespace="ml",le="86400"} 1
leeway_feedback_lag_seconds_bucket{model_name="eta",model_version="3",namespace="ml",le="604800"} 1
leeway_feedback_lag_seconds_bucket{model_name="eta",model_version="3",namespace="ml",le="2.592e+06"} 1
leeway_feedback_lag_seconds_bucket{model_name="eta",model_version="3",namespace="ml",le="+Inf"} 1
leeway_feedback_lag_seconds_sum{model_name="eta",model_version="3",namespace="ml"} 60
leeway_feedback_lag_seconds_count{model_name="eta",model_version="3",namespace="ml"} 1
`), "leeway_feedback_rows_total", "leeway_feedback_absolute_error_total", "leeway_feedback_squared_error_total", "leeway_feedback_quartic_error_total", "leeway_feedback_outcomes_total", "leeway_answer_observations_total", "leeway_feedback_lag_seconds"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRowsThatAreWrong(t *testing.T) {
	row := func(change string) string { // the last of two equal names counts
		return strings.TrimSuffix(r1, "}") + "," + change + "}"
	}
	h, _ := handler(t)
	body := strings.Join([]string{
		r1,
		row(`"namespace":""`),
		row(`"version":null`),
		row(`"version":[3]`),
		row(`"actual":null`),
		row(`"actual":"late"`),
		row(`"actual":[1]`),
		row(`"actual":1e300`),
		row(`"time":"yesterday"`),
		row(`"namespace":"secret"`),
		row(`"version":"99"`),
		row(`"model":"` + strings.Repeat("x", 200) + `"`),
		`{"namespace":`,
		r2,
	}, "\n")
	code, answer, _ := post(h, body)
	want := feedback.Answer{Accepted: 2, Rejected: 12, Errors: []feedback.RowError{
		{1, "bad_row", "namespace is missing"},
		{2, "bad_row", "version is missing"},
		{3, "bad_row", "version: is neither a number nor a string"},
		{4, "bad_row", "actual: is missing"},
		{5, "bad_row", "one of predicted and actual is a number and the other a class"},
		{6, "bad_row", "actual: is neither a number nor a string"},
		{7, "bad_row", "actual: 1e+300 is out of range"},
		{8, "bad_row", "time: is neither RFC 3339 nor seconds since 1970"},
		{9, "forbidden", "you may not"},
		{10, "unknown_version", "ml/eta has no version 99"},
		{11, "bad_row", "model is longer than 128 bytes"},
		{12, "bad_row", "not a row: unexpected end of JSON input"},
	}}
	if diff := cmp.Diff(want, answer); diff != "" || code != 200 {
		t.Errorf("%d %s", code, diff)
	}
}

func TestStatus(t *testing.T) {
	h, _ := handler(t)
	for _, c := range []struct {
		name, body string
		code       int
	}{
		{"empty", "", 400},
		{"an array that ends early", "[" + r1, 400},
		{"all forbidden", strings.ReplaceAll(r1, `"ml"`, `"secret"`), 403},
		{"all wrong", `{"a":1}`, 422},
		{"text", "hello", 422},
		{"no rows", "[]", 200},
		{"one row", r1, 200},
		{"too many rows", "[" + strings.Repeat("1,", 100_000) + "1]", 413},
		{"too many lines", strings.Repeat("1\n", 100_001), 413},
		{"too large", strings.Repeat(" ", 17<<20), 413},
	} {
		if code, _, raw := post(h, c.body); code != c.code {
			t.Errorf("%s: %d %.100s", c.name, code, raw)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", w.Code)
	}
}

func TestClassesAreBounded(t *testing.T) {
	h, reg := handler(t)
	var rows []string
	for i := range 200 {
		rows = append(rows, fmt.Sprintf(`{"namespace":"ml","model":"m","version":"1","predicted":"p%d","actual":"p%d"}`, i, i))
	}
	if code, answer, _ := post(h, strings.Join(rows, "\n")); code != 200 || answer.Accepted != 200 {
		t.Fatalf("%d %+v", code, answer)
	}
	if n, err := testutil.GatherAndCount(reg, "leeway_feedback_outcomes_total"); err != nil || n != 51 {
		t.Errorf("%d series, %v; want 50 classes and other", n, err)
	}
}

func TestErrorsInTheAnswerAreBounded(t *testing.T) {
	h, _ := handler(t)
	code, answer, _ := post(h, strings.Repeat("{}\n", 1000))
	if code != 422 || answer.Rejected != 1000 || len(answer.Errors) != 100 {
		t.Errorf("%d, %d rejected, %d errors", code, answer.Rejected, len(answer.Errors))
	}
}

func FuzzFeedback(f *testing.F) {
	for _, s := range []string{r1, r2, c1, c2, "[" + r1 + "]", `{"rows":[` + c1 + `]}`, r1 + "\n" + r2, "[", "{", `{"rows":1}`} {
		f.Add(s)
	}
	h, reg := handler(f)
	f.Fuzz(func(t *testing.T, body string) {
		code, answer, raw := post(h, body)
		if code == 400 || code == 413 {
			return
		}
		counted := answer.Accepted > 0 || answer.Rejected == 0
		if (code == 200) != counted || answer.Rejected < len(answer.Errors) {
			t.Errorf("%d %s", code, raw)
		}
		if _, err := reg.Gather(); err != nil {
			t.Error(err)
		}
	})
}
