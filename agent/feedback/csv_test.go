package feedback_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/leeway-dev/leeway/agent/feedback"
)

// send posts a body with headers and a query.
func send(h http.Handler, body []byte, query string, headers ...string) (int, feedback.Answer, string) {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/leeway/v1/feedback"+query, bytes.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	h.ServeHTTP(w, r)
	var a feedback.Answer
	_ = json.Unmarshal(w.Body.Bytes(), &a)
	return w.Code, a, w.Body.String()
}

func postCSV(h http.Handler, body, query string) (int, feedback.Answer, string) {
	return send(h, []byte(body), query, "Content-Type", "text/csv; charset=utf-8")
}

func zipped(t testing.TB, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const head = "namespace,model,version,predicted,actual\n"

func TestCSV(t *testing.T) {
	h, reg := handler(t)
	body := "\ufeffactual,predicted,namespace, model ,version,time,weight\r\n" +
		"12,10,ml,eta,3,,\r\n" +
		"7.5,10.5,ml,eta,3,2026-01-02T14:59:00Z,2\r\n" +
		"1e1,+10.0,ml,eta,3,1767365940,0.5\r\n" +
		"\"spam, fried\",ham,ml,spam,1,,10\r\n"
	code, answer, raw := postCSV(h, body, "")
	if code != 200 || answer.Accepted != 4 || answer.Rejected != 0 {
		t.Fatalf("%d %s", code, raw)
	}
	if err := testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP leeway_answer_observations_total Labelled predictions of classes that were right, and that were wrong.
# TYPE leeway_answer_observations_total counter
leeway_answer_observations_total{bin="right",model_name="spam",model_version="1",namespace="ml"} 0
leeway_answer_observations_total{bin="wrong",model_name="spam",model_version="1",namespace="ml"} 10
# HELP leeway_feedback_absolute_error_total Sum of |predicted - actual| over the labelled predictions.
# TYPE leeway_feedback_absolute_error_total counter
leeway_feedback_absolute_error_total{model_name="eta",model_version="3",namespace="ml"} 8
# HELP leeway_feedback_outcomes_total Labelled predictions of classes.
# TYPE leeway_feedback_outcomes_total counter
leeway_feedback_outcomes_total{actual="spam, fried",model_name="spam",model_version="1",namespace="ml",predicted="ham"} 10
# HELP leeway_feedback_rows_total Labelled predictions of numbers.
# TYPE leeway_feedback_rows_total counter
leeway_feedback_rows_total{model_name="eta",model_version="3",namespace="ml"} 3.5
# HELP leeway_feedback_squared_error_total Sum of (predicted - actual)² over the labelled predictions.
# TYPE leeway_feedback_squared_error_total counter
leeway_feedback_squared_error_total{model_name="eta",model_version="3",namespace="ml"} 22
`), "leeway_feedback_rows_total", "leeway_feedback_absolute_error_total", "leeway_feedback_squared_error_total",
		"leeway_feedback_outcomes_total", "leeway_answer_observations_total"); err != nil {
		t.Error(err)
	}
}

func TestCSVRowsThatAreWrong(t *testing.T) {
	h, reg := handler(t)
	body := "namespace,model,version,receipt,time,predicted,actual,weight\n" + strings.Join([]string{
		"ml,eta,3,,,1,2,",
		",eta,3,,,1,2,",
		"ml,,,,,1,2,",
		"ml,eta,3,,,1,,",
		"ml,eta,3,,,nan,2,",
		"ml,eta,3,,,1,inf,",
		"ml,eta,3,,,1,1e999,",
		"ml,eta,3,,yesterday,1,2,",
		"ml,eta,3,,,1,2,0",
		"ml,eta,3,,,1,2,1001",
		"ml,eta,3,,,1,2,many",
		"ml,eta,3",
		`ml,eta,3,,,1,"2" 3,`,
		"ml,eta,3,1.eta.3.0,,1,2,",
		"ml,\xff,3,,,1,2,",
		"ml,,,1.~ff.3.0.0,,1,2,",
		"ml,eta,3,,,\xff,b,",
		"ml,eta,4,1.eta.3.0.0,,1,2,",
		"secret,eta,3,,,1,2,",
		"ml,eta,99,,,1,2,",
		"ml,eta,3,1.eta.3.0.0,,1,2,",
	}, "\n")
	code, answer, raw := postCSV(h, body, "")
	want := feedback.Answer{Accepted: 2, Rejected: 19, Errors: []feedback.RowError{
		{1, "bad_row", "namespace is missing"},
		{2, "bad_row", "model is missing"},
		{3, "bad_row", "actual: is missing"},
		{4, "bad_row", "predicted: is missing"},
		{5, "bad_row", "one of predicted and actual is a number and the other a class"},
		{6, "bad_row", "actual: 1e999 is out of range"},
		{7, "bad_row", "time: is neither RFC 3339 nor seconds since 1970"},
		{8, "bad_row", "weight: 0 is not more than 0 and at most 1000"},
		{9, "bad_row", "weight: 1001 is not more than 0 and at most 1000"},
		{10, "bad_row", "weight: is not a number"},
		{11, "bad_row", "wrong number of fields"},
		{12, "bad_row", `extraneous or missing " in quoted-field`},
		{13, "bad_row", "receipt: not a receipt: want 1.MODEL.VERSION.TIME.NONCE"},
		{14, "bad_row", "model is not UTF-8"},
		{15, "bad_row", "model is not UTF-8"},
		{16, "bad_row", "predicted: is not UTF-8"},
		{17, "receipt_mismatch", "the receipt is of another prediction: it says eta version 3"},
		{18, "forbidden", "you may not"},
		{19, "unknown_version", "ml/eta has no version 99"},
	}}
	if diff := cmp.Diff(want, answer); diff != "" || code != 200 {
		t.Errorf("%d %s %s", code, diff, raw)
	}
	const refused = `
# HELP leeway_feedback_refused_rows_total Rows of feedback that were not counted, by reason.
# TYPE leeway_feedback_refused_rows_total counter
leeway_feedback_refused_rows_total{reason="bad_row"} 16
leeway_feedback_refused_rows_total{reason="forbidden"} 1
leeway_feedback_refused_rows_total{reason="receipt_mismatch"} 1
leeway_feedback_refused_rows_total{reason="too_many_versions"} 0
leeway_feedback_refused_rows_total{reason="unknown_version"} 1
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(refused), "leeway_feedback_refused_rows_total"); err != nil {
		t.Error(err)
	}
}

func TestCSVStatus(t *testing.T) {
	h, _ := handler(t)
	row := "ml,eta,3,1,2\n"
	for _, c := range []struct {
		name, body, query string
		code              int
		says              string
	}{
		{"empty", "", "", 400, "the body is empty"},
		{"unknown column", "namespace,model,version,predicted,actual,label\n", "", 400, `unknown column "label"`},
		{"a column twice", "namespace,model,model,version,predicted,actual\n", "", 400, `column "model": twice`},
		{"no actual", "namespace,model,version,predicted\n", "", 400, `no column "actual"`},
		{"no version", "namespace,model,predicted,actual\n", "", 400, `"receipt"`},
		{"a receipt is enough", "namespace,receipt,predicted,actual\n", "", 200, ""},
		{"a header that is no CSV", "name\"space\n", "", 400, "the header can't be read"},
		{"no rows", head, "", 200, ""},
		{"one row", head + row, "", 200, ""},
		{"all wrong", head + "ml\n", "", 422, ""},
		{"all forbidden", head + "secret,eta,3,1,2\n", "", 403, ""},
		{"as many as may be", head + strings.Repeat(row, feedback.MaxRows), "", 200, ""},
		{"one more", head + strings.Repeat(row, feedback.MaxRows+1), "", 413, "more than 100000 rows"},
		{"classes", head + row, "?outcomes=class", 200, ""},
		{"no numbers", head + "ml,eta,3,a,b\n", "?outcomes=number", 422, "is not a number"},
		{"other outcomes", head + row, "?outcomes=text", 400, "want class or number"},
	} {
		if code, _, raw := postCSV(h, c.body, c.query); code != c.code || !strings.Contains(raw, c.says) {
			t.Errorf("%s: %d %.300s", c.name, code, raw)
		}
	}
	if code, _, raw := send(h, []byte(r1), "?outcomes=class"); code != 400 {
		t.Errorf("JSON with outcomes: %d %s", code, raw)
	}
}

// Numbers as classes: 0 and 1 are what many a warehouse calls no and yes.
func TestCSVOfNumberedClasses(t *testing.T) {
	h, reg := handler(t)
	if code, _, raw := postCSV(h, head+"ml,churn,1,0,1\nml,churn,1,1,1\n", "?outcomes=class"); code != 200 {
		t.Fatalf("%d %s", code, raw)
	}
	if n, err := testutil.GatherAndCount(reg, "leeway_feedback_outcomes_total"); err != nil || n != 2 {
		t.Errorf("%d series, %v", n, err)
	}
}

func TestGzip(t *testing.T) {
	h, _ := handler(t)
	csv := zipped(t, head+"ml,eta,3,1,2\n")
	for _, c := range []struct {
		name, kind, encoding string
		body                 []byte
		code, accepted       int
	}{
		{"CSV", "text/csv", "gzip", csv, 200, 1},
		{"JSON", "application/json", "GZIP", zipped(t, "["+r1+","+r2+"]"), 200, 2},
		{"lines", "", "gzip", zipped(t, r1+"\n"+r2), 200, 2},
		{"not gzip", "text/csv", "gzip", []byte(head), 400, 0},
		{"cut off", "text/csv", "gzip", csv[:len(csv)-6], 400, 0},
		{"something after it", "text/csv", "gzip", append(bytes.Clone(csv), "more"...), 400, 0},
		{"another encoding", "text/csv", "br", csv, 415, 0},
		{"a bomb", "text/csv", "gzip", zipped(t, head+strings.Repeat(" ", 33<<20)), 413, 0},
		{"a bomb of JSON", "", "gzip", zipped(t, "{"+strings.Repeat(" ", 33<<20)), 413, 0},
	} {
		code, answer, raw := send(h, c.body, "", "Content-Type", c.kind, "Content-Encoding", c.encoding)
		if code != c.code || answer.Accepted != c.accepted {
			t.Errorf("%s: %d %.200s", c.name, code, raw)
		}
	}
}

// A body that breaks off is sent again, so nothing of it may have counted.
func TestWhatBreaksOffCountsForNothing(t *testing.T) {
	h, reg := handler(t)
	whole := zipped(t, head+strings.Repeat("ml,eta,3,1,2\nml\n", 1000))
	code, _, raw := send(h, whole[:len(whole)-5], "", "Content-Type", "text/csv", "Content-Encoding", "gzip")
	if code != 400 {
		t.Errorf("%d %s", code, raw)
	}
	if code, _, raw := post(h, "["+r1+","+r2+", nothing"); code != 400 {
		t.Errorf("%d %s", code, raw)
	}
	if code, _, raw := post(h, "["+r1+"] "+r2); code != 400 {
		t.Errorf("%d %s", code, raw)
	}
	if n, err := testutil.GatherAndCount(reg, "leeway_feedback_rows_total"); err != nil || n != 0 {
		t.Errorf("%d series, %v", n, err)
	}
	const none = `
