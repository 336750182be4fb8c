// Package testbed brings up what tests of the whole need: a cluster with Leeway,
// an S3 server, and two versions of the example's model, one of which fails. With
// it come those who use them: a team's pipeline, a person on a laptop, and clients
// of the model.
package testbed

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/e2e/child"
	"github.com/leeway-dev/leeway/e2e/cluster"
	"github.com/leeway-dev/leeway/e2e/images"
)

const (
	// System is Leeway's namespace.
	System = "leeway-system"
	// Example is that of the example, where its S3 server is.
	Example = "flights"
	// Server is the image of the example's model server.
	Server = "docker.io/local/flights:dev"
)

// Config says what a test needs. All fields but Rows must be set.
type Config struct {
	Root    string          // folder of the module above this one
	Cluster cluster.Options // without Dir
	Rules   string          // values file of the rules
	Rows    int             // of the training data that become requests, at most
}

// Testbed is a cluster with Leeway, an S3 server and what versions are made of.
type Testbed struct {
	*cluster.Cluster
	Dir     string // of built programs and made files
	S3      Bucket
	Profile string // file
	Digest  string // of the profile, which is the same of all versions: they differ in how they fail
	Rows    [][]byte
	// Good is an artifact, Bad one that answers every second request with an error.
	Good, Bad []byte

	root string
}

// New starts a cluster that goes with the test, and installs Leeway. It binds
// nobody to the role that lets Leeway act.
func New(t *testing.T, c Config) *Testbed {
	t.Helper()
	b := &Testbed{Dir: t.TempDir(), root: c.Root}
	began := time.Now()
	say := func(what string) { t.Logf("%6.1fs %s", time.Since(began).Seconds(), what) }
	b.build(t)
	say("programs")
	archives := b.images(t)
	say("images")
	c.Cluster.Dir = b.Path("cluster")
	b.Cluster = Up(t, c.Cluster)
	for _, tar := range archives {
		if err := b.LoadImage(t.Context(), tar); err != nil {
			t.Fatal(err)
		}
	}
	say("cluster")
	b.install(t, c.Rules)
	say("Leeway")
	b.train(t, c.Rows)
	say("artifacts")
	return b
}

// build makes the programs of the module above that the tests run.
func (b *Testbed) build(t *testing.T) {
	t.Helper()
	cmd := child.Command(t.Context(), "go", "build", "-trimpath", "-o", b.Dir+"/", "./cmd/leeway", "./examples/flights")
	cmd.Dir, cmd.Env = b.root, append(os.Environ(), "CGO_ENABLED=0")
	if _, err := child.Run(cmd); err != nil {
		t.Fatal(err)
	}
}

