package dir_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/dir"
	"github.com/leeway-dev/leeway/registry/registrytest"
)

// others makes models of so many versions each that can't be read: whoever reads
// one fails. They are one file with many names.
func others(tb testing.TB, path string, models, versions int) {
	tb.Helper()
	for i := range models {
		folder := filepath.Join(path, fmt.Sprintf("other%06d", i), "versions")
		if err := os.MkdirAll(folder, 0o755); err != nil {
			tb.Fatal(err)
		}
		first := filepath.Join(folder, "1.json")
		if err := os.WriteFile(first, []byte("not to be read"), 0o600); err != nil {
			tb.Fatal(err)
		}
		for n := 2; n <= versions; n++ {
			if err := os.Link(first, filepath.Join(folder, fmt.Sprint(n, ".json"))); err != nil {
				tb.Fatal(err)
			}
		}
	}
}

// Of a registry of many models only the one that is asked for is read, and kept in
// memory: of 10,000 versions, or with LEEWAY_TEST_LONG of a million.
func TestManyModels(t *testing.T) {
	models := 100
	if os.Getenv(long) != "" {
		models = 10_000
	}
	path := t.TempDir()
	began := time.Now()
	others(t, path, models, 100)
	t.Logf("%d models of 100 versions made in %s", models, time.Since(began).Round(time.Millisecond))
	registrytest.OneModel(t, func() registry.Store { return dir.New(path, time.Now) }, 100)

	s := dir.New(path, time.Now)
	began = time.Now()
	if names, err := s.Models(t.Context()); err != nil || len(names) != models+1 {
		t.Errorf("%d models, %v", len(names), err)
	}
	t.Logf("models listed in %s", time.Since(began).Round(time.Millisecond))
	if _, err := s.List(t.Context(), "other000000"); err == nil {
		t.Error("what can't be read was read")
	}
}

// Opening a registry and listing one model takes the same, however many others
// there are.
func BenchmarkOneOfManyModels(b *testing.B) {
	for _, models := range []int{10, 1000, 10_000} {
		b.Run(fmt.Sprintf("models=%d", models), func(b *testing.B) {
			path := b.TempDir()
			if _, err := dir.New(path, time.Now).Register(b.Context(), registrytest.Spec("churn")); err != nil {
				b.Fatal(err)
			}
			others(b, path, models, 2)
			for b.Loop() {
				if versions, err := dir.New(path, time.Now).List(b.Context(), "churn"); err != nil || len(versions) != 1 {
					b.Fatal(len(versions), err)
				}
			}
		})
	}
}
