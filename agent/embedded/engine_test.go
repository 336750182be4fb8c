package embedded_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"go.uber.org/goleak"

	"github.com/leeway-dev/leeway/agent/embedded"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// engine is one replica; stop ends it, so that it can be started again.
type engine struct {
	*embedded.Engine
	stop func()
}

func start(t *testing.T, cfg embedded.Config) *engine {
	t.Helper()
	if cfg.EvaluationInterval == 0 {
		cfg.EvaluationInterval = 100 * time.Millisecond
	}
	if cfg.RulesPoll == 0 {
		cfg.RulesPoll = 50 * time.Millisecond
	}
	e, err := embedded.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- e.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return &engine{e, stop}
}

func (e *engine) append(t *testing.T, at time.Time, v float64, series ...string) {
	t.Helper()
	app := e.AppenderV2(t.Context())
	if _, err := app.Append(0, labels.FromStrings(series...), 0, at.UnixMilli(), v, nil, nil, storage.AOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
}

func (e *engine) get(t *testing.T, path string) (code int, body string) {
	t.Helper()
	w := httptest.NewRecorder()
	e.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, strings.TrimSpace(w.Body.String())
}

func rulesDir(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		writeFile(t, filepath.Join(dir, name), content)
	}
	return dir
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("not within 10 s: %s", what)
}

const oneAlert = `groups:
- name: test
  rules:
  - record: leeway:load:double
    expr: load * 2
  - alert: LeewayLoad
    expr: load > 5
    for: 300ms
    labels: {severity: warning, leeway_cause: errors, leeway_window: 1m}
    annotations: {summary: "load is {{ $value }}"}
`

func (e *engine) alert(t *testing.T) (embedded.Alert, bool) {
	t.Helper()
	alerts, err := e.Alerts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(alerts) == 0 {
		return embedded.Alert{}, false
	}
	return alerts[0], true
}

func TestRulesPendingAndFiring(t *testing.T) {
	e := start(t, embedded.Config{DataDir: t.TempDir(), RulesDir: rulesDir(t, map[string]string{"a.yaml": oneAlert})})
	if h := e.Health(time.Now()); h.OK() {
		t.Errorf("healthy before the first evaluation: %+v", h)
	}
	e.append(t, time.Now(), 7, "__name__", "load", "model_name", "m")
	eventually(t, "pending", func() bool { a, ok := e.alert(t); return ok && a.State == "pending" })
	eventually(t, "firing", func() bool { a, ok := e.alert(t); return ok && a.State == "firing" })
	a, _ := e.alert(t)
	if a.Labels["alertname"] != "LeewayLoad" || a.Labels["model_name"] != "m" || a.Labels["leeway_cause"] != "errors" ||
		a.Annotations["summary"] != "load is 7" || a.Value != 7 || time.Since(a.ActiveAt) > 5*time.Second {
		t.Errorf("alert %+v", a)
	}
	eventually(t, "recorded", func() bool {
		v, err := e.Query(t.Context(), "leeway:load:double", time.Now())
		return err == nil && len(v) == 1 && v[0].F == 14
	})
	eventually(t, "healthy", func() bool { return e.Health(time.Now()).OK() })
	if h := e.Health(time.Now().Add(time.Minute)); h.OK() || len(h.Stalled) != 1 {
		t.Errorf("a minute without an evaluation is not noticed: %+v", h)
	}
	e.append(t, time.Now(), 1, "__name__", "load", "model_name", "m")
	eventually(t, "resolved", func() bool { _, ok := e.alert(t); return !ok })
}

func TestBadRuleFileIsRefused(t *testing.T) {
	dir := rulesDir(t, map[string]string{"a.yaml": oneAlert})
	data := t.TempDir()
	e := start(t, embedded.Config{DataDir: data, RulesDir: dir})
	e.append(t, time.Now(), 7, "__name__", "load")
	eventually(t, "firing", func() bool { a, ok := e.alert(t); return ok && a.State == "firing" })
	first, _ := e.alert(t)

	writeFile(t, filepath.Join(dir, "a.yaml"), "groups: []")
	writeFile(t, filepath.Join(dir, "b.yaml"), strings.Replace(oneAlert, "load * 2", "load * * 2", 1))
	eventually(t, "refused", func() bool { return e.Health(time.Now()).Refused != "" })
	if got := e.Health(time.Now()).Refused; !strings.Contains(got, "b.yaml:5:11:") {
		t.Errorf("the refusal names no file and line: %s", got)
	}
	if a, ok := e.alert(t); !ok || !a.ActiveAt.Equal(first.ActiveAt) {
		t.Errorf("the old rules did not stay: %+v", a)
	}
	if !e.Health(time.Now()).OK() {
		t.Error("refused files make the old verdict unreliable")
	}

	writeFile(t, filepath.Join(dir, "a.yaml"), strings.Replace(oneAlert, "name: test", "name: other", 1))
	writeFile(t, filepath.Join(dir, "b.yaml"), strings.ReplaceAll(strings.Replace(oneAlert, "> 5", "> 6", 1), "LeewayLoad", "LeewayHigh"))
	eventually(t, "the new rules", func() bool {
		alerts, err := e.Alerts(t.Context())
		return err == nil && len(alerts) == 2 && e.Health(time.Now()).Refused == ""
	})

	// A replica that starts while the files are bad has the last good ones.
	writeFile(t, filepath.Join(dir, "b.yaml"), "groups: nonsense")
	e.stop()
	e = start(t, embedded.Config{DataDir: data, RulesDir: dir})
	if h := e.Health(time.Now()); h.Refused == "" {
		t.Error("not said that the files are bad")
	}
	eventually(t, "the last good rules", func() bool { return e.Health(time.Now()).Groups == 2 })
}

