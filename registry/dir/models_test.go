package dir_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/dir"
	"github.com/leeway-dev/leeway/registry/registrytest"
)

// others makes models of two versions each that can't be read: whoever reads one
// fails.
func others(tb testing.TB, path string, models int) {
	tb.Helper()
	for i := range models {
		folder := filepath.Join(path, fmt.Sprintf("other%06d", i), "versions")
		if err := os.MkdirAll(folder, 0o755); err != nil {
			tb.Fatal(err)
		}
		for _, name := range []string{"1.json", "2.json"} {
			if err := os.WriteFile(filepath.Join(folder, name), []byte("not to be read"), 0o600); err != nil {
				tb.Fatal(err)
			}
		}
	}
}

// Of a registry of many models only the one that is asked for is read, and kept in
// memory.
func TestManyModels(t *testing.T) {
	models := 1000
	if os.Getenv(long) != "" {
		models = 10_000
	}
	path := t.TempDir()
	s := dir.New(path, time.Now)
	if _, err := s.Register(t.Context(), registrytest.Spec("churn")); err != nil {
		t.Fatal(err)
	}
	others(t, path, models)

	before := heap()
	s = dir.New(path, time.Now)
	versions, err := s.List(t.Context(), "churn")
	if err != nil || len(versions) != 1 {
		t.Fatalf("%d versions, %v", len(versions), err)
	}
	if _, err := registry.NewMatcher(versions); err != nil {
		t.Fatal(err)
	}
	if grown := heap() - before; grown > 1<<20 {
		t.Errorf("one model of %d takes %d bytes", models, grown)
	}
	runtime.KeepAlive(s)
	if names, err := s.Models(t.Context()); err != nil || len(names) != models+1 {
		t.Errorf("%d models, %v", len(names), err)
	}
	if _, err := s.List(t.Context(), "other000000"); err == nil {
		t.Error("what can't be read was read")
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
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
			others(b, path, models)
			for b.Loop() {
				if versions, err := dir.New(path, time.Now).List(b.Context(), "churn"); err != nil || len(versions) != 1 {
					b.Fatal(len(versions), err)
				}
			}
		})
	}
}
