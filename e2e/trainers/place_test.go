package trainers_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/leeway-dev/leeway/e2e/child"
	"github.com/leeway-dev/leeway/e2e/plane"
	"github.com/leeway-dev/leeway/e2e/versitygw"
)

var kubeProgram = flag.String("kube", "", "the program kube; empty: it is built")

const (
	namespace = "ml"
	model     = "churn" // which the guard's own tests are about, in the place of the examples' delivery
	bucket    = "delivery"
)

// place is a control plane with Leeway's manifests, an S3 server, and an
// example's CronJob, whose Jobs the kubelet runs.
type place struct {
	*plane.Plane
	t       *testing.T
	kube    kubernetes.Interface
	s3      *versitygw.Server
	kubelet *kubelet
	dir     string
	venv    string
	cronJob string
	began   time.Time
}

// newPlace starts all that goes with the test; entry is what the image of the
// CronJob runs.
func newPlace(t *testing.T, venv, cronJob string, entry ...string) *place {
	t.Helper()
	p := &place{t: t, dir: t.TempDir(), venv: venv, cronJob: cronJob, began: time.Now()}
	p.build("build", "-trimpath", "-o", p.path("bin")+"/leeway", "./cmd/leeway")
	p.build("test", "-trimpath", "-c", "-o", p.path("guard.test"), "./agent/guard")
	var err error
	if err = os.MkdirAll(p.path("s3"), 0o755); err != nil {
		t.Fatal(err)
	}
	if p.s3, err = versitygw.Start(t.Context(), "../s3", p.path("s3"), bucket); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.s3.Close)
	if err = os.MkdirAll(p.path("plane"), 0o755); err != nil {
		t.Fatal(err)
	}
	p.Plane, err = plane.Start(t.Context(), plane.Options{Dir: p.path("plane"), Module: "..", Program: *kubeProgram, Authorization: "RBAC",
		Controllers: []string{"job-controller", "namespace-controller", "garbage-collector-controller"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Close()
		if t.Failed() {
			t.Log(p.Said())
		}
	})
	p.install()
	p.kubelet = &kubelet{kube: p.kube, server: p.URL, namespace: namespace, dir: p.dir, command: entry,
		path: strings.Join([]string{filepath.Join(venv, "bin"), p.path("bin"), "/usr/local/bin", "/usr/bin", "/bin"}, ":"),
		// Not of the image: packages are compiled once, and not there where they are shared.
		env: []string{"PYTHONPYCACHEPREFIX=" + venv + "/compiled"}}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); p.kubelet.run(ctx, t.Logf) }()
	t.Cleanup(func() { stop(); <-ended })
	p.say("the place")
	return p
}

