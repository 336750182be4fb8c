package mlflow_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/registry/mlflow"
)

// recorded is an answer of a real server (MLflow 3.17), as it came.
func recorded(t *testing.T, name string) (status int, body []byte) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".resp"))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(b)), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, err = io.ReadAll(answer.Body); err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, body
}

// replay serves recorded answers by the paths of calls.
func replay(t *testing.T, answers map[string]string) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, ok := answers[strings.TrimPrefix(r.URL.Path, "/api/2.0/mlflow/")]
		if !ok {
			t.Errorf("unexpected call of %s", r.URL)
			name = "29-unknown-endpoint"
		}
		status, body := recorded(t, name)
		w.WriteHeader(status)
		_, _ = w.Write(body)
	}))
	t.Cleanup(server.Close)
	return server
}

func storeAt(t *testing.T, uri string, c mlflow.Credentials) *mlflow.Store {
	t.Helper()
	s, err := mlflow.New(uri, c, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
