package mlflow_test

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/mlflow"
)

func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		answer string
		want   error
		says   string
	}{
		{"12-model-version-get-404", registry.ErrNotFound, "version 1 of airtime in http://"},
		{"51-get-deleted", registry.ErrNotFound, "version 1 of airtime"},
		{"26-bad-host", registry.ErrForbidden, "--allowed-hosts"},
		{"29-unknown-endpoint", registry.ErrInvalid, "no MLflow tracking server at this address"},
		{"22-model-versions-search-max-results-too-big", registry.ErrInvalid, "model-versions/get: 400 INVALID_PARAMETER_VALUE"},
		{"09-registered-model-create-dup", registry.ErrConflict, "RESOURCE_ALREADY_EXISTS"},
		{"16-registered-model-get", registry.ErrInvalid, `asked for version 1 of airtime, it answers with 0 of ""`},
	} {
		s := storeAt(t, "mlflow+"+replay(t, map[string]string{"model-versions/get": tt.answer}).URL, mlflow.Credentials{})
		_, err := s.Get(t.Context(), "airtime", 1)
		if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %v, want %v that says %q", tt.answer, err, tt.want, tt.says)
		}
	}
}

// answering serves one answer to every call, and counts them.
func answering(t *testing.T, answer http.HandlerFunc) (uri string, calls *atomic.Int64) {
	t.Helper()
	calls = new(atomic.Int64)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	return "mlflow+" + server.URL, calls
}

