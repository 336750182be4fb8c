package s3_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/bucket"
	"github.com/leeway-dev/leeway/registry/registrytest"
	"github.com/leeway-dev/leeway/registry/s3"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// worker makes the test's program a process that does work and is killed.
const worker = "LEEWAY_TEST_WORKER"

func TestMain(m *testing.M) {
	if url := os.Getenv(worker); url != "" {
		if from := os.Getenv(copier); from != "" {
			if err := copyFolder(from, url); err != nil {
				fmt.Println(err)
				os.Exit(1)
			}
			os.Exit(0)
		}
		s, err := s3.New("s3://models/registry", bucket.Options{Endpoint: url}, time.Now)
		if err == nil {
			err = work(context.Background(), s)
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// work is something of everything that writes. It can be done again after it
// died anywhere.
func work(ctx context.Context, s registry.Importer) error {
	v, err := s.Register(ctx, decided("first"))
	if err != nil {
		return err
	}
	if v.Lifecycle == v1alpha1.Registered {
		if err := s.SetLifecycle(ctx, "churn", v.Number, v1alpha1.Registered, v1alpha1.Live, "worker", "begun"); err != nil {
			return err
		}
	}
	if _, err := s.Register(ctx, decided("second")); err != nil {
		return err
	}
	old := registry.Version{
		Model: "old", Number: 7, Created: time.Unix(1e9, 0).UTC(), Spec: registry.Numbered(registrytest.Spec("old"), 7), Lifecycle: v1alpha1.Retired,
		Audit: []v1alpha1.AuditLine{{From: v1alpha1.Registered, To: v1alpha1.Live, By: "ada"}, {From: v1alpha1.Live, To: v1alpha1.Retired, By: "bob"}},
	}
	if _, err := s.Get(ctx, "old", 8); err == nil { // done already
		return nil
	}
	if err := s.Import(ctx, old); err != nil {
		return err
	}
	if err := s.ImportDeletion(ctx, registry.Deletion{Model: "old", Number: 3, Time: time.Unix(1e9, 0), By: "ada"}); err != nil {
		return err
	}
	spec := decided("doomed")
	spec.Model = "doomed"
	if v, err = s.Register(ctx, spec); err != nil {
		return err
	}
	if err := s.Delete(ctx, "doomed", v.Number, "worker", "done"); err != nil {
		return err
	}
	spec = decided("last")
	spec.Model = "old"
	_, err = s.Register(ctx, spec)
	return err
}

func decided(decision string) v1alpha1.ModelVersionSpec {
	spec := registrytest.Spec("churn")
	spec.Lineage.Decision = decision
	return spec
}

// killer kills a process at its n-th write, before or after it is done.
type killer struct {
	http.Handler
	n      int
	before bool

	mu      sync.Mutex
	process *os.Process
	writes  int
	killed  bool
}

func (k *killer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	k.mu.Lock()
	defer k.mu.Unlock()
	if r.Method != http.MethodGet && !strings.Contains(r.URL.Path, "/.probe/") && k.process != nil {
		k.writes++
		if k.writes == k.n {
			if !k.before {
				k.Handler.ServeHTTP(httptest.NewRecorder(), r)
			}
			k.killed = true
			_ = k.process.Kill()
			panic(http.ErrAbortHandler)
		}
	}
	k.Handler.ServeHTTP(w, r)
}

// A worker is killed at every write it makes, before the server did it and
// after; the next one ends the work, and nothing was lost or done twice.
func TestKilled(t *testing.T) {
	setenv(t)
	for _, before := range []bool{true, false} {
		for n := 1; ; n++ {
			k := &killer{Handler: fakeS3(t), n: n, before: before}
			url := serve(t, k)
			c := exec.Command(os.Args[0])
			c.Env = append(os.Environ(), worker+"="+url)
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
				t.Fatalf("write %d: killed %v, and the worker says %v", n, killed, err)
			}
			if _, err := open(t, url).List(t.Context(), "churn"); err != nil {
				t.Errorf("write %d, before %v: a reader: %v", n, before, err)
			}
			if err := work(t.Context(), open(t, url)); err != nil {
				t.Errorf("write %d, before %v: the next worker: %v", n, before, err)
			}
			checkWork(t, open(t, url), fmt.Sprintf("write %d, before %v", n, before))
			if !killed {
				if n < 10 {
					t.Errorf("the work has only %d writes", n-1)
				}
				break
			}
		}
	}
}

func checkWork(t *testing.T, s *s3.Store, when string) {
	t.Helper()
	got := ""
	for _, model := range []string{"churn", "old", "doomed"} {
		vs, err := s.List(t.Context(), model)
		if err != nil {
			t.Errorf("%s: %v", when, err)
		}
		for _, v := range vs {
			got += fmt.Sprintf("%s-%d:%s/%d ", model, v.Number, v.Lifecycle, len(v.Audit))
		}
		ds, err := s.Deletions(t.Context(), model)
		if err != nil {
			t.Errorf("%s: %v", when, err)
		}
		for _, d := range ds {
			if model != "doomed" {
				got += fmt.Sprintf("%s-%d:deleted by %s ", model, d.Number, d.By)
			} else if d.By != "worker" {
				t.Errorf("%s: deleted by %q", when, d.By)
			}
		}
	}
	// The decision of the doomed is registered anew each time, as it should be.
	if want := "churn-1:live/1 churn-2:registered/0 old-7:retired/2 old-8:registered/0 old-3:deleted by ada "; got != want {
		t.Errorf("%s: got %s, want %s", when, got, want)
	}
}
