package registrytest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

func mustRegister(t *testing.T, s registry.Store, spec v1alpha1.ModelVersionSpec) registry.Version {
	t.Helper()
	v, err := s.Register(t.Context(), spec)
	if err != nil {
		t.Fatalf("register: %v", err)
	}
	return v
}

func fullSpec(t *testing.T) v1alpha1.ModelVersionSpec {
	t.Helper()
	// Bytes that don't compress: the store keeps them exactly.
	noise := make([]byte, 20<<10)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	p, err := registry.Pack(noise)
	if err != nil {
		t.Fatal(err)
	}
	from, to := metav1.NewTime(time.Date(2013, 1, 1, 0, 0, 0, 0, time.UTC)), metav1.NewTime(time.Date(2013, 3, 1, 0, 0, 0, 0, time.UTC))
	spec := Spec("churn")
	spec.Dataset = v1alpha1.Dataset{Name: "winter", URI: "s3://data/winter.csv", Rows: 8000, From: &from, To: &to, MD5: "d41d8cd98f00b204e9800998ecf8427e", Commit: "4b825dc"}
	spec.Profile = p
	spec.Metrics = map[string]string{"mae": "6.4", "r2": "0.9"}
	spec.Evaluations = []v1alpha1.Evaluation{{Version: 7, Dataset: "holdout-7", Metric: "mae", Value: "7.5"}, {Dataset: "holdout-7", Metric: "mae", Value: "6.4"}}
	spec.Lineage = v1alpha1.Lineage{Parent: 7, Run: "run-1", Decision: "churn-1a2b"}
	spec.Compat = "features=2"
	return spec
}

func roundTrip(t *testing.T, open func() registry.Store, _ Options) {
	spec := fullSpec(t)
	before := time.Now().Add(-time.Minute)
	v := mustRegister(t, open(), spec)
	want := registry.Numbered(spec, 1)
	if want.Evaluations[1].Version != 1 {
		t.Fatalf("an evaluation of the version itself did not get its number: %v", want.Evaluations)
	}
	got, err := open().Get(t.Context(), "churn", 1)
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]registry.Version{"Register": v, "Get": got} {
		if d := cmp.Diff(want, v.Spec); d != "" {
			t.Errorf("%s: spec (-want +got):\n%s", name, d)
		}
		if v.Model != "churn" || v.Number != 1 || v.Lifecycle != v1alpha1.Registered || len(v.Audit) != 0 {
			t.Errorf("%s: got %s %d %s %v, want churn 1 registered and no changes", name, v.Model, v.Number, v.Lifecycle, v.Audit)
		}
		if v.Created.Before(before) || v.Created.After(time.Now().Add(time.Minute)) {
			t.Errorf("%s: created %s", name, v.Created)
		}
	}
	if _, err := registry.Unpack(*got.Spec.Profile); err != nil {
		t.Errorf("the profile did not come back: %v", err)
	}
}

func unknown(t *testing.T, open func() registry.Store, _ Options) {
	s := open()
	mustRegister(t, s, Spec("churn"))
	for _, tt := range []struct {
		model  string
		number int64
	}{{"churn", 2}, {"churn", 0}, {"churn", -1}, {"other", 1}} {
		_, err := s.Get(t.Context(), tt.model, tt.number)
		if !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("get %s %d: got %v, want not found", tt.model, tt.number, err)
		}
		err = s.SetLifecycle(t.Context(), tt.model, tt.number, v1alpha1.Registered, v1alpha1.Rejected, "me", "bad")
		if !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("change %s %d: got %v, want not found", tt.model, tt.number, err)
		}
	}
	if vs, err := s.List(t.Context(), "other"); err != nil || len(vs) != 0 {
		t.Errorf("list of an unknown model: got %v, %v, want none", vs, err)
	}
	if _, err := s.Get(t.Context(), "../churn", 1); !errors.Is(err, registry.ErrInvalid) {
		t.Errorf("get of a name with a path in it: got %v, want invalid", err)
	}
}

