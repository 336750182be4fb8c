package s3_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/bucket"
	"github.com/leeway-dev/leeway/registry/dir"
	"github.com/leeway-dev/leeway/registry/registrytest"
	"github.com/leeway-dev/leeway/registry/s3"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// copier makes the test's program a process that copies a folder and is killed.
const copier = "LEEWAY_TEST_COPY_FROM"

func copyFolder(from, url string) error {
	to, err := s3.New("s3://models/registry", bucket.Options{Endpoint: url}, time.Now)
	if err != nil {
		return err
	}
	_, err = registry.Copy(context.Background(), dir.New(from, time.Now), to, registry.CopyOptions{})
	return err
}

// lived makes a registry that has seen everything.
func lived(t *testing.T, path string) *dir.Store {
	t.Helper()
	s := dir.New(path, time.Now)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, model := range []string{"churn", "fraud"} {
		for i := range 4 {
			spec := registrytest.Spec(model)
			spec.Lineage.Decision = fmt.Sprint(model, i)
			spec.Metrics = map[string]string{"mae": fmt.Sprint(i)}
			spec.Evaluations = []v1alpha1.Evaluation{{Dataset: "holdout", Metric: "mae", Value: "1"}}
			var err error
			spec.Profile, err = registry.Pack([]byte(fmt.Sprint("profile", i)))
			must(err)
			_, err = s.Register(t.Context(), spec)
			must(err)
		}
		must(s.SetLifecycle(t.Context(), model, 1, v1alpha1.Registered, v1alpha1.Live, "ada", "gate passed"))
		must(s.SetLifecycle(t.Context(), model, 1, v1alpha1.Live, v1alpha1.Rejected, "bob", "20% errors"))
		must(s.SetLifecycle(t.Context(), model, 2, v1alpha1.Registered, v1alpha1.Live, "ada", "gate passed"))
		must(s.Delete(t.Context(), model, 3, "gc", "too many"))
	}
	must(s.Delete(t.Context(), "fraud", 4, "gc", "the newest"))
	return s
}

// contents of a registry: all that is in it.
func contents(t *testing.T, s registry.Store) string {
	t.Helper()
	all := map[string]any{}
	models, err := s.Models(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range models {
		vs, err := s.List(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		ds, err := registry.Deletions(t.Context(), s, m)
		if err != nil {
			t.Fatal(err)
		}
		all[m] = []any{vs, ds}
	}
	b, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestCopy(t *testing.T) {
	setenv(t)
	from := lived(t, t.TempDir())
	middle := open(t, serve(t, fakeS3(t)))
	to := dir.New(t.TempDir(), time.Now)
	wantResult := []registry.Copied{{Model: "churn", Versions: 3, Copied: 3, Deleted: 1}, {Model: "fraud", Versions: 2, Copied: 2, Deleted: 2}}
	nothing := []registry.Copied{{Model: "churn", Versions: 3}, {Model: "fraud", Versions: 2}}
	copies := func(from registry.Store, to registry.Importer, dry bool, want []registry.Copied) {
		t.Helper()
		got, err := registry.Copy(t.Context(), from, to, registry.CopyOptions{DryRun: dry})
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Errorf("%v (-want +got):\n%s", err, d)
		}
	}
	copies(from, middle, true, wantResult)
	if models, err := middle.Models(t.Context()); err != nil || len(models) != 0 {
		t.Errorf("a dry run wrote %v, %v", models, err)
	}
	copies(from, middle, false, wantResult)
	copies(from, middle, false, nothing)
	copies(middle, to, false, wantResult)
	if d := cmp.Diff(contents(t, from), contents(t, to)); d != "" {
		t.Errorf("dir to s3 to dir (-from +to):\n%s", d)
	}
	for _, s := range []registry.Importer{middle, to} {
		spec := registrytest.Spec("churn")
		spec.Lineage.Decision, spec.Metrics = "churn1", map[string]string{"mae": "1"}
		spec.Evaluations = []v1alpha1.Evaluation{{Dataset: "holdout", Metric: "mae", Value: "1"}}
		spec.Profile, _ = registry.Pack([]byte("profile1"))
		if v, err := s.Register(t.Context(), spec); err != nil || v.Number != 2 {
			t.Errorf("what was copied is registered again for its decision: got %d, %v, want 2", v.Number, err)
		}
		if v, err := s.Register(t.Context(), registrytest.Spec("fraud")); err != nil || v.Number != 5 {
			t.Errorf("after a deleted version 4: got %d, %v, want 5", v.Number, err)
		}
	}
	if _, err := registry.Copy(t.Context(), from, to, registry.CopyOptions{}); !errors.Is(err, registry.ErrConflict) {
		t.Errorf("into a registry that went on: got %v, want a conflict", err)
	}
	if _, err := registry.Copy(t.Context(), from, to, registry.CopyOptions{Model: "other"}); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("a model that is not there: got %v", err)
	}
}

// A copy is killed at every write, before the server did it and after; copying
// again makes it whole.
func TestCopyKilled(t *testing.T) {
	setenv(t)
	path := t.TempDir()
	want := contents(t, lived(t, path))
	for n := 1; ; n++ {
		k := &killer{Handler: fakeS3(t), n: n, before: n%2 == 0}
		url := serve(t, k)
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), worker+"="+url, copier+"="+path)
		k.mu.Lock()
		err := c.Start()
		k.process = c.Process
		k.mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
		err = c.Wait()
		k.mu.Lock()
		killed := k.killed
		k.process = nil
		k.mu.Unlock()
		if killed == (err == nil) {
			t.Fatalf("write %d: killed %v, and the copier says %v", n, killed, err)
		}
		if err := copyFolder(path, url); err != nil {
			t.Errorf("write %d: copied again: %v", n, err)
		}
		if d := cmp.Diff(want, contents(t, open(t, url)), cmpopts.EquateEmpty()); d != "" {
			t.Errorf("write %d (-want +got):\n%s", n, d)
		}
		if !killed {
			if n < 15 {
				t.Errorf("the copy has only %d writes", n-1)
			}
			return
		}
	}
}

// corrupting is a store that returns other bytes than it was given.
type corrupting struct{ registry.Importer }

func (c corrupting) Get(ctx context.Context, model string, number int64) (registry.Version, error) {
	v, err := c.Importer.Get(ctx, model, number)
	if err == nil && number == 2 {
		v.Spec.Profile.Gzip = "H4sIAAAAAAAC/wMAAAAAAAAAAAA="
	}
	return v, err
}

func TestCopyVerifies(t *testing.T) {
	from := lived(t, t.TempDir())
	_, err := registry.Copy(t.Context(), from, corrupting{dir.New(t.TempDir(), time.Now)}, registry.CopyOptions{})
	if !errors.Is(err, registry.ErrInvalid) {
		t.Errorf("a store that loses bytes: got %v", err)
	}
}
