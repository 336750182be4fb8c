package mlflow_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/mlflow"
	"github.com/leeway-dev/leeway/registry/registrytest"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

func register(t *testing.T, s *mlflow.Store) int64 {
	t.Helper()
	v, err := s.Register(t.Context(), registrytest.Spec("churn"))
	if err != nil {
		t.Fatal(err)
	}
	return v.Number
}

// lifecycles are those of versions 1, 2, …
func lifecycles(t *testing.T, s *mlflow.Store) string {
	t.Helper()
	vs, err := s.List(t.Context(), "churn")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, v := range vs {
		all = append(all, string(v.Lifecycle))
	}
	return strings.Join(all, " ")
}

// TestRealAlias: what is live here has the alias there, and the other way
// round.
func TestRealAlias(t *testing.T) {
	address := realServer(t)
	empty(t, address)
	s := open(t, address)
	register(t, s)
	register(t, s)
	set := func(n int64, from, to v1alpha1.Lifecycle) {
		t.Helper()
		if err := s.SetLifecycle(t.Context(), "churn", n, from, to, "ada", "tried"); err != nil {
			t.Fatal(err)
		}
	}
	alias := func() string {
		t.Helper()
		var m struct {
			Model struct {
				Aliases []struct {
					Alias   string `json:"alias"`
					Version string `json:"version"`
				} `json:"aliases"`
			} `json:"registered_model"`
		}
		ask(t, address, http.MethodGet, "registered-models/get?name=churn", nil, &m)
		for _, a := range m.Model.Aliases {
			if a.Alias == "live" {
				return a.Version
			}
		}
		return ""
	}
	check := func(wantAlias, want string) {
		t.Helper()
		if got := lifecycles(t, open(t, address)); got != want || alias() != wantAlias {
			t.Errorf("got %s, alias on %q; want %s, alias on %q", got, alias(), want, wantAlias)
		}
	}
	check("", "registered registered")
	set(1, v1alpha1.Registered, v1alpha1.Live)
	check("1", "live registered")
	set(2, v1alpha1.Registered, v1alpha1.Live) // one version is live in MLflow
	check("2", "registered live")
	set(1, v1alpha1.Live, v1alpha1.Registered) // as whoever promoted 2 says next
	check("2", "registered live")
	ask(t, address, http.MethodPost, "registered-models/alias", map[string]any{"name": "churn", "alias": "live", "version": "1"}, nil)
	check("1", "live registered")
	set(1, v1alpha1.Live, v1alpha1.Rejected)
	check("", "rejected registered")
	ask(t, address, http.MethodPost, "registered-models/alias", map[string]any{"name": "churn", "alias": "live", "version": "1"}, nil)
	check("1", "rejected registered") // what was rejected does not go live by an alias
}

// TestRealModelDeleted: MLflow forgets the numbers of a registered model that is
// deleted as a whole. Leeway does not.
func TestRealModelDeleted(t *testing.T) {
	address := realServer(t)
	empty(t, address)
	s := open(t, address)
	register(t, s)
	register(t, s)
	ask(t, address, http.MethodDelete, "registered-models/delete", map[string]any{"name": "churn"}, nil)
	if got := lifecycles(t, s); got != "" {
		t.Errorf("versions of a deleted model: %s", got)
	}
	for want, s := range map[int64]*mlflow.Store{3: s} {
		if got := register(t, s); got != want {
			t.Errorf("after the model was deleted: got number %d, want %d", got, want)
		}
	}
	if got := register(t, open(t, address)); got != 4 {
		t.Errorf("got number %d, want 4", got)
	}
}

// TestRealTampered: what a version says of itself is not changed unnoticed.
func TestRealTampered(t *testing.T) {
	address := realServer(t)
	empty(t, address)
	s := open(t, address)
	register(t, s)
	ask(t, address, http.MethodPost, "model-versions/set-tag", map[string]any{"name": "churn", "version": "1", "key": "leeway.spec",
		"value": `{"spec":{"model":"churn","version":0,"artifact":{"uri":"s3://models/evil"},"dataset":{},"lineage":{}}}`}, nil)
	for _, s := range []*mlflow.Store{s, open(t, address)} {
		if v, err := s.Get(t.Context(), "churn", 1); !errors.Is(err, registry.ErrInvalid) || !strings.Contains(err.Error(), "leeway.spec was changed") {
			t.Errorf("got %v, %v", v, err)
		}
	}
}

// TestRealAbandoned: what a registrar that died has left is not seen, and goes
// a day later.
func TestRealAbandoned(t *testing.T) {
	address := realServer(t)
	empty(t, address)
	register(t, open(t, address))
	ask(t, address, http.MethodPost, "model-versions/create", map[string]any{"name": "churn", "source": "s3://models/half", "tags": []map[string]string{
		{"key": "leeway.state", "value": "draft"}, {"key": "leeway.nonce", "value": "n"},
		{"key": "leeway.spec", "value": `{"spec":{"model":"churn","version":0,"artifact":{"uri":"s3://models/half"},"dataset":{},"lineage":{}}}`},
	}}, nil)
	if got := lifecycles(t, open(t, address)); got != "registered" {
		t.Errorf("a draft is listed: %s", got)
	}
	if _, err := open(t, address).Get(t.Context(), "churn", 2); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("a draft is read: %v", err)
	}
	there := func() (found bool) {
		var list struct {
			Versions []struct {
				Source string `json:"source"`
			} `json:"model_versions"`
		}
		ask(t, address, http.MethodGet, "model-versions/search?filter=name%3D%27churn%27", nil, &list)
		for _, v := range list.Versions {
			found = found || v.Source == "s3://models/half"
		}
		return found
	}
	if register(t, open(t, address)); !there() {
		t.Error("a registrar that may be at work lost its draft")
	}
	later, err := mlflow.New("mlflow+"+address, mlflow.Credentials{}, func() time.Time { return time.Now().Add(25 * time.Hour) })
	if err != nil {
		t.Fatal(err)
	}
	if n := register(t, later); n != 4 || there() {
		t.Errorf("got number %d, want 4; is the draft there: %t", n, there())
	}
}
