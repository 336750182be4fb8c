package prometheus

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/evidence"
	"github.com/leeway-dev/leeway/agent/external"
	"github.com/leeway-dev/leeway/rules"
	"github.com/leeway-dev/leeway/rules/promapi"
)

// values are windows of seconds: agents that scrape every second.
const values = `fast: true
scrapeInterval: 1s
clocks:
  page: {windows: [10s], minEffectiveRows: 100, history: false, lastWeek: false}
  act: {windows: [30s], minEffectiveRows: 1000, history: false, lastWeek: false}
  slow: {enabled: false}
brokenInput: {window: 10s, for: 2s, interval: 1s}
quality: {window: 20s, for: 2s, interval: 1s}
unknown: {enabled: false}
expectedError: {enabled: false}
`

// own is a rule such as a team writes itself: with the labels it takes part.
const own = `groups:
  - name: mine
    interval: 1s
    rules:
      - alert: WorkersBusy
        expr: max by (namespace, model_name, model_version) (leeway_requests_in_flight) > 50
        for: 2s
        labels: {leeway_cause: latency, leeway_window: 5s, severity: page}
        annotations: {summary: "{{ $labels.model_name }} has {{ $value }} requests in flight"}
`

func rulesDir(t *testing.T) string {
	t.Helper()
	v, err := rules.ParseValues([]byte(values))
	if err != nil {
		t.Fatal(err)
	}
	files, err := rules.Render(v)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, data := range files {
		write(t, filepath.Join(dir, name), string(data))
	}
	write(t, filepath.Join(dir, "own.yaml"), own)
	return dir
}

// model is what the pods of one model count, a second at a time.
type model struct {
	name     string
	errors   float64   // share of 5xx
	inFlight float64   // requests
	bins     []float64 // shares; the reference's are all the same
	missing  float64   // share
}

const rowsASecond = 1000

// models: a sound one, and one for each thing that can be wrong.
var models = []model{
	{name: "sound", bins: []float64{.25, .25, .25, .25}},
	{name: "failing", errors: 0.2, bins: []float64{.25, .25, .25, .25}},
	{name: "drifted", bins: []float64{.55, .25, .15, .05}},
	{name: "broken", bins: []float64{.15, .15, .15, .15}, missing: 0.4},
	{name: "busy", inFlight: 80, bins: []float64{.25, .25, .25, .25}},
}

// after are the samples of a model after a time.
func (m model) after(t time.Duration) (out []sample) {
	rows := math.Floor(t.Seconds() * rowsASecond)
	add := func(name string, value float64, more ...string) {
		out = append(out, sample{labels.FromStrings(append([]string{"__name__", name, "namespace", "ml", "model_name", m.name}, more...)...), value})
	}
	pod := []string{"model_version", "2", "pod", m.name + "-0", "node", "n", "workload", m.name, "job", "leeway-sidecar", "instance", "10.0.0.1:9095"}
	ofPod := func(name string, value float64, more ...string) {
		add(name, value, append(slices.Clone(pod), more...)...)
	}
	ofVersion := func(name string, value float64, more ...string) {
		add(name, value, append([]string{"model_version", "2", "pod", "leeway-controller-0"}, more...)...)
	}
	ofPod("leeway_model_info", 1, "reference", "sha256:0123456789ab")
	ofPod("leeway_requests_in_flight", m.inFlight)
	for code, share := range map[string]float64{"2xx": 1 - m.errors, "5xx": m.errors} {
		ofPod("leeway_request_duration_seconds_count", rows*share, "protocol", "v2", "code", code)
		for _, le := range []string{"0.01", "0.025", "+Inf"} {
			ofPod("leeway_request_duration_seconds_bucket", rows*share, "protocol", "v2", "code", code, "le", le)
		}
	}
	for i, share := range m.bins {
		bin := fmt.Sprintf("%02d", i)
		ofPod("leeway_feature_observations_total", rows*share, "feature", "age", "bin", bin)
		ofVersion("leeway_feature_reference_ratio", 1/float64(len(m.bins)), "feature", "age", "bin", bin)
		ofVersion("leeway_feature_reference_rank", (float64(i)+0.5)/float64(len(m.bins)), "feature", "age", "bin", bin)
	}
	ofPod("leeway_feature_observations_total", rows*m.missing, "feature", "age", "bin", "missing")
	ofVersion("leeway_feature_reference_ratio", 0, "feature", "age", "bin", "missing")
	ofVersion("leeway_feature_reference_samples", 100_000, "feature", "age")
	add("leeway_guard_info", 1, "guard", m.name, "workload", m.name, "pod", "leeway-controller-0")
	return out
}

