package registry_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/e2e/child"
	"github.com/leeway-dev/leeway/e2e/python"
)

// mlflowServer is a real MLflow tracking server on SQLite, and what is run
// against it.
type mlflowServer struct {
	url    string
	python string // folder of the Python environment
	leeway string // the program
	dir    string // holds a profile and an artifact
}

// TestMLflow tries the store mlflow+http: on a real server.
func TestMLflow(t *testing.T) {
	s := &mlflowServer{dir: t.TempDir(), python: python.Need(t, "testdata/requirements/mlflow.txt")}
	s.build(t)
	s.url = s.serve(t)
	t.Run("suite", s.suite)
	t.Run("MLflow's own client", s.others)
	t.Run("a registrar is killed at every request", s.killedRegistering)
	t.Run("who rejects is killed at every request", s.killedRejecting)
	t.Run("users and passwords", s.users)
}

// build makes the CLI, a profile and an artifact.
func (s *mlflowServer) build(t *testing.T) {
	t.Helper()
	s.leeway = filepath.Join(s.dir, "leeway")
	cmd := child.Command(t.Context(), "go", "build", "-trimpath", "-o", s.leeway, "./cmd/leeway")
	cmd.Dir, cmd.Env = "../..", append(os.Environ(), "CGO_ENABLED=0")
	if _, err := child.Run(cmd); err != nil {
		t.Fatal(err)
	}
	rows := "temp,carrier,minutes\n"
	for i := range 500 {
		rows += fmt.Sprintf("%d,%c,%d\n", i%37, 'A'+i%3, 60+i%91)
	}
	for name, content := range map[string]string{"train.csv": rows, "model.bin": "weights"} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := child.Run(child.Command(t.Context(), s.leeway, "profile", s.dir+"/train.csv", "--prediction", "minutes", "-o", s.dir+"/train.json")); err != nil {
		t.Fatal(err)
	}
}

// serve starts a server that ends with the test, and waits for it. All are of one
// database: making its tables takes as long as the server does to start.
func (s *mlflowServer) serve(t *testing.T, args ...string) (url string) {
	t.Helper()
	dir := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	var said child.Output
	start := child.Command
	if os.Geteuid() == 0 { // then its workers end with a test that is killed, too
		start = child.Contained
	}
	cmd := start(t.Context(), s.python+"/bin/mlflow", append([]string{"server", "--host", "127.0.0.1", "--port", port, "--workers", "2",
		"--backend-store-uri", "sqlite:///" + s.dir + "/mlflow.db", "--artifacts-destination", s.dir + "/artifacts"}, args...)...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, s.environment("MLFLOW_AUTH_ADMIN_PASSWORD="+adminPassword, "MLFLOW_FLASK_SERVER_SECRET_KEY=test"), &said, &said
	cmd.SysProcAttr.Setpgid = true // it starts workers, which don't end with it
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // it is killed
		close(ended)
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-ended
		if t.Failed() {
			t.Logf("the server said at the end:\n%s", said.Tail(4000))
		}
	})
	url = "http://127.0.0.1:" + port
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		answer, err := http.Get(url + "/health")
		if err == nil {
			answer.Body.Close()
			return url
		}
		select {
		case <-ended:
			t.Fatalf("the server has ended: %s", said.Tail(4000))
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server is not ready: %v: %s", err, said.Tail(4000))
		}
	}
}

// environment is this one with the Python packages, without telemetry, and
// without the seven processes that run jobs for MLflow's own evaluations, which
// take longer to start than the server.
func (s *mlflowServer) environment(more ...string) []string {
	return append(append(os.Environ(), "PATH="+s.python+"/bin:"+os.Getenv("PATH"), "PYTHONDONTWRITEBYTECODE=", "PYTHONPYCACHEPREFIX="+s.python+"/compiled",
		"MLFLOW_DISABLE_TELEMETRY=true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false", "DO_NOT_TRACK=true", "OMP_NUM_THREADS=1", "GIT_PYTHON_REFRESH=quiet"), more...)
}

// suite runs the conformance suite, which is of the module above.
func (s *mlflowServer) suite(t *testing.T) {
	cmd := child.Command(t.Context(), "go", "test", "-trimpath", "-count=1", "-v", "-run", "TestReal", "./registry/mlflow")
	cmd.Dir, cmd.Env = "../..", append(os.Environ(), "CGO_ENABLED=0", "LEEWAY_TEST_MLFLOW="+s.url)
	out, err := child.Run(cmd)
	if err != nil {
		t.Fatal(err)
	}
	if passed := strings.Count(out, "--- PASS: TestReal"); passed < 28 || strings.Contains(out, "--- SKIP") {
		t.Errorf("%d tests have passed, want 28 or more, and none skipped", passed)
	}
	for line := range strings.Lines(out) {
		if strings.Contains(line, "--- ") {
			t.Log(strings.TrimSpace(line))
		}
	}
}