func TestNoRulesAtAll(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"none":    {},
		"bad":     {"a.yaml": "groups: [{name: a, rules: [{alert: A, expr: '1 +'}]}]"},
		"unknown": {"a.yaml": "groups: [{name: a, typo: 1}]"},
		// An engine would take these, an agent could not use them.
		"cause":     {"a.yaml": "groups: [{name: a, rules: [{alert: A, expr: up, labels: {leeway_cause: weather}}]}]"},
		"retention": {"a.yaml": "groups: [{name: a, rules: [{alert: A, expr: 'increase(leeway_upstream_errors_total[30d]) > 1'}]}]"},
	} {
		_, err := embedded.New(embedded.Config{DataDir: t.TempDir(), RulesDir: rulesDir(t, files)})
		if !errors.Is(err, embedded.ErrRules) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The `for` state is not lost with the process.
func TestForStateIsRestored(t *testing.T) {
	rules := strings.Replace(oneAlert, "300ms", "30s", 1)
	cfg := embedded.Config{DataDir: t.TempDir(), RulesDir: rulesDir(t, map[string]string{"a.yaml": rules})}
	e := start(t, cfg)
	e.append(t, time.Now(), 7, "__name__", "load")
	eventually(t, "pending", func() bool { _, ok := e.alert(t); return ok })
	before, _ := e.alert(t)
	time.Sleep(1500 * time.Millisecond) // more than a second: the state is stored in seconds
	e.stop()
	e = start(t, cfg)
	eventually(t, "pending since before the restart", func() bool {
		a, ok := e.alert(t)
		return ok && a.ActiveAt.Sub(before.ActiveAt) < time.Second && a.State == "pending"
	})
}

func TestAlertmanagerGetsFiringAlerts(t *testing.T) {
	got := make(chan string, 100)
	am := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- r.URL.Path + " " + string(body)
	}))
	defer am.Close()
	e := start(t, embedded.Config{
		DataDir: t.TempDir(), RulesDir: rulesDir(t, map[string]string{"a.yaml": oneAlert}),
		AlertmanagerURLs: []string{am.URL + "/prefix"}, ExternalURL: "http://leeway",
	})
	e.append(t, time.Now(), 7, "__name__", "load")
	select {
	case message := <-got:
		path, body, _ := strings.Cut(message, " ")
		var alerts []struct {
			Labels       map[string]string
			GeneratorURL string
		}
		if err := json.Unmarshal([]byte(body), &alerts); err != nil {
			t.Fatal(err)
		}
		if path != "/prefix/api/v2/alerts" || len(alerts) != 1 || alerts[0].Labels["alertname"] != "LeewayLoad" || !strings.HasPrefix(alerts[0].GeneratorURL, "http://leeway/") {
			t.Errorf("%s %s", path, body)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("no alert within 10 s")
	}
	e.stop()
	if _, err := embedded.New(embedded.Config{DataDir: t.TempDir(), AlertmanagerURLs: []string{"alertmanager:9093"}}); err == nil {
		t.Error("an Alertmanager without scheme was taken")
	}
}

func TestLookback(t *testing.T) {
	slow := "groups: [{name: a, interval: 40s, rules: [{record: 'a:b:c', expr: '1'}]}]"
	for _, c := range []struct {
		name  string
		cfg   embedded.Config
		rules string
		want  time.Duration
	}{
		{"Prometheus' own", embedded.Config{EvaluationInterval: 15 * time.Second}, oneAlert, 5 * time.Minute},
		{"fast", embedded.Config{EvaluationInterval: time.Second}, oneAlert, 20 * time.Second},
		{"a slow group", embedded.Config{EvaluationInterval: time.Second}, slow, 2 * time.Minute},
		{"never more", embedded.Config{EvaluationInterval: time.Minute}, oneAlert, 5 * time.Minute},
		{"as configured", embedded.Config{Lookback: time.Hour}, oneAlert, time.Hour},
	} {
		c.cfg.DataDir, c.cfg.RulesDir = t.TempDir(), rulesDir(t, map[string]string{"a.yaml": c.rules})
		e := start(t, c.cfg)
		eventually(t, c.name, func() bool { return e.Lookback() == c.want })
		e.stop()
	}
}
