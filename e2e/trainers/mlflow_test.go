package trainers_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/e2e/child"
	"github.com/leeway-dev/leeway/e2e/plane"
	"github.com/leeway-dev/leeway/e2e/python"
)

// mlflowQuiet keeps MLflow from asking the network, and from starting what is
// not asked for.
var mlflowQuiet = []string{"MLFLOW_DISABLE_TELEMETRY=true", "DO_NOT_TRACK=true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false", "OMP_NUM_THREADS=1", "GIT_PYTHON_REFRESH=quiet"}

// serveMLflow starts a tracking server on SQLite, whose artifacts are in S3. It
// ends with the test.
func serveMLflow(t *testing.T, p *place) (url string) {
	t.Helper()
	address, err := plane.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := strings.Cut(address, ":")
	start := child.Command
	if os.Geteuid() == 0 { // then its workers end with a test that is killed, too
		start = child.Contained
	}
	said := &child.Output{}
	cmd := start(t.Context(), p.venv+"/bin/mlflow", "server", "--host", "127.0.0.1", "--port", port, "--workers", "1",
		"--backend-store-uri", "sqlite:///"+p.path("mlflow.db"), "--default-artifact-root", "s3://"+bucket+"/mlflow", "--no-serve-artifacts")
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.dir, said, said
	cmd.Env = append(append(os.Environ(), mlflowQuiet...), "PATH="+p.venv+"/bin:"+os.Getenv("PATH"), "PYTHONPYCACHEPREFIX="+p.venv+"/compiled")
	cmd.SysProcAttr.Setpgid = true // it starts workers, which don't end with it
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait() // it is killed
		if t.Failed() {
			t.Logf("MLflow said at the end:\n%s", said.Tail(4000))
		}
	})
	url = "http://" + address
	if err := plane.Await(t.Context(), 5*time.Minute, func() error {
		answer, err := http.Get(url + "/health")
		if err == nil {
			answer.Body.Close()
		}
		return err
	}); err != nil {
		t.Fatalf("MLflow does not answer: %v\n%s", err, said.Tail(4000))
	}
	p.say("MLflow")
	return url
}

func TestMLflow(t *testing.T) {
	venv := python.Need(t, "../../examples/mlflow/requirements.txt", "git")
	script, err := filepath.Abs("../../examples/mlflow/retrain.py")
	if err != nil {
		t.Fatal(err)
	}
	p := newPlace(t, venv, "delivery-retrain", filepath.Join(venv, "bin", "python"), script)
	url := serveMLflow(t, p)
	project := p.path("project")
	if err := os.CopyFS(project, os.DirFS("../../examples/mlflow/project")); err != nil {
		t.Fatal(err)
	}
	p.kubelet.env = append(append(p.kubelet.env, mlflowQuiet...), "PROJECT="+project)
	p.secret("delivery-mlflow", "MLFLOW_TRACKING_URI="+url)
	p.secret("delivery-s3", p.s3.Environment()...)
	p.apply("../../examples/mlflow/cronjob.yaml")
	now := time.Now().Truncate(time.Second)
	p.put("labelled/1.csv", before.deliveries(now.Add(-300*time.Minute), now.Add(-150*time.Minute)))

	// The first version, by hand: all rows that there are.
	p.trained("first")
	p.wantLogged(url, "1", "")

	rows := after.deliveries(now.Add(-150*time.Minute), now)
	p.put("labelled/2.csv", rows)
	if err := os.WriteFile(p.path("live.csv"), []byte(rows), 0o600); err != nil {
		t.Fatal(err)
	}
	// Somebody has broken the training.
	const learns, wrong = "fit(train[FEATURES], train[LABEL])", `fit(train[FEATURES], train["parcels"])`
	p.edit(project+"/train.py", learns, wrong)
	p.guarded(p.path("live.csv"), "gate_failed")
	p.leeway("reject", model, "2", "--reason", "trained wrongly")
	p.edit(project+"/train.py", wrong, learns)
	p.guarded(p.path("live.csv"), "gate_passed")
	p.wantVersions(3)

	p.wantTrained("3")

	// A second pod of the same decision: the first was lost after it had registered.
	decision := p.versions()[2].Lineage.Decision
	p.wantLogged(url, "3", decision)
	log := p.kubelet.of(decision)[0]
	if said, failed := p.kubelet.execute(t.Context(), "again", log.env); failed || !strings.Contains(said, "registered version 3 of") {
		t.Errorf("run again it says\n%s", said)
	}
	p.say("run again")
	p.wantVersions(3)
	p.wantLogged(url, "3", decision)

	// With MLflow's registry as Leeway's there is one version, and not one of each.
	p.trained("bridge", "LEEWAY_STORE=mlflow+"+url, "LEEWAY_MODEL=bridged")
	if got := p.logged(url, "bridged", ""); len(got) != 1 || got[0].Run == "" {
		t.Errorf("MLflow has %+v, want one version", got)
	}
	if listed := p.leeway("versions", "bridged", "--store", "mlflow+"+url, "-o", "json"); !strings.Contains(listed, `"version": "1"`) || strings.Contains(listed, `"version": "2"`) {
		t.Errorf("Leeway lists %s, want version 1", listed)
	}

	// There are no rows of the window.
	p.fails("none", "s3://delivery/labelled has 0 rows from 2001-01-01T00:00:00Z to 2001-01-02T00:00:00Z, and 100 are needed", "LEEWAY_DECISION=none",
		"LEEWAY_PARENT_VERSION=3", "LEEWAY_WINDOW_FROM=2001-01-01T00:00:00Z", "LEEWAY_WINDOW_TO=2001-01-02T00:00:00Z")
	if err := os.RemoveAll(filepath.Join(p.s3.Buckets, bucket, "labelled")); err != nil {
		t.Fatal(err)
	}
	p.fails("lost", "s3://delivery/labelled holds no CSV file", "LEEWAY_DECISION=lost", "LEEWAY_PARENT_VERSION=3")
	p.wantVersions(3)
}

