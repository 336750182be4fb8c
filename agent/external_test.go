package agent

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/leeway-dev/leeway/agent/auth"
	"github.com/leeway-dev/leeway/agent/external"
	"github.com/leeway-dev/leeway/agent/feedback"
	"github.com/leeway-dev/leeway/rules/promapi"
)

// With an external Prometheus a replica keeps and serves no samples; what it
// counts itself is there to be scraped, and whether it may lead depends on that
// server.
func TestControllerWithAnExternalPrometheus(t *testing.T) {
	prometheus := httptest.NewServer(http.NotFoundHandler())
	defer prometheus.Close()
	registry := newRegistry()
	labels, err := feedback.New(feedback.Config{Registerer: registry})
	if err != nil {
		t.Fatal(err)
	}
	r := &controller{
		ControllerConfig: ControllerConfig{
			DataDir: t.TempDir() + "/never-made", Prometheus: &external.Config{Server: promapi.Config{URL: prometheus.URL}},
			LeaseDuration: 3 * time.Second, Logger: zap.NewNop(),
		},
		registry: registry, authority: auth.New(auth.Config{}), feedback: labels, versions: http.NotFoundHandler(), wake: func(string, string) {},
	}
	if err := r.openSource(); err != nil {
		t.Fatal(err)
	}
	if r.engine != nil {
		t.Error("an engine of its own was opened")
	}
	if r.able() {
		t.Error("able to judge by a server that knows nothing")
	}
	for path, want := range map[string]int{
		"/metrics": http.StatusOK, "/api/v1/query?query=up": http.StatusNotFound, "/leeway/v1/feedback": http.StatusMethodNotAllowed,
	} {
		w := httptest.NewRecorder()
		r.handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != want {
			t.Errorf("GET %s: %d, want %d", path, w.Code, want)
		}
	}
	w := httptest.NewRecorder()
	r.handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/leeway/v1/alerts", nil))
	if w.Code != http.StatusUnauthorized {
		t.Errorf("alerts without a token: %d", w.Code)
	}
}
