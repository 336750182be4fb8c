package guard_test

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/leeway-dev/leeway/agent/guard"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/kube"
	registryv1 "github.com/leeway-dev/leeway/registry/v1alpha1"
)

// Of a cluster on which Leeway's manifests have been applied and no controller
// runs: the kubeconfig of who may do everything, and the programs kubectl,
// leeway, and Helm in two versions. The end-to-end tests (e2e/people) set them.
const (
	realEnv    = "LEEWAY_TEST_KUBECONFIG"
	kubectlEnv = "LEEWAY_TEST_KUBECTL"
	cliEnv     = "LEEWAY_TEST_CLI"
	helm3Env   = "LEEWAY_TEST_HELM3"
	helm4Env   = "LEEWAY_TEST_HELM4"
)

const controller = "system:serviceaccount:leeway-system:leeway-controller"

// realWorld is a namespace on a real API server with a guarded Deployment, which
// tool has applied. The loop may do there what the controllers may; what alerts
// there are, and what a kubelet would do, is played.
func realWorld(t *testing.T, tool tool, change ...func(*v1alpha1.ModelGuard)) *world {
	t.Helper()
	path := os.Getenv(realEnv)
	if path == "" {
		t.Skip(realEnv + " is not set: it names the kubeconfig of a cluster to test against")
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS, config.Burst = 500, 500
	w := &world{
		t: t, real: true, now: time.Now().UTC().Truncate(time.Second).Add(-2 * time.Hour), // it runs faster than the API server's
		artifacts: map[string]error{}, counted: map[string]bool{},
		shows: map[string]shown{"1": {requests: 5000, p99: 0.02}}, live: csvProfile(t, 0),
	}
	w.source, w.client = w, realClient(t, config, "")
	w.ns = w.namespace()
	now := func() time.Time { return w.now }
	w.store = kube.New(w.client, w.ns, now)
	own := realClient(t, config, controller)
	w.adjust = func(c *guard.Config) {
		c.Store = func(string) (registry.Store, error) { return kube.New(own, w.ns, now), nil }
		c.CanPatch = guard.Permission(own, now)
	}
	w.register(0, "")
	w.apply("1", tool)
	w.must("apply", "-f", "../../manifests/components/actor/actor.yaml")
	g := theGuard()
	for _, f := range change {
		f(g)
	}
	w.makeGuard(g)
	w.loop = w.newLoop(own)
	return w
}

// realRelease is badRelease on a real API server.
func realRelease(t *testing.T, tool tool, change ...func(*v1alpha1.ModelGuard)) *world {
	t.Helper()
	w := realWorld(t, tool, change...)
	w.pass(40)
	w.wantPhase(v1alpha1.Watching, "healthy")
	two := w.register(0, "")
	w.shows[two] = shown{requests: 5000, errors: 1000, p99: 0.02}
	w.apply(two, tool)
	w.tick(2)
	w.alert("errors", "", "10s", two, "")
	return w
}

// realRollback is that, rolled back by Leeway and watched now.
func realRollback(t *testing.T, tool tool) *world {
	t.Helper()
	w := realRelease(t, tool)
	w.rollBack()
	return w
}

func realClient(t *testing.T, config *rest.Config, as string) client.WithWatch {
	t.Helper()
	if as != "" {
		config = rest.CopyConfig(config)
		config.Impersonate = rest.ImpersonationConfig{UserName: as,
			Groups: []string{"system:serviceaccounts", "system:serviceaccounts:leeway-system", "system:authenticated"}}
	}
	s := scheme(t)
	if err := registryv1.AddToScheme(s); err != nil {
		t.Fatal(err)
	}
	if err := authorizationv1.AddToScheme(s); err != nil {
		t.Fatal(err)
	}
	log.SetLogger(logr.Discard()) // else controller-runtime complains that nobody did
	c, err := client.NewWithWatch(config, client.Options{Scheme: s})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// namespace makes one that goes with the test. Its guards go first, for the next
// test's loop would visit them.
func (w *world) namespace() string {
	w.t.Helper()
	n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "people-"}}
	if err := w.client.Create(w.t.Context(), n); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if w.uninstalled {
			return
		}
		for _, args := range [][]string{{"delete", "modelguards", "--all"}, {"delete", "namespace", n.Name, "--wait=false", "--ignore-not-found"}} {
			if out, err := w.command(kubectlEnv, args...).CombinedOutput(); err != nil {
				w.t.Errorf("%v: %s", err, out)
			}
		}
	})
	return n.Name
}

