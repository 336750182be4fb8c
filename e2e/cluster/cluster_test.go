package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestCgroupsThatAreMissingAreNamed(t *testing.T) {
	v1, v2, none := t.TempDir(), t.TempDir(), t.TempDir()
	for _, h := range hierarchies {
		if h == "pids" {
			continue
		}
		if err := os.Mkdir(filepath.Join(v1, h), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(v1, h, "cgroup.procs"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(v2, "cgroup.controllers"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, root, want string }{
		{"one missing", v1, ": pids"},
		{"version 2", v2, "only cgroup v2, which is not supported yet"},
		{"none", none, "cpu, cpuacct, cpuset"},
	} {
		got := strings.Join(missingCgroups(tc.root), "\n")
		if !strings.Contains(got, tc.want) || strings.Contains(got, "\n") {
			t.Errorf("%s: %q, want one line with %q", tc.name, got, tc.want)
		}
	}
}

func TestOptionsThatCannotWorkAreRefused(t *testing.T) {
	dir := t.TempDir()
	for _, tc := range []struct {
		o    Options
		want string
	}{
		{Options{Dir: "/var/lib/x"}, "/var/lib/ of its own"},
		{Options{Dir: dir, Nodes: 300}, "300 nodes"},
		{Options{Dir: dir, NodeNet: "10.89"}, "first 3 bytes"},
		{Options{Dir: dir, PodNet: "10.88.0"}, "first 2 bytes"},
	} {
		if _, err := tc.o.withDefaults(); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: error %v, want %q", tc.o, err, tc.want)
		}
	}
	if o, err := (Options{Dir: dir}).withDefaults(); err != nil || o.Nodes != 2 || o.Port != 6443 {
		t.Errorf("defaults are %+v, %v", o, err)
	}
}

func TestOpenWithoutACluster(t *testing.T) {
	if _, err := Open(t.TempDir()); !errors.Is(err, ErrNotUp) {
		t.Errorf("error is %v, want ErrNotUp", err)
	}
	if err := Down(t.TempDir()); err != nil {
		t.Errorf("down without a cluster: %v", err)
	}
}

// A cluster that ended with its computer is found on record, isn't alive, and is
// taken down as one that is.
func TestClusterOnRecordOnly(t *testing.T) {
	o, err := Options{Dir: t.TempDir(), NodeNet: "10.255.255"}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	c := &Cluster{o}
	self := fmt.Sprintf("%d %s\n", os.Getpid(), born(os.Getpid()))
	for _, err := range []error{write(c.record(), b), write(c.pidFile(1), "1 0\n"), write(c.pidFile(2), self)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	up, err := Open(o.Dir)
	if err != nil || !up.Alive() {
		t.Fatalf("error is %v, alive is %v: want one whose second node runs", err, up.Alive())
	}
	if err := os.Remove(c.pidFile(2)); err != nil {
		t.Fatal(err)
	}
	if up.Alive() {
		t.Error("alive, where the one process on record was born at another time")
	}
	if err := up.Down(); err != nil {
		t.Error("down:", err)
	}
	if _, err := Open(o.Dir); !errors.Is(err, ErrNotUp) {
		t.Errorf("error is %v, want ErrNotUp", err)
	}
}

// A process on record is killed; one that has its number by chance is not.
func TestOnlyTheProcessOnRecordIsKilled(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Skip("no sleep here:", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { cmd.Process.Kill() })
	record, pid := filepath.Join(t.TempDir(), "pid"), cmd.Process.Pid
	for _, tc := range []struct {
		birth string
		dies  bool
	}{{"1", false}, {born(pid), true}} {
		if err := write(record, strconv.Itoa(pid)+" "+tc.birth+"\n"); err != nil {
			t.Fatal(err)
		}
		if err := kill(record); err != nil {
			t.Fatal(err)
		}
		select {
		case <-ended:
			if !tc.dies {
				t.Fatal("killed a process that was born at another time")
			}
		case <-time.After(300 * time.Millisecond):
			if tc.dies {
				t.Error("the process on record still runs")
			}
		}
	}
}

func TestParseParts(t *testing.T) {
	got := parseParts("a\n\t--x=1\n\t# why\n\t--y=2\n# note\nb\n")
	if len(got) != 2 || strings.Join(got[0], " ") != "a --x=1 --y=2" || strings.Join(got[1], " ") != "b" {
		t.Errorf("parts are %q", got)
	}
}
