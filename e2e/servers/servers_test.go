package servers_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/e2e/child"
	"github.com/leeway-dev/leeway/e2e/python"
)

// Python environments. KServe's packages do not go together with MLServer's.
const (
	mlserver = "mlserver-mlflow" // and tritonclient
	kserve   = "kserve"          // and tritonclient
)

// endpoint is a port of a server, and the model that is asked there.
type endpoint struct{ port, model string }

// setup is what all servers share.
type setup struct {
	dir          string            // of built programs and made files
	environments map[string]string // folders of Python environments, by their names
}

// TestServers runs every case of every client.
func TestServers(t *testing.T) {
	began := time.Now()
	s := newSetup(t)
	t.Logf("%.1fs in all for the setup", time.Since(began).Seconds())
	t.Run("MLServer", func(t *testing.T) { testMLServer(t, s) })
	t.Run("MLflow", func(t *testing.T) { testMLflow(t, s) })
	t.Run("KServe", func(t *testing.T) { testKServe(t, s) })
	t.Run("Triton's stream", func(t *testing.T) { testTritonStream(t, s) })
}

// newSetup installs Python packages, builds the programs, trains the models and
// makes their profiles.
func newSetup(t *testing.T) *setup {
	t.Helper()
	s := &setup{dir: t.TempDir(), environments: map[string]string{}}
	s.install(t)
	build(t, s.dir)
	s.run(t, mlserver, "python", "testdata/train.py", s.dir)
	for _, model := range []string{"numbers", "mixed"} {
		cmd := child.Command(t.Context(), s.path("leeway"), "profile", s.path(model, "train.csv"), "--prediction", "minutes", "-o", s.path(model, "profile.json"))
		if _, err := child.Run(cmd); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// install makes the environments, all at once. Where that is not possible the
// test is skipped; in CI that is a failure: a test that never runs is none.
func (s *setup) install(t *testing.T) {
	t.Helper()
	var all sync.WaitGroup
	var mu sync.Mutex
	var failed error
	for _, name := range []string{mlserver, kserve} {
		all.Go(func() {
			dir, err := python.Environment(t.Context(), "testdata/requirements/"+name+".txt", t.Output())
			mu.Lock()
			defer mu.Unlock()
			if s.environments[name] = dir; err != nil {
				failed = err
			}
		})
	}
	all.Wait()
	python.SkipOrFail(t, failed)
}

// build makes the programs of the module above that the tests run.
func build(t *testing.T, dir string) {
	t.Helper()
	cmd := child.Command(t.Context(), "go", "build", "-trimpath", "-o", dir+"/", "./cmd/leeway", "./cmd/leeway-sidecar")
	cmd.Dir, cmd.Env = "../..", append(os.Environ(), "CGO_ENABLED=0")
	if _, err := child.Run(cmd); err != nil {
		t.Fatal(err)
	}
}

// path is a file of the setup.
func (s *setup) path(parts ...string) string {
	return filepath.Join(append([]string{s.dir}, parts...)...)
}

// program is a program of an environment.
func (s *setup) program(environment, name string) string {
	return filepath.Join(s.environments[environment], "bin", name)
}

// in has a command find the programs of an environment, and keep there what it has
// compiled. It gets one thread for its arithmetic: the machine has better uses for
// the others.
func (s *setup) in(environment string) func(*exec.Cmd) {
	dir := s.environments[environment]
	return func(cmd *exec.Cmd) {
		cmd.Env = append(os.Environ(), "PATH="+dir+"/bin:"+os.Getenv("PATH"), "OMP_NUM_THREADS=1",
			"PYTHONDONTWRITEBYTECODE=", "PYTHONPYCACHEPREFIX="+dir+"/compiled")
	}
}

// run runs a program of an environment to its end.
func (s *setup) run(t *testing.T, environment, program string, args ...string) {
	t.Helper()
	cmd := child.Command(t.Context(), s.program(environment, program), args...)
	s.in(environment)(cmd)
	if _, err := child.Run(cmd); err != nil {
		t.Fatal(err)
	}
}

// serve starts a server that ends with the test, and waits for it.
func (s *setup) serve(t *testing.T, ready func() error, environment, program string, args ...string) {
	t.Helper()
	ended := start(t.Context(), t, s.in(environment), s.program(environment, program), args...)
	await(t, program, ended, ready)
}

// try runs all cases of a client, with the server and through sidecars.
func (s *setup) try(t *testing.T, environment, script string, endpoints map[string]endpoint) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	direct, through := map[string]string{}, map[string]string{}
	sidecars, references, wants := map[string]sidecar{}, map[string]reference{}, map[string]counts{}
	for name, e := range endpoints {
		profile := s.path(e.model, "profile.json")
		sidecars[name], references[name], wants[name] = startSidecar(ctx, t, s.path("leeway-sidecar"), profile, e.port), readReference(t, profile), counts{}
		direct[name], through[name] = "127.0.0.1:"+e.port, sidecars[name].address
	}
	one, other := s.startClient(ctx, t, environment, script, direct), s.startClient(ctx, t, environment, script, through)
	for _, c := range one.cases {
		t.Run(c.Name, func(t *testing.T) {
			exchanges := same(t, one.run(t, c.Name), other.run(t, c.Name))
			if err := errors.Join(c.check(exchanges), wants[c.Endpoint].add(references[c.Endpoint], exchanges)); err != nil {
				t.Fatal(err)
			}
			sidecars[c.Endpoint].counted(t, wants[c.Endpoint])
		})
	}
}
