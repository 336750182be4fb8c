package e2e_test

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/e2e/child"
	"github.com/leeway-dev/leeway/e2e/cluster"
	"github.com/leeway-dev/leeway/e2e/testbed"
)

// demoReport is what the demo leaves behind.
type demoReport struct {
	Scenarios []demoScenario
	Memory    map[string]int64 // peak resident, in bytes
	Seconds   float64
}

type demoScenario struct {
	Name, Detail                         string
	Passed                               bool
	DetectedSeconds, RecoveredSeconds    *float64
	VersionBefore, VersionAfter          string
	Requests, RequestsFailed, Labels     int
	ErrorBefore, ErrorDuring, ErrorAfter *float64
}

// TestDemo runs the demo to its end, and holds its report against what is
// promised.
func TestDemo(t *testing.T) {
	before := demoMachine(t)
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	cmd := demo(ctx)
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	path := "../build/demo/report.json"
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	if err := cmd.Run(); err != nil {
		t.Error("demo:", err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var r demoReport
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	checkScenarios(t, r)
	for role, most := range map[string]int64{"sidecar": 25e6, "node": 80e6, "controller": 250e6} {
		if got := r.Memory[role]; got == 0 || got > most {
			t.Errorf("a %s has had %.1f MB resident, want at most %d and some", role, float64(got)/1e6, most/1e6)
		}
	}
	if r.Seconds > 12*60 {
		t.Logf("it took %.0f s: without a warm build cache that may be", r.Seconds)
	}
	nothingLeft(t, before, demoDir(t))
}

func checkScenarios(t *testing.T, r demoReport) {
	t.Helper()
	want := []string{"healthy", "new regime", "season returns", "bad release", "broken input", "silence", "leader killed"}
	var got []string
	for _, s := range r.Scenarios {
		got = append(got, s.Name)
		if !s.Passed {
			t.Errorf("%s has failed: %s", s.Name, s.Detail)
		}
		if s.Requests == 0 || s.RequestsFailed != 0 {
			t.Errorf("%s: %d of %d requests have failed, want some requests and no failure", s.Name, s.RequestsFailed, s.Requests)
		}
		if figures := s.ErrorBefore != nil || s.ErrorDuring != nil || s.ErrorAfter != nil; figures && s.Labels < 1000 {
			t.Errorf("%s: an error figure rests on %d labels, want 1,000 or more", s.Name, s.Labels)
		}
		switch s.Name {
		case "new regime":
			improved(t, s, 0.5)
		case "season returns":
			improved(t, s, 0.8)
		case "bad release":
			within(t, s.Name+": detected", s.DetectedSeconds, 5)
			within(t, s.Name+": recovered", s.RecoveredSeconds, 15)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("scenarios %q, want %q", got, want)
	}
}

func improved(t *testing.T, s demoScenario, factor float64) {
	t.Helper()
	if s.ErrorDuring == nil {
		t.Errorf("%s: no error was measured", s.Name)
		return
	}
	within(t, s.Name+": error afterwards", s.ErrorAfter, factor**s.ErrorDuring)
}

// within checks a figure that must be there, and positive.
func within(t *testing.T, what string, got *float64, most float64) {
	t.Helper()
	if got == nil {
		t.Errorf("%s: not measured", what)
	} else if *got <= 0 || *got > most {
		t.Errorf("%s: %.2f, want more than 0 and at most %.2f", what, *got, most)
	}
}

// TestDemoKilled kills a demo when all of it runs, and then takes down what
// there is of it.
func TestDemoKilled(t *testing.T) {
	before := demoMachine(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	var said child.Output
	cmd := demo(ctx, "--out", t.TempDir())
	cmd.Stdout, cmd.Stderr = io.MultiWriter(&said, t.Output()), t.Output()
	start := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for !strings.Contains(said.String(), "Leeway installed") || time.Since(start) < 40*time.Second {
		select {
		case err := <-ended:
			t.Fatalf("the demo ended by itself: %v", err)
		case <-time.After(time.Second):
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-ended
	if nothing := same(before, look(t, demoDir(t))); nothing == nil {
		t.Error("a killed demo has left nothing: the look is blind, or it was killed too late")
	}
	down := demo(ctx, "--down")
	down.Stdout, down.Stderr = t.Output(), t.Output()
	if err := down.Run(); err != nil {
		t.Error("demo --down:", err)
	}
	nothingLeft(t, before, demoDir(t))
}

// demo is the program of `make demo`, started where that starts it. It ends
// with the test, and tidies up when it is told to end.
func demo(ctx context.Context, args ...string) *exec.Cmd {
	cmd := child.Command(ctx, "build/tools/demo", args...)
	cmd.Dir = ".."
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = time.Minute
	return cmd
}

// demoMachine says what is on this machine before a demo. The demo's cluster is
// in the default folder, where a person's may be: that one is left alone. What a
// run that was cut short left there is taken down, and in CI nobody keeps one.
func demoMachine(t *testing.T) map[string]bool {
	t.Helper()
	testbed.NeedMachine(t)
	if _, err := os.Stat("../build/tools/demo"); err != nil {
		t.Fatalf("%v: run make tools first", err)
	}
	if c, err := cluster.Open(""); err == nil {
		if c.Alive() && os.Getenv("CI") == "" {
			t.Fatal("a cluster is up in the default folder, perhaps of a demo that was kept: take it down with make demo-down")
		}
		t.Log("what is left of an earlier cluster in the default folder is taken down")
		if err := c.Down(); err != nil {
			t.Fatal("down:", err)
		}
	}
	before := look(t, demoDir(t))
	t.Cleanup(func() {
		if _, err := cluster.Open(""); err == nil {
			if err := cluster.Down(""); err != nil {
				t.Error("down:", err)
			}
		}
	})
	return before
}

func demoDir(t *testing.T) string {
	t.Helper()
	dir, err := cluster.DefaultDir()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
