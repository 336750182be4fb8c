package sidecar_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/leeway-dev/leeway/sidecar"
)

// childVar holds what the test's program is to be instead of a test: see child.
const childVar = "LEEWAY_TEST_CHILD"

// asked is what a child is started with.
type asked struct {
	Upstream    string // "": it is an upstream itself
	Portable    bool
	Descriptors uint64 // how many it may have; 0: as many as can be had
}

// child is a sidecar, or an upstream for one, in a process of its own, until its standard input ends. So its memory
// and its descriptors are its own.
func child(text string) error {
	var a asked
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		return err
	}
	if a.Descriptors > 0 {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: a.Descriptors, Max: a.Descriptors}); err != nil {
			return err
		}
	} else {
		unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 1 << 16, Max: 1 << 16}) // if this process may
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); fmt.Println() {
			debug.FreeOSMemory()
		}
		cancel()
	}()
	if a.Upstream == "" {
		s, stop := newObliging()
		defer stop()
		fmt.Println(s.URL, s.URL)
		<-ctx.Done()
		return nil
	}
	p, err := train(0)
	if err != nil {
		return err
	}
	s, err := sidecar.New(sidecar.Config{
		Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0", Upstream: a.Upstream, Model: "m", Version: "3", SampleRatio: 1,
		Profile: p, CaptureBudget: 1 << 20, MaxBody: 64 << 10, Portable: a.Portable, Log: zap.NewNop(),
	})
	if err != nil {
		return err
	}
	fmt.Printf("http://%v http://%v\n", s.Addr(), s.AdminAddr())
	return s.Run(ctx)
}

// spawned is a child.
type spawned struct {
	running
	pid int
	in  io.Writer
	out *bufio.Reader
}

func spawn(t *testing.T, a asked) *spawned {
	t.Helper()
	text, _ := json.Marshal(a)
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childVar+"="+string(text), "GOGC=25")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &spawned{pid: cmd.Process.Pid, in: in, out: bufio.NewReader(out)}
	s.t, s.client = t, &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	line, err := s.out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	s.traffic, s.admin, _ = strings.Cut(strings.TrimSpace(line), " ")
	return s
}

// memory is a figure of the child's memory, VmRSS or its peak VmHWM, in bytes.
func (s *spawned) memory(name string) (n int) {
	s.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid))
	if err != nil {
		s.t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(b), name+":")
	if _, err := fmt.Sscanf(after, "%d kB", &n); !ok || err != nil {
		s.t.Fatal(errors.Join(errors.New(name), err))
	}
	return n << 10
}

// tidied is its resident memory when all that it does not need is given back.
func (s *spawned) tidied() int {
	s.t.Helper()
	fmt.Fprintln(s.in)
	if _, err := s.out.ReadString('\n'); err != nil {
		s.t.Fatal(err)
	}
	return s.memory("VmRSS")
}

// descriptorLimit is how many descriptors it may have.
func (s *spawned) descriptorLimit() (n int) {
	s.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", s.pid))
	if err != nil {
		s.t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(b), "Max open files")
	if _, err := fmt.Sscan(after, &n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

func (s *spawned) descriptors() int { return descriptors(s.t, s.pid) }

func descriptors(t testing.TB, pid int) int {
	t.Helper()
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}