// cli is a call of the program.
func (s *mlflowServer) cli(t *testing.T, url string, args ...string) *exec.Cmd {
	cmd := child.Command(t.Context(), s.leeway, args...)
	cmd.Env = append(os.Environ(), "LEEWAY_STORE=mlflow+"+url)
	return cmd
}

func (s *mlflowServer) run(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := child.Run(cmd)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// register makes a version, with all that one can have.
func (s *mlflowServer) register(t *testing.T, url, model string, more ...string) *exec.Cmd {
	return s.cli(t, url, append([]string{"register", "--model", model, "--artifact", s.dir + "/model.bin", "--profile", s.dir + "/train.json",
		"--metric", "mae=6.4", "--dataset-name", "winter", "--dataset-uri", "s3://data/winter.csv"}, more...)...)
}

// listed is what `leeway versions -o json` prints.
type listed struct {
	Version   string            `json:"version"`
	Lifecycle string            `json:"lifecycle"`
	Artifact  map[string]string `json:"artifact"`
	Audit     []any             `json:"audit"`
}

func (s *mlflowServer) versions(t *testing.T, model string) (versions []listed) {
	t.Helper()
	if err := json.Unmarshal([]byte(s.run(t, s.cli(t, s.url, "versions", model, "-o", "json"))), &versions); err != nil {
		t.Fatal(err)
	}
	return versions
}

func (s *mlflowServer) client(t *testing.T, args ...string) string {
	t.Helper()
	cmd := child.Command(t.Context(), s.python+"/bin/python", append([]string{"testdata/mlflow_client.py"}, args...)...)
	cmd.Env = s.environment()
	cmd.Stderr = t.Output() // it warns a lot
	lines := strings.Split(s.run(t, cmd), "\n")
	return lines[len(lines)-1] // before it, the client prints what it does
}

// others registers with MLflow's own client and with Leeway, and has each see
// the other's.
func (s *mlflowServer) others(t *testing.T) {
	if v := s.client(t, "train", s.url, "airtime"); v != "1" {
		t.Fatalf("MLflow's client registered version %q, want 1", v)
	}
	if out := s.run(t, s.register(t, s.url, "airtime")); out != "2" {
		t.Fatalf("registered version %q, want 2", out)
	}
	vs := s.versions(t, "airtime")
	if len(vs) != 2 || vs[0].Version != "1" || vs[0].Lifecycle != "registered" || vs[0].Artifact["uri"] == "" {
		t.Fatalf("got %+v", vs)
	}
	if out := s.run(t, s.cli(t, s.url, "match", "airtime", "--profile", s.dir+"/train.json", "-o", "json")); !strings.Contains(out, "no_profile") {
		t.Errorf("version 1 should be left out of the match, with no profile: %s", out)
	}
	for _, n := range []string{"2", "1"} { // as it is moved in MLflow
		s.client(t, "alias", s.url, "airtime", "live", n)
		for _, v := range s.versions(t, "airtime") {
			if (v.Lifecycle == "live") != (v.Version == n) {
				t.Errorf("the alias is on version %s, and version %s is %s", n, v.Version, v.Lifecycle)
			}
		}
	}
	s.client(t, "alias", s.url, "airtime", "live", "2")
	var got struct {
		Source, Status, Description, Run, Dataset, URI, Profile string
		Aliases, Columns                                        []string
		Metrics                                                 map[string]float64
		Context                                                 map[string]string
	}
	if err := json.Unmarshal([]byte(s.client(t, "read", s.url, "airtime", "2")), &got); err != nil {
		t.Fatal(err)
	}
	if got.Source != "leeway-file://"+s.dir+"/model.bin" || got.Status != "READY" || got.Run != "FINISHED" || !strings.Contains(got.Description, "winter") {
		t.Errorf("version: got %+v", got)
	}
	if fmt.Sprint(got.Aliases) != "[live]" || fmt.Sprint(got.Metrics) != "map[mae:6.4]" {
		t.Errorf("aliases and metrics: got %+v", got)
	}
	if got.Dataset != "winter" || got.URI != "s3://data/winter.csv" || got.Context["mlflow.data.context"] != "training" ||
		fmt.Sprint(got.Columns) != "[temp carrier]" || !strings.HasPrefix(got.Profile, "sha256:") {
		t.Errorf("dataset: got %+v", got)
	}
}