func TestSameVerdictsAndDecisions(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute, and a build of VictoriaMetrics")
	}
	dir := rulesDir(t)
	engines := []engine{startEmbedded(t, dir), startDebian(t, dir), startVictoria(t, dir)}
	began := time.Now()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	said := make([]map[string]string, len(engines))
	for round := 0; time.Since(began) < 3*time.Minute; round++ {
		<-tick.C
		now := time.Now()
		var samples []sample
		for _, m := range models {
			samples = append(samples, m.after(now.Sub(began))...)
		}
		for _, e := range engines {
			if err := e.push(t.Context(), now, samples); err != nil {
				t.Fatalf("%s: %v", e.name, err)
			}
		}
		if time.Since(began) < 45*time.Second || round%3 != 0 { // the act clock wants its window, and a little more
			continue
		}
		for i, e := range engines {
			said[i] = decisions(t, e)
		}
		if cmp.Diff(said[0], said[1])+cmp.Diff(said[0], said[2]) == "" {
			break
		}
	}
	for i, e := range engines[1:] {
		if diff := cmp.Diff(said[0], said[i+1]); diff != "" {
			t.Errorf("embedded (-) and %s (+) differ:\n%s", e.name, diff)
		}
	}
	for name, want := range map[string]string{
		"sound": "none (healthy", "failing": "LeewayErrors firing", "failing ": "bad_release, rollback to 1",
		"drifted": "LeewayInputDrift firing age act", "drifted ": "input_drift", "broken": "LeewayBrokenInput firing age", "broken ": "broken_input, hold",
		"busy": "WorkersBusy firing", "busy ": "bad_release, rollback to 1",
	} {
		if got := said[0][strings.TrimSpace(name)]; !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	t.Logf("%v", said[0])
}

// decisions says for each model what fires, and what is diagnosed on it.
func decisions(t *testing.T, e engine) map[string]string {
	t.Helper()
	source, err := external.New(external.Config{Server: promapi.Config{URL: e.url}})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	out := map[string]string{}
	verdicts, err := source.Verdicts(t.Context(), now)
	if err != nil {
		return map[string]string{"": err.Error()}
	}
	if verdicts.PageWindow != "10s" {
		t.Errorf("%s: the page clock's window is %q", e.name, verdicts.PageWindow)
	}
	for _, m := range models {
		requests, err := source.Query(t.Context(), fmt.Sprintf(`sum(increase(leeway_request_duration_seconds_count{namespace="ml",model_name=%q}[10s]))`, m.name), now)
		out[m.name] = diagnose(m, verdicts.Alerts, now)
		if err != nil || len(requests) != 1 || requests[0].F <= 0 {
			out[m.name] = fmt.Sprintf("no requests: %v, %v", requests, err)
		}
	}
	return out
}

// diagnose judges a release: the version before was good, and the alerts began as
// this one was settled. How long after the data that was, differs from engine to
// engine by seconds, and so from run to run.
func diagnose(m model, alerts []evidence.Alert, now time.Time) string {
	known := func(v string) decide.Known { return decide.Known{Version: v, Schema: "s"} }
	settled := now.Add(-time.Minute)
	for _, a := range alerts {
		if a.Labels["model_name"] == m.name && a.ActiveAt.Before(settled.Add(time.Second)) {
			settled = a.ActiveAt.Add(-time.Second)
		}
	}
	e := decide.Evidence{
		Namespace: "ml", Model: m.name, Active: "2", SettledAt: settled, RolloutSince: settled, RolloutRequests: 1e6,
		Load: decide.Load{Requests: rowsASecond, RequestsBefore: rowsASecond},
		History: []decide.Served{
			{Version: "2", SettledAt: settled},
			{Version: "1", SettledAt: settled.Add(-24 * time.Hour), ReplacedAt: settled,
				SeenSince: map[decide.AlertCause]time.Time{decide.AlertErrors: settled, decide.AlertQuality: settled}},
		},
		Versions: []decide.Known{known("1"), known("2")}, FleetGuards: len(models),
	}
	var fires []string
	for _, a := range alerts {
		alert, ok := a.Judged()
		if !ok || alert.Model != m.name {
			continue
		}
		e.Alerts = append(e.Alerts, alert)
		fires = append(fires, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", alert.Name, a.State, alert.Subject, alert.Clock)))
		if a.Annotations["summary"] == "" || strings.Contains(a.Annotations["summary"], "error expanding") {
			fires = append(fires, "without a summary: "+a.Annotations["summary"])
		}
	}
	slices.Sort(fires)
	d := decide.Diagnose(e, decide.Policy{GoodAfter: time.Hour, VerifyFor: time.Minute, Cooldown: time.Minute, ChangesPerDay: 9, CanRetrain: true, MinSamples: 100, MatchWindow: time.Minute}, now)
	to := ""
	if d.Target != "" {
		to = " to " + d.Target
	}
	return fmt.Sprintf("%s: %s, %s%s (%s, match %v)", strings.Join(fires, ", "), d.Cause, d.Action, to, d.Reason, d.NeedsMatch)
}

// Debian's promtool is years old: what it takes, others take too.
func TestDebiansPromtool(t *testing.T) {
	promtool := filepath.Join(debian(t), "promtool")
	shipped, err := filepath.Glob("../../rules/*.yaml")
	if err != nil || len(shipped) == 0 {
		t.Fatal(shipped, err)
	}
	if err := run(t, "", promtool, append([]string{"check", "rules", "--lint=all", "--lint-fatal"}, shipped...)...); err != nil {
		t.Error(err)
	}
}
