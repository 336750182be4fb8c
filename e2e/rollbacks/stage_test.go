package rollbacks_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/leeway-dev/leeway/e2e/child"
	"github.com/leeway-dev/leeway/e2e/cluster"
	"github.com/leeway-dev/leeway/e2e/debian"
	"github.com/leeway-dev/leeway/e2e/images"
)

const (
	system  = "leeway-system"
	example = "flights" // the namespace of the example, where its S3 server is
	server  = "docker.io/local/flights:dev"
)

// stage is a cluster with Leeway, an S3 server, and what versions are made of.
type stage struct {
	*cluster.Cluster
	kube    kubernetes.Interface
	dynamic dynamic.Interface
	dir     string
	s3      bucket
	profile string
	digest  string // of the profile, which is the same of all versions
	rows    [][]byte
	// good is an artifact, bad one that answers every second request with an error,
	// broken one that answers none.
	good, bad, broken []byte
}

// newStage starts everything. It goes with the test.
func newStage(t *testing.T) *stage {
	t.Helper()
	needMachine(t)
	s := &stage{dir: t.TempDir()}
	began := time.Now()
	say := func(what string) { t.Logf("%6.1fs %s", time.Since(began).Seconds(), what) }
	cmd := child.Command(t.Context(), "go", "build", "-trimpath", "-o", s.dir+"/", "./cmd/leeway", "./examples/flights")
	cmd.Dir, cmd.Env = "../..", append(os.Environ(), "CGO_ENABLED=0")
	run(t, cmd)
	say("programs")
	archives := archives(t)
	say("images")
	s.up(t)
	for _, tar := range archives {
		if err := s.LoadImage(t.Context(), tar); err != nil {
			t.Fatal(err)
		}
	}
	say("cluster")
	s.install(t)
	say("Leeway")
	s.train(t)
	s.crowd(t)
	say("versions")
	return s
}

