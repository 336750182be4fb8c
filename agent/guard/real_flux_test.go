package guard_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// fluxEnv says that Flux's kustomize-controller runs on the cluster, on all
// namespaces, and has a network in common with the tests.
const fluxEnv = "LEEWAY_TEST_FLUX"

// repository is one that Flux applies to the test's namespace what is pushed to.
// Its artifacts are served, and written into the GitRepository's status, by the
// test, where Flux has its source-controller.
type repository struct {
	w        *world
	url      string
	artifact []byte
	revision string
	pushes   int
}

// withFlux skips the test where Flux doesn't run.
func withFlux(t *testing.T) *repository {
	t.Helper()
	if os.Getenv(fluxEnv) == "" {
		t.Skip(fluxEnv + " is not set: it says that Flux runs on the cluster")
	}
	return &repository{}
}

// apply is a tool: it commits the manifest in a version, and waits until Flux has
// applied it.
func (r *repository) apply(w *world, version string, _ ...string) error {
	return r.push(w, w.manifest(version))
}

func (r *repository) push(w *world, manifest string) error {
	if r.w == nil {
		if err := r.open(w); err != nil {
			return err
		}
	}
	r.pushes++
	artifact, err := packed("churn.yaml", manifest)
	if err != nil {
		return err
	}
	r.artifact, r.revision = artifact, fmt.Sprintf("main@sha1:%040x", r.pushes)
	source := r.object("source.toolkit.fluxcd.io/v1", "GitRepository", nil)
	if err := w.client.Get(w.t.Context(), client.ObjectKey{Namespace: w.ns, Name: name}, source); err != nil {
		return err
	}
	source.Object["status"] = map[string]any{"artifact": map[string]any{
		"path": "churn.tar.gz", "url": fmt.Sprintf("%s/%d.tar.gz", r.url, r.pushes), "revision": r.revision,
		"digest": fmt.Sprintf("sha256:%x", sha256.Sum256(artifact)), "lastUpdateTime": time.Now().UTC().Format(time.RFC3339),
	}}
	if err := w.client.Status().Update(w.t.Context(), source); err != nil {
		return err
	}
	r.wait()
	return nil
}

// open serves the repository, and has Flux apply it.
func (r *repository) open(w *world) error {
	r.w = w
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(r.artifact) }))
	w.t.Cleanup(server.Close)
	r.url = server.URL
	for _, o := range []*unstructured.Unstructured{
		r.object("source.toolkit.fluxcd.io/v1", "GitRepository", map[string]any{"interval": "1h", "url": "https://git.example/churn"}),
		r.object("kustomize.toolkit.fluxcd.io/v1", "Kustomization", map[string]any{
			"interval": "2s", "retryInterval": "1s", "path": "./", "prune": false, "targetNamespace": w.ns,
			"sourceRef": map[string]any{"kind": "GitRepository", "name": name},
		}),
	} {
		if err := w.client.Create(w.t.Context(), o); err != nil {
			return err
		}
	}
	return nil
}

func (r *repository) object(apiVersion, kind string, spec map[string]any) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": apiVersion, "kind": kind}}
	o.SetNamespace(r.w.ns)
	o.SetName(name)
	if spec != nil {
		o.Object["spec"] = spec
	}
	return o
}

// wait waits until Flux has applied what was pushed last.
func (r *repository) wait() {
	r.w.t.Helper()
	r.w.eventually("Flux has applied "+r.revision, func() bool {
		return r.w.must("get", "kustomization", name, "-o", "jsonpath={.status.lastAppliedRevision}") == r.revision
	})
}

// packed is an artifact with one file.
func packed(file, text string) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	t := tar.NewWriter(z)
	if err := t.WriteHeader(&tar.Header{Name: file, Mode: 0o644, Size: int64(len(text))}); err != nil {
		return nil, err
	}
	if _, err := t.Write([]byte(text)); err != nil {
		return nil, err
	}
	if err := t.Close(); err != nil {
		return nil, err
	}
	err := z.Close()
	return b.Bytes(), err
}

// TestRealFlux: what Flux applies is not touched. The change is printed,
// committed, and applied by Flux.
func TestRealFlux(t *testing.T) {
	git := withFlux(t)
	w := realRelease(t, git.apply)
	w.tick(5)
	w.wantState(w.one(), v1alpha1.StateHeld, "gitops_owned")
	w.wantPhase(v1alpha1.Held, "gitops_owned")
	w.wantSaid("kustomize-controller owns the model's fields")
	w.tick(30)
	w.wantServes("2")
	w.wantChanges(1)
	if m := w.managers(); strings.Contains(m, "leeway") {
		t.Errorf("field managers: %s", m)
	}

	manifest, err := os.ReadFile(w.commit())
	if err != nil {
		t.Fatal(err)
	}
	if err := git.push(w, string(manifest)); err != nil {
		t.Fatal(err)
	}
	w.alerts = nil
	w.settle(30)
	w.wantServes("1")
	w.wantPhase(v1alpha1.Watching, "healthy")
	w.one()
	w.wantChanges(2)
}

// TestRealFluxTakesOver: Flux adopts the workload while a change of Leeway's is
// watched.
func TestRealFluxTakesOver(t *testing.T) {
	t.Run("with what serves", func(t *testing.T) {
		git := withFlux(t)
		w := realRollback(t, byHand)
		w.apply("1", git.apply)
		w.shows["1"] = shown{requests: 5000, errors: 4000, p99: 0.02}
		w.tick(30)
		w.wantState(w.decisions()[0], v1alpha1.StateHeld, "gitops_owned")
		w.wantServes("1")
		w.wantChanges(3) // the third of an annotation of kubectl's, which Flux takes away
	})
	t.Run("with what was left", func(t *testing.T) {
		git := withFlux(t)
		w := realRollback(t, byHand)
		w.apply("2", git.apply)
		w.alert("errors", "", "10s", "2", "")
		w.tick(15)
		w.wantState(w.one(), v1alpha1.Superseded, "human_changed")
		w.wantPhase(v1alpha1.Held, "rejected_version_returned")
		w.wantSaid("kustomize-controller put it back")
		w.wantServes("2")
		w.wantChanges(4) // one of them of that annotation
	})
}