func (b *Testbed) images(t *testing.T) []string {
	t.Helper()
	o := images.Options{Root: b.root}
	var list []images.Image
	for _, image := range images.Leeway() {
		if image.Target != "cli" { // pods have it in the image of the example
			list = append(list, image)
		}
	}
	list = append(list, images.Image{Name: Server, Dockerfile: "examples/flights/Dockerfile"})
	archives, err := images.Build(t.Context(), o, list, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	tar, err := images.S3(t.Context(), o, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	return append(archives, tar)
}

// install puts Leeway, with rules of the test's, and the S3 server there.
func (b *Testbed) install(t *testing.T, rules string) {
	t.Helper()
	example := filepath.Join(b.root, "examples/flights/manifests")
	b.S3 = Bucket{key: "tester", secret: "no-secret-" + filepath.Base(b.Dir)}
	b.CLI(t, "rules", "render", "-f", rules, "--dir", b.Path("rules"))
	b.kubectl(t, "create", "namespace", System)
	b.kubectl(t, "create", "configmap", "leeway-rules", "-n", System, "--from-file="+b.Path("rules"))
	b.Credentials(t, System)
	b.kubectl(t, "apply", "-k", filepath.Join(example, "leeway"))
	b.kubectl(t, "apply", "-f", filepath.Join(example, "base.yaml"))
	b.Credentials(t, Example)
	b.kubectl(t, "create", "secret", "generic", "s3-root", "-n", Example,
		"--from-literal=ROOT_ACCESS_KEY="+b.S3.key, "--from-literal=ROOT_SECRET_KEY="+b.S3.secret)
	for _, what := range []string{"deployment/s3 -n " + Example, "statefulset/leeway-controller -n " + System, "daemonset/leeway-node -n " + System} {
		b.kubectl(t, append([]string{"rollout", "status", "--timeout=120s"}, strings.Fields(what)...)...)
	}
	b.S3.endpoint = "http://" + b.ServiceIP(t, Example, "s3") + ":7070"
	Eventually(t, 20*time.Second, func() error { return b.S3.Put("flights", nil) })
}

// Credentials lets the pods of a namespace use the S3 server.
func (b *Testbed) Credentials(t *testing.T, namespace string) {
	t.Helper()
	b.kubectl(t, "create", "secret", "generic", "s3", "-n", namespace, "--from-literal=AWS_ACCESS_KEY_ID="+b.S3.key,
		"--from-literal=AWS_SECRET_ACCESS_KEY="+b.S3.secret, "--from-literal=AWS_REGION=us-east-1",
		"--from-literal=AWS_ENDPOINT_URL=http://s3."+Example+".svc:7070")
}

// train makes the artifacts of one training.
func (b *Testbed) train(t *testing.T, rows int) {
	t.Helper()
	if _, err := child.Run(child.Command(t.Context(), b.Path("flights"), "season", "winter", b.Dir)); err != nil {
		t.Fatal(err)
	}
	b.Profile = b.Path("profile.json")
	b.CLI(t, "profile", b.Path("train.csv"), "--label", "air_time", "--prediction", "prediction", "-o", b.Profile)
	profile, err := os.ReadFile(b.Profile)
	if err != nil {
		t.Fatal(err)
	}
	b.Digest = "sha256:" + hash(profile)
	if b.Rows, err = requests(b.Path("train.csv"), rows); err != nil {
		t.Fatal(err)
	}
	if b.Good, err = os.ReadFile(b.Path("model.json")); err != nil {
		t.Fatal(err)
	}
	b.Bad = bytes.Replace(b.Good, []byte("{"), []byte(`{"failRatio":0.5,`), 1)
}

// Path is a file of the testbed.
func (b *Testbed) Path(name string) string { return filepath.Join(b.Dir, name) }

// CLI runs leeway as a person on a laptop would, and returns what it prints.
func (b *Testbed) CLI(t *testing.T, args ...string) string {
	t.Helper()
	cmd := child.Command(t.Context(), b.Path("leeway"), args...)
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+b.S3.key, "AWS_SECRET_ACCESS_KEY="+b.S3.secret,
		"AWS_REGION=us-east-1", "AWS_ENDPOINT_URL="+b.S3.endpoint, "KUBECONFIG="+b.Kubeconfig())
	out, err := child.Run(cmd)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// ServiceIP is the address of a Service.
func (b *Testbed) ServiceIP(t *testing.T, namespace, name string) string {
	t.Helper()
	return b.kubectl(t, "get", "service", name, "-n", namespace, "-o", "jsonpath={.spec.clusterIP}")
}

// ApplyText applies a manifest.
func (b *Testbed) ApplyText(t *testing.T, manifest string) {
	t.Helper()
	if err := b.Apply(t.Context(), manifest); err != nil {
		t.Fatal(fmt.Errorf("%w\n%.3000s", err, manifest))
	}
}

// Replaced is a file with parts changed, each of which must be in it: each part
// is followed by what takes its place.
func Replaced(t *testing.T, path string, parts ...string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for i := 0; i < len(parts); i += 2 {
		if !strings.Contains(text, parts[i]) {
			t.Fatalf("%s has no %q (any more)", path, parts[i])
		}
		text = strings.ReplaceAll(text, parts[i], parts[i+1])
	}
	return text
}

func (b *Testbed) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := b.Kubectl(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
