package mlflow_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/mlflow"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// What others have registered with MLflow's own client, as a real server lists
// it.
func TestVersionsOfOthers(t *testing.T) {
	server := replay(t, map[string]string{
		"model-versions/search":    "17-model-versions-search",
		"model-versions/get":       "53-stage-transition-deprecated",
		"registered-models/get":    "16-registered-model-get",
		"registered-models/search": "20-registered-models-search",
	})
	s := storeAt(t, "mlflow+"+server.URL, mlflow.Credentials{})
	vs, err := s.List(t.Context(), "airtime")
	if err != nil || len(vs) != 1 {
		t.Fatalf("got %d versions, %v", len(vs), err)
	}
	v, err := s.Get(t.Context(), "airtime", 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []registry.Version{vs[0], v} {
		if v.Model != "airtime" || v.Number != 1 || v.Spec.Version != 1 || v.Spec.Artifact.URI != "s3://bucket/models/airtime/summer" || v.Created.UnixMilli() != 1795466906979 || v.Lifecycle != v1alpha1.Registered {
			t.Errorf("got %+v", v)
		}
		if _, _, err := v.Profile(); !errors.Is(err, registry.ErrNoProfile) {
			t.Errorf("got %v, want no profile", err)
		}
	}
	if names, err := s.Models(t.Context()); err != nil || !slices.Equal(names, []string{"airtime"}) {
		t.Errorf("got models %v, %v", names, err)
	}
}

// An answer to another question is refused.
func TestVersionsNotAskedFor(t *testing.T) {
	for _, answer := range []string{"17-model-versions-search", "44-search-page1"} { // of another model; falling
		s := storeAt(t, "mlflow+"+replay(t, map[string]string{"model-versions/search": answer}).URL, mlflow.Credentials{})
		model := map[string]string{"17-model-versions-search": "churn", "44-search-page1": "airtime"}[answer]
		if _, err := s.List(t.Context(), model); !errors.Is(err, registry.ErrInvalid) || !strings.Contains(err.Error(), "not what was asked for") {
			t.Errorf("%s: got %v, want invalid", answer, err)
		}
	}
}

// A list goes on behind the last number that it got, so that what is deleted
// meanwhile hides nothing.
func TestPages(t *testing.T) {
	var filters []string
	uri, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "registered-models/get") {
			fmt.Fprint(w, `{"registered_model":{"name":"churn","aliases":[{"alias":"live","version":"4"},{"alias":"old","version":"1"}]}}`)
			return
		}
		filters = append(filters, r.URL.Query().Get("filter"))
		page := []string{
			`{"model_versions":[{"name":"churn","version":"1","status":"READY"},{"name":"churn","version":3,"status":"READY"}],"next_page_token":"x"}`,
			`{"model_versions":[{"name":"churn","version":"4","status":"READY"},{"name":"churn","version":"5","status":"PENDING_REGISTRATION"}],"next_page_token":"y"}`,
			`{}`,
		}
		fmt.Fprint(w, page[len(filters)-1])
	})
	vs, err := storeAt(t, uri, mlflow.Credentials{}).List(t.Context(), "churn")
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, v := range vs {
		got += fmt.Sprint(v.Number, v.Lifecycle, " ")
	}
	if got != "1registered 3registered 4live " {
		t.Errorf("got %s", got)
	}
	want := []string{"name='churn' AND version_number > 0", "name='churn' AND version_number > 3", "name='churn' AND version_number > 5"}
	if !slices.Equal(filters, want) {
		t.Errorf("asked for %q, want %q", filters, want)
	}
}