func (w *world) makeGuard(g *v1alpha1.ModelGuard) {
	w.t.Helper()
	g.Namespace, g.ResourceVersion, g.UID = w.ns, "", ""
	if err := w.client.Create(w.t.Context(), g); err != nil {
		w.t.Fatal(err)
	}
}

// command is a program of the cluster's, not tied to the test: clean-up runs some.
func (w *world) command(program string, args ...string) *exec.Cmd {
	config := os.Getenv(realEnv)
	if program == kubectlEnv {
		args = append([]string{"--kubeconfig", config, "-n", w.ns}, args...)
	}
	cmd := exec.Command(os.Getenv(program), args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+config)
	return cmd
}

// kubectl runs kubectl in the namespace, as who may do everything.
func (w *world) kubectl(args ...string) (string, error) {
	return said(w.command(kubectlEnv, args...))
}

func said(cmd *exec.Cmd) (string, error) {
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, errs.String())
	}
	return out.String(), nil
}

func (w *world) must(args ...string) string {
	w.t.Helper()
	out, err := w.kubectl(args...)
	if err != nil {
		w.t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// tool is what people, or Git, bring the workload to a version with.
type tool func(w *world, version string, more ...string) error

// Tools that are kubectl, or are played by it in their name.
var (
	byHand = kubectlApply("--field-manager=kubectl-client-side-apply")
	argo   = kubectlApply("--field-manager=argocd-controller")
	flux   = kubectlApply("--server-side", "--force-conflicts", "--field-manager=kustomize-controller")
)

// kubectlApply applies the manifest with kubectl and these arguments.
func kubectlApply(args ...string) tool {
	return func(w *world, version string, more ...string) error {
		file := filepath.Join(w.t.TempDir(), "churn.yaml")
		if err := os.WriteFile(file, []byte(w.manifest(version)), 0o600); err != nil {
			return err
		}
		_, err := w.kubectl(slices.Concat([]string{"apply", "-f", file}, args, more)...)
		return err
	}
}

// registered is a version as the registry has it.
func (w *world) registered(version string) registry.Version {
	w.t.Helper()
	var number int64
	if _, err := fmt.Sscan(version, &number); err != nil {
		w.t.Fatal(err)
	}
	v, err := w.store.Get(w.t.Context(), name, number)
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

// manifest of the model in a version, as its people have written it.
func (w *world) manifest(version string) string {
	w.t.Helper()
	v := w.registered(version)
	return fmt.Sprintf(`# What the shop calls.
apiVersion: v1
kind: Service
metadata: {name: churn}
spec: {selector: {app: churn}, ports: [{port: 80, targetPort: 8090}]}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: churn
spec:
  replicas: 2
  selector: {matchLabels: {app: churn}}
  template:
    metadata:
      labels:
        app: churn
        leeway.dev/model: churn
        leeway.dev/version: "%s" # of the registry
      annotations: {leeway.dev/profile-digest: '%s'}
    spec:
      initContainers:
      - {name: leeway-sidecar, image: sidecar}
      containers:
      - name: model
        image: server
        env:
        - name: MODEL_URI
          value: %s # read once, when it starts
`, version, v.Spec.Profile.Digest, v.Spec.Artifact.URI)
}

// apply brings the workload to a version with a tool, and lets it roll out.
func (w *world) apply(version string, tool tool, more ...string) {
	w.t.Helper()
	if err := tool(w, version, more...); err != nil {
		w.t.Fatal(err)
	}
	w.rollOut()
}

// eventually waits in the time of the API server, whose parts lag behind it.
func (w *world) eventually(what string, is func() bool) {
	w.t.Helper()
	for began := time.Now(); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			w.t.Fatalf("after a minute it is not so yet: %s", what)
		}
	}
}

// wantChanges is how often the pod template has been changed, by anyone, since it
// was made.
func (w *world) wantChanges(n int64) {
	w.t.Helper()
	if got := w.deployment().Generation - 1; got != n {
		w.t.Errorf("the Deployment has been changed %d times, want %d", got, n)
	}
}

func (w *world) wantSaid(word string) {
	w.t.Helper()
	d := w.decisions()
	if m := w.guard().Status.Message; !strings.Contains(m, word) {
		w.t.Errorf("the guard says %q, not %q; decisions %s", m, word, describe(d))
	}
}

// managers are the field managers of the Deployment.
func (w *world) managers() string {
	var all []string
	for _, e := range w.deployment().ManagedFields {
		all = append(all, cmp.Or(e.Manager, "?"))
	}
	return strings.Join(all, " ")
}