func TestAnswersThatCantBe(t *testing.T) {
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		want   error
		says   string
	}{
		"endless": {func(w http.ResponseWriter, _ *http.Request) {
			chunk := []byte(strings.Repeat(" ", 1<<20))
			for range 6 {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}, registry.ErrTooLarge, "more than 4194304 bytes"},
		"nested":     {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat("[", 100_000)) }, registry.ErrInvalid, "can't be read"},
		"a web page": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>sign in</html>") }, registry.ErrInvalid, "can't be read"},
		"no number":  {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"model_version":{"version":"one"}}`) }, registry.ErrInvalid, "not a whole number"},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://elsewhere.example/", http.StatusFound)
		}, registry.ErrInvalid, "redirects are not followed"},
		"a big upload": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(413) }, registry.ErrTooLarge, "proxy"},
		"sign in":      {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }, registry.ErrForbidden, "MLFLOW_TRACKING_TOKEN"},
		"a terminal's orders": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(400)
			fmt.Fprint(w, "a\x1b[2J\u0007b")
		}, registry.ErrInvalid, "a[2Jb"},
	} {
		uri, calls := answering(t, tt.answer)
		_, err := storeAt(t, uri, mlflow.Credentials{}).Get(t.Context(), "churn", 1)
		if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), "/api/2.0/mlflow/model-versions/get") {
			t.Errorf("%s: got %v, want %v that says %q, and where", name, err, tt.want, tt.says)
		}
		if calls.Load() != 1 {
			t.Errorf("%s: asked %d times", name, calls.Load())
		}
	}
}

func TestRetries(t *testing.T) {
	for name, tt := range map[string]struct {
		fail  func(w http.ResponseWriter)
		tries int64
	}{
		"busy":       {func(w http.ResponseWriter) { w.Header().Set("Retry-After", "1"); w.WriteHeader(429) }, 3},
		"broken":     {func(w http.ResponseWriter) { w.WriteHeader(500) }, 3},
		"restarting": {func(w http.ResponseWriter) { w.WriteHeader(503) }, 3},
		"reset":      {func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, 3},
		"forbidden":  {func(w http.ResponseWriter) { w.WriteHeader(403) }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var n atomic.Int64
			uri, calls := answering(t, func(w http.ResponseWriter, _ *http.Request) {
				if n.Add(1) < 3 {
					tt.fail(w)
					return
				}
				status, body := recorded(t, "11-model-version-get")
				w.WriteHeader(status)
				_, _ = w.Write(body)
			})
			began := time.Now()
			_, err := storeAt(t, uri, mlflow.Credentials{}).Get(t.Context(), "airtime", 1)
			if calls.Load() != tt.tries || (err == nil) != (tt.tries == 3) {
				t.Errorf("asked %d times, %v, want %d", calls.Load(), err, tt.tries)
			}
			if name == "busy" && time.Since(began) < 2*time.Second {
				t.Errorf("Retry-After was not waited for: %s", time.Since(began))
			}
		})
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	uri, _ := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		cancel()
		w.WriteHeader(503)
	})
	if _, err := storeAt(t, uri, mlflow.Credentials{}).List(ctx, "churn"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want cancelled", err)
	}
}

func TestCredentials(t *testing.T) {
	var got atomic.Value
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got.Store(r.Header.Get("Authorization"))
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "no")
	}))
	defer server.Close()
	cert := filepath.Join(t.TempDir(), "ca.pem")
	b := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(cert, b, 0o600); err != nil {
		t.Fatal(err)
	}
	host := strings.TrimPrefix(server.URL, "https://")
	for name, tt := range map[string]struct {
		uri  string
		c    mlflow.Credentials
		want string
	}{
		"none":        {"mlflow+https://" + host, mlflow.Credentials{}, ""},
		"name":        {"mlflow+https://" + host, mlflow.Credentials{Username: "ada", Password: "topsecret", Token: "tok-topsecret"}, "Basic YWRhOnRvcHNlY3JldA=="},
		"token":       {"mlflow+https://" + host, mlflow.Credentials{Token: "tok-topsecret"}, "Bearer tok-topsecret"},
		"in the URI":  {"mlflow+https://ada:topsecret@" + host, mlflow.Credentials{Username: "bob", Password: "other"}, "Basic YWRhOnRvcHNlY3JldA=="},
		"with a path": {"mlflow+https://ada:topsecret@" + host + "/mlflow/", mlflow.Credentials{}, "Basic YWRhOnRvcHNlY3JldA=="},
	} {
		tt.c.CertFile = cert
		_, err := storeAt(t, tt.uri, tt.c).Get(t.Context(), "churn", 1)
		if !errors.Is(err, registry.ErrForbidden) {
			t.Errorf("%s: got %v, want forbidden", name, err)
		} else if strings.Contains(err.Error(), "topsecret") || strings.Contains(err.Error(), "YWRh") {
			t.Errorf("%s: the error tells the password: %v", name, err)
		}
		if got.Load() != tt.want {
			t.Errorf("%s: sent %q, want %q", name, got.Load(), tt.want)
		}
	}
	if _, err := storeAt(t, "mlflow+https://ada:topsecret@"+host, mlflow.Credentials{}).Get(t.Context(), "churn", 1); !errors.Is(err, registry.ErrUnreachable) || strings.Contains(err.Error(), "topsecret") || !strings.Contains(err.Error(), "CERT_PATH") {
		t.Errorf("a certificate that nobody vouches for: got %v", err)
	}
	for _, uri := range []string{"mlflow+https://ada:top secret@host", "mlflow+ftp://ada:topsecret@host", "http://ada:topsecret@host", "mlflow+http://ada:topsecret@", "mlflow+http://ada:topsecret@h?q=1"} {
		if _, err := mlflow.New(uri, mlflow.Credentials{}, time.Now); !errors.Is(err, registry.ErrInvalid) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v, want invalid and no password", uri, err)
		}
	}
	if got := mlflow.Redact("mlflow+http://ada:topsecret@host:5000/p"); got != "mlflow+http://ada:xxxxx@host:5000/p" {
		t.Errorf("redacted: %s", got)
	}
}

func TestFromEnvironment(t *testing.T) {
	got := mlflow.FromEnvironment(func(name string) string { return strings.ToLower(name) })
	want := mlflow.Credentials{Username: "mlflow_tracking_username", Password: "mlflow_tracking_password", Token: "mlflow_tracking_token", CertFile: "mlflow_tracking_server_cert_path"}
	if got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}
