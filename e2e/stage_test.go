package e2e_test

import (
	"bytes"
	"encoding/json"
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
	system  = "leeway-system"
	example = "flights" // the namespace of the example, where its S3 server is
)

// stage is a cluster with Leeway, an S3 server and what deploys models.
type stage struct {
	*cluster.Cluster
	dir     string // of built programs and made files
	s3      bucket
	leeway  string // address of the controllers' API
	digest  string // of the profile of all versions here: they differ in how they fail
	profile string
	rows    [][]byte
	uris    map[string]string // of artifacts, by version
	traffic map[string]*traffic
}

// newStage starts a cluster that goes with the test, and installs Leeway.
func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{dir: t.TempDir(), traffic: map[string]*traffic{}, uris: map[string]string{}}
	began := time.Now()
	s.build(t)
	archives := s.images(t)
	s.Cluster = up(t, filepath.Join(s.dir, "cluster"))
	for _, tar := range archives {
		if err := s.LoadImage(t.Context(), tar); err != nil {
			t.Fatal(err)
		}
	}
	s.install(t)
	s.train(t)
	t.Logf("%.1fs in all for the stage", time.Since(began).Seconds())
	return s
}

// build makes the programs of the module above that the tests run.
func (s *stage) build(t *testing.T) {
	t.Helper()
	cmd := child.Command(t.Context(), "go", "build", "-trimpath", "-o", s.dir+"/", "./cmd/leeway", "./examples/flights")
	cmd.Dir, cmd.Env = "..", append(os.Environ(), "CGO_ENABLED=0")
	if _, err := child.Run(cmd); err != nil {
		t.Fatal(err)
	}
}

func (s *stage) images(t *testing.T) []string {
	t.Helper()
	o := images.Options{Root: ".."}
	var list []images.Image
	for _, image := range images.Leeway() {
		if image.Target != "cli" { // pods have it in the image of the example
			list = append(list, image)
		}
	}
	list = append(list, images.Image{Name: "docker.io/local/flights:dev", Dockerfile: "examples/flights/Dockerfile"})
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

// install puts Leeway, with the rules of the demo, and the S3 server there. It
// binds nobody to the role that lets Leeway act.
func (s *stage) install(t *testing.T) {
	t.Helper()
	s.s3 = bucket{key: "tester", secret: "no-secret-" + filepath.Base(s.dir)}
	s.cli(t, "rules", "render", "-f", "../examples/flights/rules-values.yaml", "--dir", s.path("rules"))
	kubectl(t, s.Cluster, "create", "namespace", system)
	kubectl(t, s.Cluster, "create", "configmap", "leeway-rules", "-n", system, "--from-file="+s.path("rules"))
	s.credentials(t, system)
	kubectl(t, s.Cluster, "apply", "-k", "../examples/flights/manifests/leeway")
	apply(t, s.Cluster, "../examples/flights/manifests/base.yaml")
	s.credentials(t, example)
	kubectl(t, s.Cluster, "create", "secret", "generic", "s3-root", "-n", example,
		"--from-literal=ROOT_ACCESS_KEY="+s.s3.key, "--from-literal=ROOT_SECRET_KEY="+s.s3.secret)
	for _, what := range []string{"deployment/s3 -n " + example, "statefulset/leeway-controller -n " + system, "daemonset/leeway-node -n " + system} {
		kubectl(t, s.Cluster, append([]string{"rollout", "status", "--timeout=120s"}, strings.Fields(what)...)...)
	}
	s.s3.endpoint = "http://" + s.serviceIP(t, example, "s3") + ":7070"
	s.leeway = "http://" + s.serviceIP(t, system, "leeway") + ":9096"
	eventually(t, 20*time.Second, func() error { return s.s3.put("flights", nil) })
}

// credentials lets the pods of a namespace use the S3 server.
func (s *stage) credentials(t *testing.T, namespace string) {
	t.Helper()
	kubectl(t, s.Cluster, "create", "secret", "generic", "s3", "-n", namespace, "--from-literal=AWS_ACCESS_KEY_ID="+s.s3.key,
		"--from-literal=AWS_SECRET_ACCESS_KEY="+s.s3.secret, "--from-literal=AWS_REGION=us-east-1",
		"--from-literal=AWS_ENDPOINT_URL=http://s3."+example+".svc:7070")
}

// train makes two artifacts of one training: version 1, and version 2, which
// answers every second request with an error.
func (s *stage) train(t *testing.T) {
	t.Helper()
	if _, err := child.Run(child.Command(t.Context(), s.path("flights"), "season", "winter", s.dir)); err != nil {
		t.Fatal(err)
	}
	s.profile = s.path("profile.json")
	s.cli(t, "profile", s.path("train.csv"), "--label", "air_time", "--prediction", "prediction", "-o", s.profile)
	b, err := os.ReadFile(s.profile)
	if err != nil {
		t.Fatal(err)
	}
	s.digest = "sha256:" + hash(b)
	if s.rows, err = requests(s.path("train.csv"), 2000); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(s.path("model.json"))
	if err != nil {
		t.Fatal(err)
	}
	bad := bytes.Replace(good, []byte("{"), []byte(`{"failRatio":0.5,`), 1)
	for version, artifact := range map[string][]byte{"1": good, "2": bad} {
		path := "flights/models/winter-" + version + ".json"
		if err := s.s3.put(path, artifact); err != nil {
			t.Fatal(err)
		}
		s.uris[version] = "s3://" + path
	}
}

// register puts both versions into the registry of a namespace.
func (s *stage) register(t *testing.T, namespace string) {
	t.Helper()
	for _, version := range []string{"1", "2"} {
		number := s.cli(t, "register", "--store", "kube:"+namespace, "--model", "flights", "--artifact", s.uris[version],
			"--profile", s.profile, "--metric", "mae=7.1")
		if number != version {
			t.Fatalf("registered as version %s, want %s", number, version)
		}
	}
}

// path is a file of the stage.
func (s *stage) path(name string) string { return filepath.Join(s.dir, name) }

// cli runs leeway as a person on a laptop would.
func (s *stage) cli(t *testing.T, args ...string) string {
	t.Helper()
	cmd := child.Command(t.Context(), s.path("leeway"), args...)
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+s.s3.key, "AWS_SECRET_ACCESS_KEY="+s.s3.secret,
		"AWS_REGION=us-east-1", "AWS_ENDPOINT_URL="+s.s3.endpoint)
	if s.Cluster != nil {
		cmd.Env = append(cmd.Env, "KUBECONFIG="+s.Kubeconfig())
	}
	out, err := child.Run(cmd)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

func (s *stage) serviceIP(t *testing.T, namespace, name string) string {
	t.Helper()
	return kubectl(t, s.Cluster, "get", "service", name, "-n", namespace, "-o", "jsonpath={.spec.clusterIP}")
}

// read gets an object, or a list of them, as JSON.
func (s *stage) read(t *testing.T, into any, args ...string) error {
	t.Helper()
	out, err := s.Kubectl(t.Context(), append([]string{"get", "-o", "json"}, args...)...)
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(out), into)
}

// replaced changes parts of a manifest, each of which must be in it.
func replaced(t *testing.T, path string, parts ...string) string {
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

func (s *stage) applyText(t *testing.T, manifest string) {
	t.Helper()
	if err := s.Apply(t.Context(), manifest); err != nil {
		t.Fatal(fmt.Errorf("%w\n%s", err, manifest))
	}
}
