package api_test

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/api"
	"github.com/leeway-dev/leeway/registry/atlas"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// description is openapi.yaml, to hold what is sent and answered against.
type description struct {
	*openapi3.T
	router routers.Router
}

func describe(t *testing.T) *description {
	t.Helper()
	text, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	doc.Servers = nil // a test's server is elsewhere
	router, err := legacy.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	return &description{doc, router}
}

// check holds an answer, and a request that was taken, against the description.
func (d *description) check(t *testing.T, r *http.Request, body []byte, w *http.Response, answer []byte) {
	t.Helper()
	route, params, err := d.router.FindRoute(r)
	if err != nil {
		if w.StatusCode != http.StatusNotFound && w.StatusCode != http.StatusMethodNotAllowed && r.Method != http.MethodHead {
			t.Errorf("%s %s: %s, and openapi.yaml: %v", r.Method, r.URL.Path, w.Status, err)
		}
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	request := &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route, Options: &openapi3filter.Options{
		AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true,
		// What is compressed it can't read, and of a form it makes JSON.
		ExcludeRequestBody: r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Content-Encoding") != "",
	}}
	if w.StatusCode < 300 {
		if err := openapi3filter.ValidateRequest(t.Context(), request); err != nil {
			t.Errorf("%s %s was taken, and openapi.yaml says: %v", r.Method, r.URL, err)
		}
	}
	response := &openapi3filter.ResponseValidationInput{RequestValidationInput: request, Status: w.StatusCode, Header: w.Header, Options: request.Options}
	response.SetBodyBytes(answer)
	if err := openapi3filter.ValidateResponse(t.Context(), response); err != nil {
		t.Errorf("%s %s: %s: openapi.yaml says: %v", r.Method, r.URL, w.Status, err)
	}
}

func TestDescriptionIsValid(t *testing.T) {
	if err := describe(t).Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestDescriptionIsServed(t *testing.T) {
	s := start(t, nil)
	w, b := s.do(t, "GET", "/leeway/v1/openapi.json", nil)
	if w.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", w.Status, b)
	}
	doc, err := openapi3.NewLoader().LoadFromData(b)
	if err != nil || doc.Info.Title != "Leeway registry" || doc.Paths.Len() != describe(t).Paths.Len() {
		t.Errorf("served: %v, %.200s", err, b)
	}
}

// Every route is described, with its query parameters, and nothing else is.
func TestRoutesAreDescribed(t *testing.T) {
	described := map[string][]string{}
	for path, item := range describe(t).Paths.Map() {
		for method, operation := range item.Operations() {
			var query []string
			for _, p := range slices.Concat(item.Parameters, operation.Parameters) {
				if p.Value.In == "query" && p.Value.Name != "namespace" {
					query = append(query, p.Value.Name)
				}
			}
			slices.Sort(query)
			described[method+" "+path] = query
		}
	}
	served := api.Routes()
	for route, query := range served {
		slices.Sort(query)
		got, ok := described[route]
		if !ok || !slices.Equal(got, query) {
			t.Errorf("%s %v: described: %v, %v", route, query, ok, got)
		}
	}
	for route := range described {
		if _, ok := served[route]; !ok {
			t.Errorf("%s is described and not served", route)
		}
	}
}