// put has an object in the bucket.
func (p *place) put(name, content string) {
	p.t.Helper()
	file := filepath.Join(p.s3.Buckets, bucket, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// edit replaces a text that must be in a file.
func (p *place) edit(file, old, new string) {
	p.t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		p.t.Fatal(err)
	}
	if !strings.Contains(string(b), old) {
		p.t.Fatalf("%s has no %q", file, old)
	}
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(string(b), old, new)), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// wantLogged checks a version against the run and the registered model that
// MLflow's own client sees.
func (p *place) wantLogged(url, number, decision string) {
	p.t.Helper()
	var v version
	for _, have := range p.versions() {
		if have.Version == number {
			v = have
		}
	}
	if v.Lineage.Decision != decision {
		p.t.Errorf("version %s is of decision %q, want %q", number, v.Lineage.Decision, decision)
	}
	got := p.logged(url, model, number)
	if len(got) != 1 {
		p.t.Fatalf("MLflow has %d versions tagged as %s, want one: %+v", len(got), number, got)
	}
	l := got[0]
	if l.Status != "FINISHED" || l.Run != v.Lineage.Run || l.Artifact+"/" != v.Artifact.URI || l.MAE.String() != v.Metrics["mae"] || decision != "" && l.Name != decision {
		p.t.Errorf("MLflow has %+v of version %+v", l, v)
	}
	if _, err := os.Stat(filepath.Join(p.s3.Buckets, strings.TrimPrefix(v.Artifact.URI, "s3://"), "MLmodel")); err != nil {
		p.t.Errorf("version %s: %v", number, err)
	}
}

// logged is what MLflow's own client sees of a registered model's version.
type logged struct {
	Run, Name, Status, Artifact string
	MAE                         json.Number
}

// logged gives the versions in MLflow that have a number of Leeway's as their
// tag, or all.
func (p *place) logged(url, model, number string) (all []logged) {
	p.t.Helper()
	cmd := child.Command(p.t.Context(), p.venv+"/bin/python", "testdata/logged.py", model, number)
	cmd.Env = append(append(os.Environ(), mlflowQuiet...), "MLFLOW_TRACKING_URI="+url, "PYTHONPYCACHEPREFIX="+p.venv+"/compiled")
	out, err := child.Run(cmd)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(lastLine(out)), &all); err != nil {
		p.t.Fatalf("%v: %s", err, out)
	}
	return all
}
