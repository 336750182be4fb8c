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
	authority, err := auth.New(auth.Config{})
	if err != nil {
		t.Fatal(err)
	}
	r := &controller{
		ControllerConfig: ControllerConfig{
			DataDir: t.TempDir() + "/never-made", Prometheus: &external.Config{Server: promapi.Config{URL: prometheus.URL}},
			LeaseDuration: 3 * time.Second, Logger: zap.NewNop(),
		},
		registry: registry, authority: authority, feedback: labels, versions: http.NotFoundHandler(), wake: func(string, string) {},
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
	for _, tt := range []struct {
		method, path string
		want         int
	}{
		{http.MethodGet, "/metrics", http.StatusOK},
		{http.MethodGet, "/api/v1/query?query=up", http.StatusNotFound},
		{http.MethodPost, "/api/v1/write", http.StatusNotFound},
		{http.MethodPost, "/leeway/v1/feedback", http.StatusUnauthorized}, // there, for who has a token
		{http.MethodPost, "/leeway/v1/alerts", http.StatusUnauthorized},
	} {
		w := httptest.NewRecorder()
		r.handler().ServeHTTP(w, httptest.NewRequest(tt.method, tt.path, nil))
		if w.Code != tt.want {
			t.Errorf("%s %s: %d, want %d", tt.method, tt.path, w.Code, tt.want)
		}
	}
}