// Every field of the Go types is described, and nothing else is.
func TestFieldsAreDescribed(t *testing.T) {
	types := map[string]reflect.Type{
		"Model": reflect.TypeFor[api.Model](), "ModelPage": reflect.TypeFor[api.Page[api.Model]](),
		"VersionPage": reflect.TypeFor[api.Page[api.Version]](), "Version": reflect.TypeFor[api.Version](),
		"Spec": reflect.TypeFor[api.Spec](), "NewVersion": reflect.TypeFor[v1alpha1.ModelVersionSpec](),
		"Artifact": reflect.TypeFor[v1alpha1.Artifact](), "Dataset": reflect.TypeFor[v1alpha1.Dataset](),
		"ProfileDigest": reflect.TypeFor[api.ProfileDigest](), "PackedProfile": reflect.TypeFor[v1alpha1.Profile](),
		"Evaluation": reflect.TypeFor[v1alpha1.Evaluation](), "Lineage": reflect.TypeFor[v1alpha1.Lineage](),
		"Status": reflect.TypeFor[v1alpha1.ModelVersionStatus](), "AuditLine": reflect.TypeFor[v1alpha1.AuditLine](),
		"Candidate": reflect.TypeFor[registry.Candidate](), "Column": reflect.TypeFor[registry.Column](),
		"Interval": reflect.TypeFor[registry.Interval](), "Forecast": reflect.TypeFor[registry.Forecast](), "Change": reflect.TypeFor[registry.Change](),
		"BinChange": reflect.TypeFor[registry.BinChange](), "Shift": reflect.TypeFor[registry.Shift](),
		"Excluded": reflect.TypeFor[registry.Excluded](), "Problem": reflect.TypeFor[api.Problem](),
	}
	// These are no structs of Go's: the rest is checked by what is answered.
	others := []string{"Name", "Lifecycle", "Metrics", "Values", "Result"}
	schemas := describe(t).Components.Schemas
	for name, schema := range schemas {
		goType, ok := types[name]
		if !ok {
			if !slices.Contains(others, name) {
				t.Errorf("schema %s is of no Go type", name)
			}
			continue
		}
		got := slices.Sorted(maps.Keys(schema.Value.Properties))
		want := slices.Sorted(maps.Keys(fields(goType)))
		if !slices.Equal(got, want) {
			t.Errorf("%s: described are %v, %s has %v", name, got, goType, want)
		}
		if a := schema.Value.AdditionalProperties.Has; a == nil || *a {
			t.Errorf("%s: additionalProperties is not false: a field that is not described would pass", name)
		}
	}
	for name := range types {
		if schemas[name] == nil {
			t.Errorf("%s is not described", name)
		}
	}
}

// fields are the JSON names of a struct's fields, the embedded ones too.
func fields(t reflect.Type) map[string]bool {
	names := map[string]bool{}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" && name != "-" && f.IsExported() {
			names[name] = true
		}
	}
	return names
}

// What is answered is one of the words that are described.
func TestWordsAreDescribed(t *testing.T) {
	schemas := describe(t).Components.Schemas
	for name, words := range map[string][]string{
		"Lifecycle": {"registered", "live", "rejected", "retired"},
		"Problem.reason": strs(api.BadRequest, api.Unauthenticated, api.Forbidden, api.NotFound, api.NoProfile, api.MethodNotAllowed,
			api.Conflict, api.TooLarge, api.UnsupportedMedia, api.Invalid, api.Internal, api.Unavailable),
		"Excluded.reason": strs(registry.ExcludedRejected, registry.ExcludedRetired, registry.ExcludedSchema, registry.ExcludedCompat, registry.ExcludedNoProfile,
			registry.ExcludedArtifact, registry.ExcludedDigest, registry.ExcludedForbidden),
		"Result.rule":   strs(registry.RuleDistance, registry.RulePredicted, registry.RuleLabels),
		"Forecast.gate": strs(atlas.Open, atlas.Closed, atlas.NoGate),
	} {
		schema, field, ok := strings.Cut(name, ".")
		s := schemas[schema].Value
		if ok {
			s = s.Properties[field].Value
		}
		var got []string
		for _, v := range s.Enum {
			got = append(got, v.(string))
		}
		slices.Sort(got)
		slices.Sort(words)
		if !slices.Equal(got, words) {
			t.Errorf("%s: got %v, want %v", name, got, words)
		}
	}
}

func strs[T ~string](words ...T) (out []string) {
	for _, w := range words {
		out = append(out, string(w))
	}
	return out
}