func (p *place) install() {
	p.t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", p.Kubeconfig)
	if err != nil {
		p.t.Fatal(err)
	}
	config.QPS, config.Burst = 100, 200
	if p.kube, err = kubernetes.NewForConfig(config); err != nil {
		p.t.Fatal(err)
	}
	p.do("apply", "-k", "../../manifests/overlays/default")
	p.do("wait", "--for=condition=Established", "--timeout=1m", "crd", "modelversions.leeway.dev", "modelguards.leeway.dev", "modeldecisions.leeway.dev")
	p.do("create", "namespace", namespace)
	p.do("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
	p.do("create", "configmap", "leeway-numbers", "-n", namespace)
}

// secret makes one of the Secrets that the example names, of NAME=VALUE.
func (p *place) secret(name string, values ...string) {
	p.t.Helper()
	args := []string{"create", "secret", "generic", name, "-n", namespace}
	for _, v := range values {
		args = append(args, "--from-literal="+v)
	}
	p.do(args...)
}

func (p *place) say(what string) { p.t.Logf("%6.1fs %s", time.Since(p.began).Seconds(), what) }

func (p *place) path(name string) string { return filepath.Join(p.dir, name) }

func (p *place) build(args ...string) {
	p.t.Helper()
	cmd := child.Command(p.t.Context(), "go", args...)
	cmd.Dir, cmd.Env = "../..", append(os.Environ(), "CGO_ENABLED=0")
	if _, err := child.Run(cmd); err != nil {
		p.t.Fatal(err)
	}
}

// do runs kubectl, which must not fail.
func (p *place) do(args ...string) string {
	p.t.Helper()
	out, err := p.Kubectl(p.t.Context(), args...)
	if err != nil {
		p.t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// apply applies the example's manifest, of the model that the tests guard.
func (p *place) apply(manifest string) {
	p.t.Helper()
	b, err := os.ReadFile(manifest)
	if err != nil {
		p.t.Fatal(err)
	}
	const named = "{name: LEEWAY_MODEL, value: delivery}"
	if strings.Count(string(b), named) != 1 {
		p.t.Fatalf("%s has no %q", manifest, named)
	}
	file := p.path("cronjob.yaml")
	if err := os.WriteFile(file, []byte(strings.Replace(string(b), named, "{name: LEEWAY_MODEL, value: "+model+"}", 1)), 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.do("apply", "-n", namespace, "-f", file)
}

// train makes a Job of the CronJob as Leeway does, with its variables, waits for
// its end, and gives what its last pod has said.
func (p *place) train(name string, env ...string) podLog {
	p.t.Helper()
	manifest := p.do("create", "job", name, "-n", namespace, "--from=cronjob/"+p.cronJob, "--dry-run=client", "-o", "json")
	var job map[string]any
	if err := json.Unmarshal([]byte(manifest), &job); err != nil {
		p.t.Fatal(err)
	}
	spec := job["spec"].(map[string]any)
	spec["backoffLimit"] = 0 // once is enough
	container := spec["template"].(map[string]any)["spec"].(map[string]any)["containers"].([]any)[0].(map[string]any)
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		container["env"] = append(container["env"].([]any), map[string]any{"name": name, "value": value})
	}
	b, err := json.Marshal(job)
	if err != nil {
		p.t.Fatal(err)
	}
	file := p.path(name + ".json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.do("create", "-f", file)
	var logs []podLog
	if err := plane.Await(p.t.Context(), 10*time.Minute, func() error {
		if logs = p.kubelet.of(name); len(logs) == 0 {
			return fmt.Errorf("job %s is not over: %s", name, p.do("get", "pods,jobs", "-n", namespace))
		}
		return nil
	}); err != nil {
		p.t.Fatal(err)
	}
	return logs[len(logs)-1]
}

// trained is train, which must not fail.
func (p *place) trained(name string, env ...string) podLog {
	p.t.Helper()
	log := p.train(name, env...)
	if log.failed {
		p.t.Fatalf("job %s failed:\n%s", name, log.text)
	}
	p.say(name + ": " + lastLine(log.text))
	return log
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// leeway runs the CLI as a person would.
func (p *place) leeway(args ...string) string {
	p.t.Helper()
	cmd := child.Command(p.t.Context(), p.path("bin/leeway"), append([]string{"--store", "kube:" + namespace}, args...)...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+p.Kubeconfig)
	out, err := child.Run(cmd)
	if err != nil {
		p.t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// version is what `leeway show -o json` tells.
type version struct {
	Version  string `json:"version"`
	Artifact struct {
		URI string `json:"uri"`
	} `json:"artifact"`
	Dataset struct {
		Name, URI, MD5, Commit string
		Rows                   int
	} `json:"dataset"`
	Lineage struct {
		Parent        any
		Run, Decision string
	} `json:"lineage"`
	Metrics     map[string]string `json:"metrics"`
	Evaluations []struct {
		Version, Dataset, Metric string
		Value                    float64 `json:"value,string"`
	} `json:"evaluations"`
}

func (p *place) versions() (all []version) {
	p.t.Helper()
	if err := json.Unmarshal([]byte(p.leeway("versions", model, "-o", "json")), &all); err != nil {
		p.t.Fatal(err)
	}
	return all
}

// wantTrained checks that version 1 was trained on all rows that were there, and
// another one on those of its window, on which version 1 is worse.
func (p *place) wantTrained(number string) {
	p.t.Helper()
	for _, v := range p.versions() {
		switch v.Version {
		case "1":
			if v.Dataset.Rows != firstRows*4/5 {
				p.t.Errorf("version 1 was trained on %d rows, want four fifths of %d", v.Dataset.Rows, firstRows)
			}
		case number:
			wrong := map[string]float64{}
			for _, e := range v.Evaluations {
				if e.Dataset == "holdout" && e.Metric == "mae" {
					wrong[e.Version] = e.Value
				}
			}
			if v.Dataset.Rows < 100 || v.Dataset.Rows > 2000 || len(wrong) != 2 || wrong[number] > 2 || wrong["1"] < 5 {
				p.t.Errorf("version %s was trained on %d rows, and the errors of the versions are %v", number, v.Dataset.Rows, wrong)
			}
		}
	}
}

// guarded has the guard's own code find that no version fits the rows of a file,
// and take it from there to the gate, which has to say so.
func (p *place) guarded(rows, gate string) {
	p.t.Helper()
	p.do("label", "namespace", namespace, "pod-security.kubernetes.io/enforce-") // the pods of the guard's tests say nothing of it
	cmd := child.Command(p.t.Context(), p.path("guard.test"), "-test.run=^TestTrainer$", "-test.v", "-test.timeout=15m")
	cmd.Dir = "../../agent/guard"
	cmd.Env = append(os.Environ(), "LEEWAY_TEST_KUBECONFIG="+p.Kubeconfig, "LEEWAY_TEST_KUBECTL="+p.path("plane/kubectl"), "LEEWAY_TEST_CLI="+p.path("bin/leeway"),
		"LEEWAY_TEST_TRAINER="+namespace+"/"+p.cronJob, "LEEWAY_TEST_TRAINER_ROWS="+rows, "LEEWAY_TEST_TRAINER_GATE="+gate)
	out, err := child.Run(cmd)
	if err != nil || !strings.Contains(out, "--- PASS: TestTrainer") {
		for _, l := range p.kubelet.logs {
			p.t.Logf("pod %s said:\n%s", l.pod, l.text)
		}
		p.t.Fatalf("%v\n%s", err, out)
	}
	for line := range strings.Lines(out) {
		if strings.Contains(line, "trained version") {
			p.say(strings.TrimSpace(line))
		}
	}
}

// regime is what deliveries are like for a while.
type regime struct {
	near, far, perKm float64
}

var (
	before = regime{1, 5, 3}
	after  = regime{6, 12, 5}
)

// firstRows is how many there are of the regime before.
const firstRows = 4500

// deliveries are labelled rows as CSV, one every two seconds.
func (r regime) deliveries(from, to time.Time) string {
	random := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	b.WriteString("time,distance,parcels,weather,minutes\n")
	for at := from.UTC(); at.Before(to); at = at.Add(2 * time.Second) {
		distance, parcels, weather := r.near+(r.far-r.near)*random.Float64(), 1+random.IntN(6), random.IntN(3)
		fmt.Fprintf(&b, "%s,%.3f,%d,%s,%.2f\n", at.Format(time.RFC3339), distance, parcels, []string{"dry", "rain", "snow"}[weather],
			5+r.perKm*distance+float64(parcels)+4*float64(weather)+2*random.NormFloat64())
	}
	return b.String()
}
