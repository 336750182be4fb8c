package embedded_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/leeway-dev/leeway/agent/embedded"
)

func TestQueryAPI(t *testing.T) {
	e := start(t, embedded.Config{DataDir: t.TempDir(), RulesDir: rulesDir(t, map[string]string{"a.yaml": oneAlert})})
	// Seconds, not too far from now: the head takes only what is recent.
	t0 := time.Now().Truncate(time.Second).Add(-time.Minute)
	for i := range 4 {
		at := t0.Add(time.Duration(i) * 10 * time.Second)
		e.append(t, at, float64(i), "__name__", "rows_total", "pod", "a")
		e.append(t, at, 2*float64(i), "__name__", "rows_total", "pod", "b")
	}
	s := func(d time.Duration) int64 { return t0.Add(d).Unix() }
	end := s(30 * time.Second)
	for _, c := range []struct {
		path string
		code int
		want string // of data, or of the error
	}{
		{fmt.Sprintf("query?query=sum(rows_total)&time=%d", end), 200, fmt.Sprintf(`{"result":[{"metric":{},"value":[%d,"9"]}],"resultType":"vector"}`, end)},
		{fmt.Sprintf("query?query=42&time=%d", end), 200, fmt.Sprintf(`{"result":[%d,"42"],"resultType":"scalar"}`, end)},
		{fmt.Sprintf("query?query=none&time=%s", url.QueryEscape(t0.UTC().Format(time.RFC3339))), 200, `{"result":[],"resultType":"vector"}`},
		{
			fmt.Sprintf("query_range?query=%s&start=%d&end=%d&step=10s", url.QueryEscape(`rows_total{pod="b"}`), s(10*time.Second), end), 200,
			fmt.Sprintf(`{"result":[{"metric":{"__name__":"rows_total","pod":"b"},"values":[[%d,"2"],[%d,"4"],[%d,"6"]]}],"resultType":"matrix"}`, s(10*time.Second), s(20*time.Second), end),
		},
		{fmt.Sprintf("query?query=%s&time=%d", url.QueryEscape(`rows_total{pod="a"}[15s]`), end), 200, fmt.Sprintf(`{"result":[{"metric":{"__name__":"rows_total","pod":"a"},"values":[[%d,"2"],[%d,"3"]]}],"resultType":"matrix"}`, s(20*time.Second), end)},
		{"labels?match[]=rows_total", 200, `["__name__","pod"]`},
		{"label/pod/values", 200, `["a","b"]`},
		{"label/pod/values?limit=1", 200, `["a"]`},
		{"label/none/values", 200, `[]`},
		{"series?match[]=" + url.QueryEscape(`rows_total{pod="a"}`) + "&match[]=rows_total", 200, `[{"__name__":"rows_total","pod":"a"},{"__name__":"rows_total","pod":"b"}]`},
		{"metadata", 200, `{}`},
		{"query?query=sum(", 400, "bad_data: 1:5: parse error: unclosed left parenthesis"},
		{"query?query=1&time=tomorrow", 400, `bad_data: "tomorrow" is not a time: use seconds since 1970 or RFC 3339`},
		{"query_range?query=1&start=0&end=100000&step=1", 400, "bad_data: more than 11000 points per series; use a larger step"},
		{"query_range?query=1&start=0", 400, `bad_data: "" is not a duration: use seconds or a form like 5m`},
		{"series", 400, "bad_data: series needs at least one match[]"},
		{fmt.Sprintf("query?query=%s&time=%d", url.QueryEscape("rows_total + on() rows_total"), end), 422, "execution: "},
	} {
		code, body := e.get(t, "/api/v1/"+c.path)
		if code != c.code {
			t.Errorf("%s: %d %s", c.path, code, body)
			continue
		}
		var answer struct {
			Status, ErrorType, Error string
			Data                     json.RawMessage
		}
		if err := json.Unmarshal([]byte(body), &answer); err != nil {
			t.Errorf("%s: %v: %s", c.path, err, body)
			continue
		}
		if code == 200 {
			if diff := cmp.Diff(c.want, string(answer.Data)); diff != "" || answer.Status != "success" {
				t.Errorf("%s: %s", c.path, diff)
			}
		} else if got := answer.ErrorType + ": " + answer.Error; !strings.HasPrefix(got, c.want) || answer.Status != "error" {
			t.Errorf("%s: %s; want %s", c.path, got, c.want)
		}
	}
}

// Grafana posts its queries as forms.
func TestQueryByForm(t *testing.T) {
	e := start(t, embedded.Config{DataDir: t.TempDir()})
	form := url.Values{"query": {"1 + 1"}, "time": {"100"}}
	r := httptest.NewRequest(http.MethodPost, "/api/v1/query", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	e.Handler().ServeHTTP(w, r)
	if got := w.Body.String(); got != `{"data":{"result":[100,"2"],"resultType":"scalar"},"status":"success"}` {
		t.Errorf("%d %s", w.Code, got)
	}
}

func TestStateAPI(t *testing.T) {
	e := start(t, embedded.Config{DataDir: t.TempDir(), RulesDir: rulesDir(t, map[string]string{"a.yaml": oneAlert})})
	e.append(t, time.Now(), 7, "__name__", "load")
	eventually(t, "firing", func() bool { a, ok := e.alert(t); return ok && a.State == "firing" })
	for path, want := range map[string][]string{
		"alerts":                 {`"state":"firing"`, `"value":"7e+00"`, `"alertname":"LeewayLoad"`, `"activeAt"`},
		"rules":                  {`"type":"alerting"`, `"type":"recording"`, `"file":"a.yaml"`, `"duration":0.3`, `"health":"ok"`},
		"rules?type=record":      {`"name":"leeway:load:double"`},
		"status/buildinfo":       {`"version":"3.`},
		"status/runtimeinfo":     {`"timeSeriesCount":`},
		"status/leeway/verdicts": {`"ok":true`},
		"status/leeway/sources":  {`[]`},
	} {
		code, body := e.get(t, "/api/v1/"+path)
		if code != http.StatusOK {
			t.Errorf("%s: %d", path, code)
		}
		for _, w := range want {
			if !strings.Contains(body, w) {
				t.Errorf("%s lacks %s: %s", path, w, body)
			}
		}
	}
	if code, _ := e.get(t, "/api/v1/admin/tsdb/delete_series"); code != http.StatusNotFound {
		t.Errorf("an endpoint that is not offered answers %d", code)
	}
}