// needMachine skips the tests where no cluster can run. In CI that is a failure.
func needMachine(t *testing.T) {
	t.Helper()
	err := cluster.Preflight(t.Context())
	if err != nil && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err == nil {
		err = debian.Install(t.Context(), debian.Cluster())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func archives(t *testing.T) []string {
	t.Helper()
	o := images.Options{Root: "../.."}
	var list []images.Image
	for _, image := range images.Leeway() {
		if image.Target != "cli" {
			list = append(list, image)
		}
	}
	tars, err := images.Build(t.Context(), o, append(list, images.Image{Name: server, Dockerfile: "examples/flights/Dockerfile"}), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	tar, err := images.S3(t.Context(), o, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	return append(tars, tar)
}

// up starts the cluster, on addresses that no other test uses.
func (s *stage) up(t *testing.T) {
	t.Helper()
	dir := s.path("cluster")
	t.Cleanup(func() {
		if err := cluster.Down(dir); err != nil {
			t.Error("down:", err)
		}
	})
	var err error
	s.Cluster, err = cluster.Up(t.Context(), cluster.Options{Dir: dir, NodeNet: "10.79.0", PodNet: "10.78", ServiceNet: "10.77", Port: 7444}, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", s.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	config.QPS, config.Burst = 500, 1000
	if s.kube, err = kubernetes.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	if s.dynamic, err = dynamic.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
}

// install puts Leeway, with rules of its own, and the S3 server there.
func (s *stage) install(t *testing.T) {
	t.Helper()
	s.s3 = bucket{key: "tester", secret: "no-secret-" + filepath.Base(s.dir)}
	s.cli(t, "rules", "render", "-f", "rules.yaml", "--dir", s.path("rules"))
	s.kubectl(t, "create", "namespace", system)
	s.kubectl(t, "create", "configmap", "leeway-rules", "-n", system, "--from-file="+s.path("rules"))
	s.credentials(t, system)
	s.kubectl(t, "apply", "-k", "../../examples/flights/manifests/leeway")
	s.kubectl(t, "apply", "-f", "../../examples/flights/manifests/base.yaml")
	s.credentials(t, example)
	s.kubectl(t, "create", "secret", "generic", "s3-root", "-n", example,
		"--from-literal=ROOT_ACCESS_KEY="+s.s3.key, "--from-literal=ROOT_SECRET_KEY="+s.s3.secret)
	for _, what := range []string{"deployment/s3 -n " + example, "statefulset/leeway-controller -n " + system, "daemonset/leeway-node -n " + system} {
		s.kubectl(t, append([]string{"rollout", "status", "--timeout=120s"}, strings.Fields(what)...)...)
	}
	s.s3.endpoint = "http://" + s.serviceIP(t, example, "s3") + ":7070"
	eventually(t, 20*time.Second, func() error { return s.s3.put("flights", nil) })
}

func (s *stage) credentials(t *testing.T, namespace string) {
	t.Helper()
	s.kubectl(t, "create", "secret", "generic", "s3", "-n", namespace, "--from-literal=AWS_ACCESS_KEY_ID="+s.s3.key,
		"--from-literal=AWS_SECRET_ACCESS_KEY="+s.s3.secret, "--from-literal=AWS_REGION=us-east-1",
		"--from-literal=AWS_ENDPOINT_URL=http://s3."+example+".svc:7070")
}

// train makes the artifacts of all versions from one training.
func (s *stage) train(t *testing.T) {
	t.Helper()
	run(t, child.Command(t.Context(), s.path("flights"), "season", "winter", s.dir))
	s.profile = s.path("profile.json")
	s.cli(t, "profile", s.path("train.csv"), "--label", "air_time", "--prediction", "prediction", "-o", s.profile)
	s.digest = "sha256:" + hash(read(t, s.profile))
	var err error
	if s.rows, err = requests(s.path("train.csv"), 1000); err != nil {
		t.Fatal(err)
	}
	s.good = read(t, s.path("model.json"))
	s.bad = []byte(strings.Replace(string(s.good), "{", `{"failRatio":0.5,`, 1))
	s.broken = []byte(strings.Replace(string(s.good), "{", `{"failRatio":1,`, 1))
}

// crowd makes guards that have nothing to guard: of twenty guards one may act at
// once, and here all tests are to. They are all of one model, and so cost little.
func (s *stage) crowd(t *testing.T) {
	t.Helper()
	var manifest strings.Builder
	manifest.WriteString("{apiVersion: v1, kind: Namespace, metadata: {name: crowd}}\n")
	for i := range 120 {
		fmt.Fprintf(&manifest, "---\n{apiVersion: leeway.dev/v1alpha1, kind: ModelGuard, metadata: {name: g%[1]d, namespace: crowd}, "+
			"spec: {model: m, workload: {name: m}, artifact: {container: model, env: MODEL_URI}}}\n", i)
	}
	s.apply(t, manifest.String())
}

func (s *stage) path(name string) string { return filepath.Join(s.dir, name) }

// cli runs leeway as a person on a laptop would.
func (s *stage) cli(t *testing.T, args ...string) string {
	t.Helper()
	cmd := child.Command(t.Context(), s.path("leeway"), args...)
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+s.s3.key, "AWS_SECRET_ACCESS_KEY="+s.s3.secret,
		"AWS_REGION=us-east-1", "AWS_ENDPOINT_URL="+s.s3.endpoint, "KUBECONFIG="+s.Kubeconfig())
	return strings.TrimSpace(run(t, cmd))
}

func (s *stage) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := s.Kubectl(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (s *stage) apply(t *testing.T, manifest string) {
	t.Helper()
	if err := s.Apply(t.Context(), manifest); err != nil {
		t.Fatalf("%v\n%.3000s", err, manifest)
	}
}

func (s *stage) serviceIP(t *testing.T, namespace, name string) string {
	t.Helper()
	v, err := s.kube.CoreV1().Services(namespace).Get(t.Context(), name, asIs)
	if err != nil {
		t.Fatal(err)
	}
	return v.Spec.ClusterIP
}

// showAgents prints what Leeway said last.
func (s *stage) showAgents(t *testing.T) {
	out, err := s.Kubectl(context.Background(), "logs", "-n", system, "-l", "app.kubernetes.io/name=leeway-controller", "--prefix", "--tail=80")
	t.Logf("controllers (%v):\n%s", err, out)
}
