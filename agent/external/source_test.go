package external_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/agent/external"
	"github.com/leeway-dev/leeway/rules/promapi"
)

// What makes guards blind, by HTTP and in the loop, is tested in agent/guard.
// Here is what a server that holds more than Leeway's rules is read as.

func source(t *testing.T, matcher, groups string) *external.Source {
	t.Helper()
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/rules") {
			fmt.Fprintf(w, `{"status":"success","data":{"groups":[%s]}}`, groups)
			return
		}
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"scalar","result":[1,"%d"]}}`, time.Now().Unix())
	}))
	t.Cleanup(h.Close)
	matchers, err := promapi.ParseMatchers(matcher)
	if err != nil {
		t.Fatal(err)
	}
	s, err := external.New(external.Config{Server: promapi.Config{URL: h.URL, Matchers: matchers}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func group(name, evaluated, rules string) string {
	return fmt.Sprintf(`{"name":%q,"interval":15,"lastEvaluation":%q,"rules":[%s]}`, name, evaluated, rules)
}

func rule(labels, lastError, alerts string) string {
	return fmt.Sprintf(`{"type":"alerting","name":"A","labels":{%s},"health":"ok","lastError":%q,"alerts":[%s]}`, labels, lastError, alerts)
}

const (
	caused = `"leeway_cause":"prediction_drift","leeway_clock":"page","leeway_window":"2h"`
	// an alert that reads a recorded series, and the rule that records it
	reads    = `{"type":"alerting","name":"A","query":"max(leeway:model:requests2m) > 1","labels":{` + caused + `},"health":"ok"}`
	recorded = `{"type":"recording","name":"leeway:model:requests2m","query":"vector(1)","health":"ok"}`

	fires = `{"labels":{"leeway_cause":"prediction_drift","output":"p"},"state":"firing","activeAt":"2026-11-01T10:00:00Z","value":"4e+00","annotations":{"summary":"s"}}`
)

func TestVerdicts(t *testing.T) {
	now := time.Now()
	lately, longAgo, never := now.Add(-time.Second).Format(time.RFC3339Nano), now.Add(-time.Hour).Format(time.RFC3339Nano), "0001-01-01T00:00:00Z"
	in := func(cluster, alert string) string {
		return strings.Replace(alert, `"labels":{`, fmt.Sprintf(`"labels":{"cluster":%q,`, cluster), 1)
	}
	tests := []struct {
		name, matcher, groups string
		alerts                int
		err                   string
	}{
		{"one", "", group("g", lately, rule(caused, "", fires)), 1, ""},
		{"inactive", "", group("g", lately, rule(caused, "", strings.Replace(fires, "firing", "inactive", 1))), 0, ""},
		{"others may fail and stand still", "", group("g", lately, rule(caused, "", fires)) + "," + group("theirs", longAgo, rule("", "many-to-many", "")), 1, ""},
		{"ours may not", "", group("g", lately, rule(caused, "", fires)) + "," + group("h", longAgo, rule(caused, "", "")), 0, "not evaluated any more: h"},
		{"not yet", "", group("g", never, rule(caused, "", "")), 0, "not been evaluated yet: g"},
		{"what a verdict rests on, not yet", "", group("g", lately, reads) + "," + group("base", never, recorded), 0, "not been evaluated yet: base"},
		{"what is for people, not yet", "", group("g", lately, rule(caused, "", fires)) + "," + group("people", never, recorded), 1, ""},
		{"only others", "", group("theirs", lately, rule("", "", "")), 0, "none of its 1 rule groups"},
		{"only recorded", "", group("g", lately, `{"type":"recording","name":"leeway:model:requests2m"}`), 0, "no rules of Leeway"},
		{"of our cluster", `cluster="a"`, group("g", lately, rule(caused, "", in("a", fires)+","+in("b", fires))), 1, ""},
		{"of no cluster", `cluster="a"`, group("g", lately, rule(caused, "", fires)), 0, `render the rules with --matcher 'cluster="a"'`},
		{"another cluster's rules fail", `cluster="a"`, group("g", lately, rule(caused, "", "")) + "," + group("h", longAgo, rule(caused+`,"cluster":"b"`, "broken", "")), 0, ""},
		{"only another cluster's", `cluster="a"`, group("g", lately, rule(caused+`,"cluster":"b"`, "", "")), 0, "no rules of Leeway"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, err := source(t, tt.matcher, tt.groups).Verdicts(t.Context(), now)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error %v, want one with %q", err, tt.err)
				}
				return
			}
			if err != nil || len(v.Alerts) != tt.alerts || v.PageWindow != "2h" {
				t.Fatalf("%+v, %v", v, err)
			}
			if len(v.Alerts) > 0 {
				if a := v.Alerts[0]; a.Value != 4 || a.Annotations["summary"] != "s" || a.ActiveAt.IsZero() || a.State != "firing" {
					t.Errorf("%+v", a)
				}
			}
		})
	}
}
