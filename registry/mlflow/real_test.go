package mlflow_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/mlflow"
	"github.com/leeway-dev/leeway/registry/registrytest"
)

// realEnv is the address of an MLflow server whose registered models and
// experiments the tests may delete.
const realEnv = "LEEWAY_TEST_MLFLOW"

// TestRealServer runs the suite on a real server. The end-to-end tests run it so.
// Its races are small ones: TestRealRegistrars is the large one.
func TestRealServer(t *testing.T) {
	address := realServer(t)
	registrytest.Run(t, func(t *testing.T) func() registry.Store {
		empty(t, address)
		return func() registry.Store { return open(t, address) }
	}, func() registrytest.Options {
		return registrytest.Options{Registrars: 5, Each: 3, Delete: func(t *testing.T, model string, number int64) {
			ask(t, address, http.MethodDelete, "model-versions/delete", map[string]any{"name": model, "version": strconv.FormatInt(number, 10)}, nil)
		}}
	})
}

// TestRealRegistrars has ten register twenty versions each at once.
func TestRealRegistrars(t *testing.T) {
	address := realServer(t)
	empty(t, address)
	registrytest.Registrars(t, func() registry.Store { return open(t, address) }, 10, 20)
}

func realServer(t *testing.T) string {
	t.Helper()
	address := os.Getenv(realEnv)
	if address == "" {
		t.Skip(realEnv + " is not set: it is the address of an MLflow server to test against, which will be emptied")
	}
	return address
}

func open(t *testing.T, address string) *mlflow.Store {
	t.Helper()
	s, err := mlflow.New("mlflow+"+address, mlflow.Credentials{}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// empty deletes the registered models, and gives Leeway's experiments other
// names: those of deleted ones stay taken.
func empty(t *testing.T, address string) {
	t.Helper()
	var models struct {
		List []struct {
			Name string `json:"name"`
		} `json:"registered_models"`
	}
	ask(t, address, http.MethodGet, "registered-models/search?max_results=1000", nil, &models)
	for _, m := range models.List {
		ask(t, address, http.MethodDelete, "registered-models/delete", map[string]any{"name": m.Name}, nil)
	}
	var experiments struct {
		List []struct {
			ID   string `json:"experiment_id"`
			Name string `json:"name"`
		} `json:"experiments"`
	}
	ask(t, address, http.MethodGet, "experiments/search?max_results=1000&filter="+url.QueryEscape("name LIKE 'leeway%'"), nil, &experiments)
	for _, e := range experiments.List {
		ask(t, address, http.MethodPost, "experiments/update", map[string]any{"experiment_id": e.ID, "new_name": "old " + e.ID + " " + strings.ReplaceAll(e.Name, "/", " ")}, nil)
	}
}

// ask makes a call as another client would.
func ask(t *testing.T, address, method, path string, body, into any) {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	q, err := http.NewRequestWithContext(t.Context(), method, address+"/api/2.0/mlflow/"+path, bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		var said bytes.Buffer
		_, _ = said.ReadFrom(answer.Body)
		t.Fatalf("%s %s: %s: %s", method, path, answer.Status, said.String())
	}
	if into != nil {
		if err := json.NewDecoder(answer.Body).Decode(into); err != nil {
			t.Fatal(err)
		}
	}
}
