package mlflow

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

func spec() v1alpha1.ModelVersionSpec {
	return v1alpha1.ModelVersionSpec{
		Model:       "churn",
		Artifact:    v1alpha1.Artifact{URI: "s3://models/churn/7", SHA256: strings.Repeat("a", 64)},
		Metrics:     map[string]string{"mae": "6.40"},
		Evaluations: []v1alpha1.Evaluation{{Dataset: "holdout", Metric: "mae", Value: "6.4"}, {Version: 2, Dataset: "holdout", Metric: "mae", Value: "7"}},
		Lineage:     v1alpha1.Lineage{Parent: 2, Decision: "d"},
	}
}

// registered is a model version as Register leaves it.
func registered(t *testing.T, s v1alpha1.ModelVersionSpec) modelVersion {
	t.Helper()
	tags, _, err := encodeSpec(document{Spec: s})
	if err != nil {
		t.Fatal(err)
	}
	return modelVersion{Name: s.Model, Version: 3, Created: 1795466906979, Status: ready, RunID: "r", Source: s.Artifact.URI, Tags: append(tags, tag{tagState, stateComplete}, tag{tagNonce, "n"})}
}

func TestSpecComesBack(t *testing.T) {
	long := spec()
	for i := range 250 { // beyond one tag, and with characters of several bytes at every place
		long.Metrics[fmt.Sprint(strings.Repeat("é", i), strings.Repeat("x", 1+i%4))] = "1"
	}
	for _, s := range []v1alpha1.ModelVersionSpec{spec(), long} {
		v := registered(t, s)
		for _, tag := range v.Tags {
			if len(tag.Value) > maxTag || !json.Valid([]byte(fmt.Sprintf("%q", tag.Value))) {
				t.Errorf("tag %s has %d bytes", tag.Key, len(tag.Value))
			}
		}
		e, err := decode("churn", v, false)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(registry.Numbered(s, 3), e.version.Spec); d != "" {
			t.Errorf("spec (-want +got):\n%s", d)
		}
		if e.draft || !e.ours || e.version.Created.UnixMilli() != 1795466906979 || e.version.Lifecycle != v1alpha1.Registered {
			t.Errorf("got %+v", e)
		}
	}
	huge := spec()
	for i := range 256 {
		huge.Evaluations = append(huge.Evaluations, v1alpha1.Evaluation{Dataset: strings.Repeat("d", 5000), Metric: fmt.Sprint(i), Value: "1"})
	}
	if _, _, err := encodeSpec(document{Spec: huge}); !errors.Is(err, registry.ErrTooLarge) || !strings.Contains(err.Error(), "s3://") {
		t.Errorf("got %v, want too large and where to", err)
	}
}

func TestDecodeLifecycle(t *testing.T) {
	line := func(from, to v1alpha1.Lifecycle) string {
		return fmt.Sprintf(`{"time":"2026-01-02T03:04:05.000006Z","from":%q,"to":%q,"by":"ada","reason":"because"}`, from, to)
	}
	for _, tt := range []struct {
		name    string
		changes []string
		live    bool
		want    v1alpha1.Lifecycle
		said    v1alpha1.Lifecycle
		reason  string
	}{
		{"untouched", nil, false, "registered", "registered", ""},
		{"alias set in MLflow", nil, true, "live", "registered", "alias live was set in MLflow"},
		{"made live", []string{line("registered", "live")}, true, "live", "live", "because"},
		{"alias moved away in MLflow", []string{line("registered", "live")}, false, "registered", "live", "alias live is no longer on this version in MLflow"},
		{"rejected", []string{line("registered", "live"), line("live", "rejected")}, false, "rejected", "rejected", "because"},
		{"rejected, and the alias set in MLflow", []string{line("registered", "rejected")}, true, "rejected", "rejected", "because"},
		{"retired, and the alias left", []string{line("registered", "retired")}, true, "retired", "retired", "because"},
	} {
		v := registered(t, spec())
		for i, c := range tt.changes {
			v.Tags = append(v.Tags, tag{changeTag(i + 1), c})
		}
		e, err := decode("churn", v, tt.live)
		if err != nil || e.version.Lifecycle != tt.want || e.said != tt.said || e.version.Reason != tt.reason || len(e.version.Audit) != len(tt.changes) {
			t.Errorf("%s: got %s (said %s) %q %d lines %v", tt.name, e.version.Lifecycle, e.said, e.version.Reason, len(e.version.Audit), err)
		}
	}
}