func listed(t *testing.T, open func() registry.Store, _ Options) {
	s := open()
	for range 11 { // beyond 9, where names and numbers sort differently
		mustRegister(t, s, Spec("churn"))
	}
	mustRegister(t, s, Spec("churn-1"))
	if got, want := numbers(t, open(), "churn"), []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}; !slices.Equal(got, want) {
		t.Errorf("churn: got %v, want %v", got, want)
	}
	if got, want := numbers(t, open(), "churn-1"), []int64{1}; !slices.Equal(got, want) {
		t.Errorf("churn-1: got %v, want %v", got, want)
	}
}

func numbers(t *testing.T, s registry.Store, model string) []int64 {
	t.Helper()
	vs, err := s.List(t.Context(), model)
	if err != nil {
		t.Fatalf("list: %v", err)
	}
	var ns []int64
	for _, v := range vs {
		if v.Model != model || v.Spec.Model != model || v.Spec.Version != v.Number {
			t.Errorf("version %d of %s says that it is %d of %s", v.Number, model, v.Spec.Version, v.Spec.Model)
		}
		ns = append(ns, v.Number)
	}
	return ns
}

func refused(t *testing.T, open func() registry.Store, _ Options) {
	s := open()
	for name, change := range map[string]func(*v1alpha1.ModelVersionSpec){
		"no model":                func(s *v1alpha1.ModelVersionSpec) { s.Model = "" },
		"a path as a model":       func(s *v1alpha1.ModelVersionSpec) { s.Model = "../x" },
		"a number":                func(s *v1alpha1.ModelVersionSpec) { s.Version = 3 },
		"no artifact":             func(s *v1alpha1.ModelVersionSpec) { s.Artifact.URI = "" },
		"a digest that is none":   func(s *v1alpha1.ModelVersionSpec) { s.Artifact.SHA256 = "abc" },
		"a password":              func(s *v1alpha1.ModelVersionSpec) { s.Artifact.URI = "https://me:secret@host/x" },
		"a metric without number": func(s *v1alpha1.ModelVersionSpec) { s.Metrics = map[string]string{"mae": "low"} },
		"a profile that was changed": func(s *v1alpha1.ModelVersionSpec) {
			s.Profile, _ = registry.Pack([]byte("{}"))
			s.Profile.Digest = "sha256:" + strings.Repeat("0", 64)
		},
	} {
		spec := Spec("churn")
		change(&spec)
		_, err := s.Register(t.Context(), spec)
		if !errors.Is(err, registry.ErrInvalid) {
			t.Errorf("%s: got %v, want invalid", name, err)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error tells the password: %v", name, err)
		}
	}
	if got := numbers(t, s, "churn"); len(got) != 0 {
		t.Errorf("refused versions were registered: %v", got)
	}
}

func numbersOnce(t *testing.T, open func() registry.Store, o Options) {
	var (
		mu    sync.Mutex
		given = map[int64]string{}
		wg    sync.WaitGroup
	)
	for r := range o.Registrars {
		s := open()
		wg.Go(func() {
			for i := range o.Each {
				spec := Spec("churn")
				spec.Lineage.Run = fmt.Sprintf("%d/%d", r, i)
				v, err := s.Register(t.Context(), spec)
				if err != nil {
					t.Errorf("registrar %s: %v", spec.Lineage.Run, err)
					return
				}
				mu.Lock()
				if other, taken := given[v.Number]; taken {
					t.Errorf("number %d was given to %s and to %s", v.Number, other, spec.Lineage.Run)
				}
				given[v.Number] = spec.Lineage.Run
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	vs, err := open().List(t.Context(), "churn")
	if err != nil {
		t.Fatal(err)
	}
	if len(vs) != o.Registrars*o.Each {
		t.Errorf("%d versions are there, %d were registered", len(vs), o.Registrars*o.Each)
	}
	for _, v := range vs {
		if given[v.Number] != v.Spec.Lineage.Run {
			t.Errorf("version %d is of %s, was given to %s", v.Number, v.Spec.Lineage.Run, given[v.Number])
		}
	}
}

func cancelled(t *testing.T, open func() registry.Store, _ Options) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := open()
	if _, err := s.Register(ctx, Spec("churn")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want cancelled", err)
	}
	if got := numbers(t, s, "churn"); len(got) != 0 {
		t.Errorf("versions %v are there, want none", got)
	}
}
