package e2e_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/e2e/cluster"
	"github.com/leeway-dev/leeway/e2e/images"
	"github.com/leeway-dev/leeway/e2e/testbed"
)

// TestNothingIsLeft kills the program that starts a cluster at several moments,
// then takes down what there is of it.
func TestNothingIsLeft(t *testing.T) {
	testbed.NeedMachine(t)
	dir := t.TempDir()
	nothing := look(t, dir)
	shared := testbed.Up(t, options(dir, "")) // brings in the packages and the programs
	found := fmt.Sprint(same(nothing, look(t, dir)))
	for _, kind := range []string{"process ", "ip -br link: ", "ip route: ", "folder: /sys/fs/cgroup/"} {
		if !strings.Contains(found, "left behind: "+kind) {
			t.Errorf("a running cluster shows no %q: the look is blind", kind)
		}
	}
	if err := shared.Down(); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name  string
		fresh bool // with no programs there, so that it is building them
		after time.Duration
		kill  bool // else down meets it alive
	}{
		{name: "while it builds", fresh: true, after: 3 * time.Second, kill: true},
		{name: "at once", after: 20 * time.Millisecond, kill: true},
		{name: "while machines start", after: 150 * time.Millisecond, kill: true},
		{name: "before the API answers", after: 700 * time.Millisecond, kill: true},
		{name: "while nodes join", after: 3 * time.Second, kill: true},
		{name: "when all runs", after: 30 * time.Second, kill: true},
		{name: "not at all", after: time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir, programs := t.TempDir(), ""
			if tc.fresh {
				programs = filepath.Join(dir, "programs")
			}
			before := look(t, dir)
			interrupt(t, victim("up", dir, programs), tc.after, tc.kill)
			if err := cluster.Down(dir); err != nil {
				t.Fatal(err)
			}
			nothingLeft(t, before, dir)
		})
	}
}

// TestNothingIsLeftOfAnImageBuild kills one at several moments. What is left in
// its folder is cleared by the next.
func TestNothingIsLeftOfAnImageBuild(t *testing.T) {
	testbed.NeedMachine(t)
	dir := t.TempDir()
	before := look(t, dir)
	for _, after := range []time.Duration{100 * time.Millisecond, 700 * time.Millisecond, 1500 * time.Millisecond} {
		interrupt(t, victim("image", dir, ""), after, true)
		nothingLeft(t, before, dir)
	}
	o := images.Options{Root: "testdata/probe", Dir: dir}
	if _, err := images.Build(t.Context(), o, []images.Image{probe()}, t.Output()); err != nil {
		t.Error("the next build:", err)
	}
	nothingLeft(t, before, dir)
}

// victim is another process that does one thing in a folder: see TestMain.
func victim(what, dir, programs string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), victimEnv+"="+what, dirEnv+"="+dir, programsEnv+"="+programs)
	return cmd
}

// interrupt runs a command for some time, or until it ends. Then it may kill it.
func interrupt(t *testing.T, cmd *exec.Cmd, after time.Duration, kill bool) {
	t.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		cmd.Process.Kill() // it has ended, unless the test failed
		<-ended
		t.Logf("it said:\n%s", &out)
	})
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("it failed by itself: %v", err)
		}
		ended <- err // for the clean-up
	case <-time.After(after):
		if kill {
			cmd.Process.Kill()
		}
	}
}

// look lists all that a cluster could leave on this machine: processes in
// foreign namespaces or with the folder's name, mounts, links, routes, network
// namespaces, packet filters, cgroups, and files in /run and /var/lib.
func look(t *testing.T, dir string) map[string]bool {
	t.Helper()
	seen := map[string]bool{}
	for _, command := range []string{"ip -br link", "ip route", "ip netns", "nft list tables"} {
		args := strings.Fields(command)
		out, err := exec.Command(args[0], args[1:]...).Output()
		if err != nil {
			t.Fatal(command, err)
		}
		for line := range strings.Lines(string(out)) {
			seen[command+": "+strings.TrimSpace(line)] = true
		}
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		seen["mount: "+line] = true
	}
	for root, depth := range map[string]int{"/sys/fs/cgroup": 4, "/run": 2, "/var/lib": 2} {
		list(t, seen, root, depth)
	}
	processes(t, seen, dir)
	return seen
}

// list adds the folders below root down to a depth.
func list(t *testing.T, seen map[string]bool, root string, depth int) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil // what vanishes meanwhile is not left
		}
		if path == "/run/mount" { // libmount's, for the first mount(8) of whatever program on the machine
			return fs.SkipDir
		}
		seen["folder: "+path] = true
		if strings.Count(strings.TrimPrefix(path, root), "/") == depth {
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// processes adds those that are in other namespaces than this one, or have to do
// with the folder.
func processes(t *testing.T, seen map[string]bool, dir string) {
	t.Helper()
	pids, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, proc := range pids {
		args, err := os.ReadFile(proc + "/cmdline")
		if err != nil || len(args) == 0 { // ended, or of the kernel
			continue
		}
		line := strings.ReplaceAll(string(args), "\x00", " ")
		foreign := false
		for _, ns := range []string{"pid", "net", "mnt"} {
			theirs, err := os.Readlink(proc + "/ns/" + ns)
			ours, ourErr := os.Readlink("/proc/self/ns/" + ns)
			foreign = foreign || err == nil && ourErr == nil && theirs != ours
		}
		if foreign || strings.Contains(line, dir) {
			seen[fmt.Sprintf("process %s: %s", filepath.Base(proc), line)] = true
		}
	}
}

// nothingLeft checks that all is as it was before. The kernel takes a moment: it
// ends the processes of a namespace after the one that the namespace was for, and
// on a busy machine that can be seconds.
func nothingLeft(t *testing.T, before map[string]bool, dir string) {
	t.Helper()
	testbed.Eventually(t, 10*time.Second, func() error { return same(before, look(t, dir)) })
	if _, err := os.Stat(filepath.Join(dir, "run")); err == nil {
		t.Error("the folder run is left")
	}
}

// same says what there is now that was not there before.
func same(before, after map[string]bool) error {
	var errs []error
	for _, thing := range slices.Sorted(maps.Keys(after)) {
		if !before[thing] {
			errs = append(errs, errors.New("left behind: "+thing))
		}
	}
	return errors.Join(errs...)
}