func TestDecodeHides(t *testing.T) {
	draft := registered(t, spec())
	draft.Tags = slices.DeleteFunc(draft.Tags, func(t tag) bool { return t.Key == tagState })
	pending := modelVersion{Name: "churn", Version: 1, Status: "PENDING_REGISTRATION"}
	failed := modelVersion{Name: "churn", Version: 1, Status: "FAILED_REGISTRATION"}
	for _, v := range []modelVersion{draft, pending, failed} {
		if e, err := decode("churn", v, false); err != nil || !e.draft {
			t.Errorf("%v is shown: %v", v, err)
		}
	}
	// A copy of another model's version carries its tags.
	copied := registered(t, spec())
	copied.Source = "https://ada:topsecret@host/x"
	e, err := decode("fraud", copied, false)
	if err != nil || e.draft || e.ours || e.version.Spec.Model != "fraud" || e.version.Spec.Artifact.URI != "https://ada:xxxxx@host/x" {
		t.Errorf("a copy: got %+v, %v", e, err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for name, change := range map[string]func(*modelVersion){
		"no JSON":              func(v *modelVersion) { v.Tags[0].Value = "{" },
		"a number as a number": func(v *modelVersion) { v.Version = 0 },
		"a metric that is none": func(v *modelVersion) {
			v.Tags[0].Value = strings.Replace(v.Tags[0].Value, "6.40", "low", 1)
		},
		"a profile of many bytes": func(v *modelVersion) {
			v.Tags[0].Value = strings.Replace(v.Tags[0].Value, `{"spec"`, `{"profileBytes":99999999,"spec"`, 1)
		},
		"an unknown lifecycle": func(v *modelVersion) {
			v.Tags = append(v.Tags, tag{changeTag(1), `{"from":"registered","to":"better"}`})
		},
		"no line": func(v *modelVersion) { v.Tags = append(v.Tags, tag{changeTag(1), `[]`}) },
	} {
		v := registered(t, spec())
		change(&v)
		_, err := decode("churn", v, false)
		if !errors.Is(err, registry.ErrInvalid) {
			t.Errorf("%s: got %v, want invalid", name, err)
		}
	}
}

func TestTamperedSpecIsRefused(t *testing.T) {
	s := spec()
	_, sum, err := encodeSpec(document{Spec: s})
	if err != nil {
		t.Fatal(err)
	}
	v := registered(t, s)
	e, err := decode("churn", v, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.take(content{sum: sum}); err != nil {
		t.Errorf("what was registered is refused: %v", err)
	}
	v.Tags[0].Value = strings.Replace(v.Tags[0].Value, "s3://models/churn/7", "s3://models/evil/77", 1)
	if e, err = decode("churn", v, false); err != nil {
		t.Fatal(err)
	}
	if err := e.take(content{sum: sum}); !errors.Is(err, registry.ErrInvalid) || !strings.Contains(err.Error(), tagSpec) {
		t.Errorf("got %v, want that the tag was changed", err)
	}
}

func TestSource(t *testing.T) {
	for uri, want := range map[string]string{
		"s3://b/k":           "s3://b/k",
		"file:///srv/x":      "file:///srv/x",
		"/srv/x":             "file:///srv/x",
		"reg.io/i@sha256:ab": "oci://reg.io/i@sha256:ab",
	} {
		if got := source(uri); got != want {
			t.Errorf("%s: got %s, want %s", uri, got, want)
		}
	}
}

// bodies are recorded answers of a real server.
func bodies(t testing.TB) [][]byte {
	t.Helper()
	names, err := filepath.Glob("testdata/*.resp")
	if err != nil || len(names) == 0 {
		t.Fatalf("no recorded answers: %v", err)
	}
	var all [][]byte
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(b)), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, body)
	}
	return all
}

// FuzzDecode reads versions as any server may send them: each is refused with
// an error of ours, or is a version that holds together.
func FuzzDecode(f *testing.F) {
	for _, b := range bodies(f) {
		f.Add(b, false)
	}
	tags, _, err := encodeSpec(document{Spec: spec(), ProfileBytes: 10})
	if err != nil {
		f.Fatal(err)
	}
	tags = append(tags, tag{changeTag(1), `{"from":"registered","to":"live"}`})
	ours, err := json.Marshal(map[string]any{"model_versions": []any{map[string]any{"name": "churn", "version": "1", "status": ready, "tags": tags}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(ours, true)
	f.Fuzz(func(t *testing.T, b []byte, live bool) {
		var a struct {
			One  modelVersion   `json:"model_version"`
			Many []modelVersion `json:"model_versions"`
		}
		if json.Unmarshal(b, &a) != nil {
			return
		}
		for _, v := range append(a.Many, a.One) {
			e, err := decode("churn", v, live)
			if err != nil {
				if !errors.Is(err, registry.ErrInvalid) {
					t.Errorf("%v is no error of a registry", err)
				}
				continue
			}
			got := e.version
			if got.Number < 1 || got.Spec.Version != got.Number || got.Spec.Model != "churn" || got.Lifecycle == "" {
				t.Errorf("got %+v", got)
			}
			if e.ours && registry.Validate(withoutNumber(got.Spec)) != nil {
				t.Errorf("a version that could not have been registered: %+v", got.Spec)
			}
		}
	})
}

func withoutNumber(s v1alpha1.ModelVersionSpec) v1alpha1.ModelVersionSpec {
	s.Version, s.Profile = 0, nil
	return s
}

// FuzzDataset reads what a run's data set holds.
func FuzzDataset(f *testing.F) {
	for _, b := range bodies(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var a struct {
			Run run `json:"run"`
		}
		if json.Unmarshal(b, &a) != nil {
			return
		}
		p, err := decodeDataset(a.Run.Inputs.Datasets, "sha256:x")
		if err == nil && p.Digest != "sha256:x" {
			t.Errorf("got a profile of %s", p.Digest)
		}
	})
}
