package nominate_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/leeway-dev/leeway/agent/nominate"
)

func TestHandler(t *testing.T) {
	const firing = `{"status":"firing","labels":{"namespace":"ml","model_name":"churn"}}`
	tests := []struct {
		name, body string
		code       int
		woken      string
	}{
		{"firing", `{"version":"4","receiver":"leeway","unknown":{},"alerts":[` + firing + `]}`, 200, "ml/churn"},
		{"once each", `{"version":"4","alerts":[` + firing + "," + firing + "," + strings.Replace(firing, "churn", "fraud", 1) + `]}`, 200, "ml/churn ml/fraud"},
		{"resolved", `{"version":"4","alerts":[` + strings.Replace(firing, "firing", "resolved", 1) + `]}`, 200, ""},
		{"about no model", `{"version":"4","alerts":[{"status":"firing","labels":{"namespace":"ml"}}]}`, 200, ""},
		{"none", `{"version":"4"}`, 200, ""},
		{"another version", `{"version":"5","alerts":[` + firing + `]}`, 400, ""},
		{"no JSON", `alerts`, 400, ""},
		{"another kind", `[` + firing + `]`, 400, ""},
		{"too long", `{"version":"4","receiver":"` + strings.Repeat("x", 5<<20) + `"}`, 413, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var woken []string
			h := nominate.Handler(func(namespace, model string) { woken = append(woken, namespace+"/"+model) })
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/leeway/v1/alerts", strings.NewReader(tt.body)))
			if got := strings.Join(woken, " "); w.Code != tt.code || got != tt.woken {
				t.Errorf("%d, woken %q; want %d, %q: %s", w.Code, got, tt.code, tt.woken, w.Body)
			}
		})
	}
}

func FuzzHandler(f *testing.F) {
	f.Add([]byte(`{"version":"4","alerts":[{"status":"firing","labels":{"namespace":"ml","model_name":"churn"}}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		h := nominate.Handler(func(namespace, model string) {
			if namespace == "" || model == "" {
				t.Error("a model without a name is woken")
			}
		})
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/leeway/v1/alerts", strings.NewReader(string(body))))
	})
}
