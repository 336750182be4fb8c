package registrytest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// importable is a version as another store had it.
func importable(t *testing.T, number int64) registry.Version {
	at := time.Date(2025, 3, 1, 12, 0, 0, 123456000, time.UTC)
	return registry.Version{
		Model: "churn", Number: number, Created: at, Spec: registry.Numbered(fullSpec(t), number),
		Lifecycle: v1alpha1.Rejected, Reason: "20% errors",
		Audit: []v1alpha1.AuditLine{
			{Time: metav1.NewMicroTime(at.Add(time.Hour)), From: v1alpha1.Registered, To: v1alpha1.Live, By: "ada", Reason: "gate passed"},
			{Time: metav1.NewMicroTime(at.Add(2 * time.Hour)), From: v1alpha1.Live, To: v1alpha1.Rejected, By: "bob", Reason: "20% errors"},
		},
	}
}

func imported(t *testing.T, open func() registry.Store, _ Options) {
	s, ok := open().(registry.Importer)
	if !ok {
		t.Skip("this store takes over no versions")
	}
	v := importable(t, 9)
	half := v // of an import that died before the last audit line
	half.Audit, half.Lifecycle, half.Reason = v.Audit[:1], v1alpha1.Live, "gate passed"
	for _, v := range []registry.Version{half, v, v} {
		if err := s.Import(t.Context(), v); err != nil {
			t.Fatal(err)
		}
	}
	got, err := open().Get(t.Context(), "churn", 9)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(v.Spec, got.Spec); d != "" {
		t.Errorf("spec (-want +got):\n%s", d)
	}
	if !got.Created.Equal(v.Created) || got.Lifecycle != v.Lifecycle || got.Reason != v.Reason || !slices.EqualFunc(got.Audit, v.Audit, registry.SameLine) {
		t.Errorf("got %s %s %q %v, want %s %s %q %v", got.Created, got.Lifecycle, got.Reason, got.Audit, v.Created, v.Lifecycle, v.Reason, v.Audit)
	}
	if again := mustRegister(t, open(), fullSpec(t)); again.Number != 9 {
		t.Errorf("what was imported is registered again for its decision as version %d", again.Number)
	}
	if next := mustRegister(t, open(), Spec("churn")); next.Number != 10 {
		t.Errorf("after importing 9: got number %d, want 10", next.Number)
	}
}

func importRefused(t *testing.T, open func() registry.Store, _ Options) {
	s, ok := open().(registry.Importer)
	if !ok {
		t.Skip("this store takes over no versions")
	}
	v := importable(t, 3)
	if err := s.Import(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*registry.Version){
		"other content": func(v *registry.Version) { v.Spec.Metrics["mae"] = "9" },
		"another time":  func(v *registry.Version) { v.Created = v.Created.Add(time.Hour) },
		"another audit": func(v *registry.Version) { v.Audit[1].By = "eve" },
	} {
		other := importable(t, 3)
		change(&other)
		if err := s.Import(t.Context(), other); !errors.Is(err, registry.ErrConflict) {
			t.Errorf("%s: got %v, want a conflict", name, err)
		}
	}
	wrong := importable(t, 3)
	wrong.Number = 4
	if err := s.Import(t.Context(), wrong); !errors.Is(err, registry.ErrInvalid) {
		t.Errorf("a number that is not the spec's: got %v, want invalid", err)
	}
	if err := s.ImportDeletion(t.Context(), registry.Deletion{Model: "churn", Number: 3}); !errors.Is(err, registry.ErrConflict) {
		t.Errorf("deletion of a version that is there: got %v, want a conflict", err)
	}
	byStore(open)(t, "churn", 3)
	if err := s.Import(t.Context(), v); !errors.Is(err, registry.ErrConflict) {
		t.Errorf("a version that was deleted: got %v, want a conflict", err)
	}
}

func importDeletion(t *testing.T, open func() registry.Store, _ Options) {
	s, ok := open().(registry.Importer)
	if !ok {
		t.Skip("this store takes over no versions")
	}
	at := time.Date(2025, 3, 1, 12, 0, 0, 123456000, time.UTC)
	known := registry.Deletion{Model: "churn", Number: 2, Time: at, By: "gc", Reason: "too many"}
	unknown := registry.Deletion{Model: "churn", Number: 4}
	for range 2 {
		for _, d := range []registry.Deletion{known, unknown} {
			if err := s.ImportDeletion(t.Context(), d); err != nil {
				t.Fatal(err)
			}
		}
	}
	got, err := registry.Deletions(t.Context(), open(), "churn")
	if d := cmp.Diff([]registry.Deletion{known, unknown}, got); err != nil || d != "" {
		t.Errorf("deletions: %v (-want +got):\n%s", err, d)
	}
	if v := mustRegister(t, open(), Spec("churn")); v.Number != 5 {
		t.Errorf("got number %d, want 5", v.Number)
	}
	if models, err := open().Models(t.Context()); err != nil || !slices.Equal(models, []string{"churn"}) {
		t.Errorf("got models %v, %v", models, err)
	}
}
