package chaos_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/leeway-dev/leeway/e2e/child"
	"github.com/leeway-dev/leeway/e2e/plane"
)

// world is all that runs: the control plane, the agents, and what is played.
type world struct {
	ctx      context.Context // of all processes
	dir      string
	plane    *plane.Plane
	kube     kubernetes.Interface
	dynamic  dynamic.Interface
	replicas [2]*replica
	viewer   string // token of who may ask the controllers
	kubelet  *kubelet
	digests  map[centre]string // of profiles
	audit    *auditLog
	ended    sync.WaitGroup

	mu     sync.Mutex
	out    io.Writer
	scenes map[string]*scene // by namespace
}

// newWorld starts everything. It ends with the test.
func newWorld(t *testing.T) *world {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w := &world{ctx: ctx, dir: t.TempDir(), out: t.Output(), digests: map[centre]string{}, scenes: map[string]*scene{}}
	began := time.Now()
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"programs", w.build}, {"control plane", w.startPlane}, {"rights", w.grant}, {"rules and profiles", w.learn}, {"agents", w.startAgents},
	} {
		if err := step.do(t.Context()); err != nil {
			cancel()
			t.Fatalf("%s: %v", step.what, err)
		}
		w.say("%s are there after %.1fs", step.what, time.Since(began).Seconds())
		if step.what == "control plane" {
			t.Cleanup(w.plane.Close)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			w.keep(t)
		}
		for _, r := range w.replicas {
			r.api.open() // so that nobody waits at a gate
		}
		cancel()
		w.ended.Wait()
	})
	w.kubelet = &kubelet{w: w, pods: map[podUID]*servedPod{}}
	w.ended.Go(func() { w.kubelet.run(ctx) })
	return w
}

// keep prints the ends of the logs of a failed test, and keeps all of them where
// LEEWAY_CHAOS_LOGS says.
func (w *world) keep(t *testing.T) {
	to := os.Getenv("LEEWAY_CHAOS_LOGS")
	for _, name := range []string{w.replicas[0].name + ".log", w.replicas[1].name + ".log", "node.log", "audit.log"} {
		b, err := os.ReadFile(w.path(name))
		if err != nil {
			continue
		}
		if name != "audit.log" {
			t.Logf("%s ends with:\n%s", name, b[max(0, len(b)-3000):])
		}
		if to != "" {
			if err := os.WriteFile(filepath.Join(to, name), b, 0o600); err != nil {
				t.Log(err)
			}
		}
	}
}

// say prints a line with the time.
func (w *world) say(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fmt.Fprintf(w.out, "%s %s\n", time.Now().UTC().Format("15:04:05.000"), fmt.Sprintf(format, args...))
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

// build makes the programs of the module above, unless a folder has them.
func (w *world) build(ctx context.Context) error {
	if *programs != "" {
		for _, name := range []string{"leeway", "leeway-agent", "leeway-sidecar"} {
			if err := os.Symlink(filepath.Join(*programs, name), w.path(name)); err != nil {
				return err
			}
		}
		return nil
	}
	cmd := child.Command(ctx, "go", "build", "-trimpath", "-o", w.dir+"/", "./cmd/leeway", "./cmd/leeway-agent", "./cmd/leeway-sidecar")
	cmd.Dir, cmd.Env = "../..", append(os.Environ(), "CGO_ENABLED=0")
	_, err := child.Run(cmd)
	return err
}

func (w *world) startPlane(ctx context.Context) (err error) {
	policy, err := filepath.Abs("audit.yaml")
	if err != nil {
		return err
	}
	kube := ""
	if *programs != "" {
		kube = filepath.Join(*programs, "kube")
	}
	w.plane, err = plane.Start(ctx, plane.Options{
		Dir: w.dir, Module: "..", Program: kube, AuditPolicy: policy, Authorization: "RBAC",
		Controllers: []string{"deployment-controller", "replicaset-controller", "job-controller", "namespace-controller", "garbage-collector-controller"},
	})
	if err != nil {
		return err
	}
	w.audit = &auditLog{path: w.plane.AuditLog}
	config, err := clientcmd.BuildConfigFromFlags("", w.plane.Kubeconfig)
	if err != nil {
		return err
	}
	config.QPS, config.Burst = 500, 1000
	if w.kube, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	w.dynamic, err = dynamic.NewForConfig(config)
	return err
}

// grant installs Leeway's kinds and roles, but for its pods.
func (w *world) grant(ctx context.Context) error {
	for _, args := range [][]string{
		{"create", "namespace", system},
		{"apply", "-f", "../../manifests/base/crd"},
		{"apply", "-n", system, "-f", "../../manifests/base/rbac.yaml", "-f", "../../manifests/base/role.yaml"},
		{"create", "serviceaccount", "-n", system, "viewer"},
		{"create", "clusterrolebinding", "viewer", "--clusterrole=leeway-viewer", "--serviceaccount=" + system + ":viewer"},
		{"wait", "--for=condition=Established", "--timeout=1m", "crd", "modelversions.leeway.dev", "modelguards.leeway.dev", "modeldecisions.leeway.dev"},
	} {
		if _, err := w.plane.Kubectl(ctx, args...); err != nil {
			return err
		}
	}
	var err error
	w.viewer, err = plane.NewToken(ctx, w.kube, system, "viewer", "leeway", nil)
	return err
}

// learn renders the rules and profiles the trainings.
func (w *world) learn(ctx context.Context) error {
	if _, err := w.cli(ctx, "rules", "render", "-f", "rules.yaml", "--dir", w.path("rules")); err != nil {
		return err
	}
	for _, c := range []centre{cold, warm, hot} {
		rows, profile := w.path(string(c)+".csv"), w.path(string(c)+".json")
		if err := os.WriteFile(rows, trainingRows(c), 0o600); err != nil {
			return err
		}
		if _, err := w.cli(ctx, "profile", rows, "--prediction", "prediction", "-o", profile); err != nil {
			return err
		}
		b, err := os.ReadFile(profile)
		if err != nil {
			return err
		}
		w.digests[c] = fmt.Sprintf("sha256:%x", sha256.Sum256(b))
	}
	return nil
}

// cli runs leeway as a person on a laptop would.
func (w *world) cli(ctx context.Context, args ...string) (string, error) {
	cmd := child.Command(ctx, w.path("leeway"), args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+w.path("kubeconfig"))
	out, err := child.Run(cmd)
	return strings.TrimSpace(out), err
}

// home notes at which rows a version is at home.
func (w *world) home(namespace, version string, c centre) {
	w.mu.Lock()
	m := w.scenes[namespace]
	w.mu.Unlock()
	if m != nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.homes[version] = c
	}
}

var nothing = metav1.GetOptions{}