# HELP leeway_feedback_refused_rows_total Rows of feedback that were not counted, by reason.
# TYPE leeway_feedback_refused_rows_total counter
leeway_feedback_refused_rows_total{reason="bad_row"} 0
leeway_feedback_refused_rows_total{reason="forbidden"} 0
leeway_feedback_refused_rows_total{reason="receipt_mismatch"} 0
leeway_feedback_refused_rows_total{reason="too_many_versions"} 0
leeway_feedback_refused_rows_total{reason="unknown_version"} 0
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(none), "leeway_feedback_refused_rows_total"); err != nil {
		t.Error(err)
	}
}

func FuzzCSV(f *testing.F) {
	for _, s := range []string{
		"", head + "ml,eta,3,1,2\n", head + "ml,spam,1,ham,\"sp\"\"am\"\n", head + "ml,eta,3\n\"",
		"namespace,receipt,predicted,actual\nml,1.eta.3.0.0,1,2", "namespace,receipt,predicted,actual\nml,1.~ff.3.0.0,1,2",
		head + "ml,spam,\xff,ham,spam\nml,spam,1,\xff,spam\n",
		strings.TrimSpace(head) + ",time,weight\nml,eta,3,1,2,1767365940,2\nml,eta,3,-1e-5,.5,2026-01-02T14:59:00Z,1e3\n",
	} {
		f.Add(s, "")
		f.Add(s, "class")
		f.Add(s, "number")
	}
	h, reg := handler(f)
	f.Fuzz(func(t *testing.T, body, outcomes string) {
		if outcomes != "" && outcomes != "class" {
			outcomes = "number"
		}
		code, answer, raw := postCSV(h, body, "?outcomes="+outcomes)
		if code == 400 || code == 413 {
			return
		}
		counted := answer.Accepted+answer.Duplicate > 0 || answer.Rejected == 0
		if (code == 200) != counted || answer.Rejected < len(answer.Errors) {
			t.Errorf("%d %s", code, raw)
		}
		if _, err := reg.Gather(); err != nil {
			t.Error(err)
		}
	})
}

func BenchmarkFeedback(b *testing.B) {
	h, _ := handler(b)
	for _, n := range []int{100, 10_000, 100_000} {
		csv := []byte(head + strings.Repeat("ml,eta,3,10.25,12\n", n))
		lines := []byte(strings.Repeat(r1+"\n", n))
		for name, c := range map[string]struct {
			kind string
			body []byte
		}{"csv": {"text/csv", csv}, "json": {"", lines}} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if code, _, raw := send(h, c.body, "", "Content-Type", c.kind); code != 200 {
						b.Fatal(raw)
					}
				}
			})
		}
	}
}
