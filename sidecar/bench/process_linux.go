package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// process is one that this program has started, and ends.
type process struct {
	cmd  *exec.Cmd
	said *bufio.Reader
}

// begin starts a process that does not outlive this one. Ctrl-C in a terminal does not reach it: this one ends it.
func begin(cmd *exec.Cmd) (*process, error) {
	if cmd.Stderr == nil {
		cmd.Stderr = os.Stderr
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cmd.Path, err)
	}
	return &process{cmd, bufio.NewReader(out)}, nil
}

// self starts another part of this program and returns the first line that it says.
func self(arg ...string) (*process, string, error) {
	p, err := begin(exec.Command("/proc/self/exe", arg...))
	if err != nil {
		return nil, "", err
	}
	line, err := p.said.ReadString('\n')
	if err != nil {
		p.stop()
		return nil, "", fmt.Errorf("%v says nothing: %w", arg, err)
	}
	return p, strings.TrimSpace(line), nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) stop() {
	p.cmd.Process.Kill()
	io.Copy(io.Discard, p.said)
	p.cmd.Wait()
}

// terminate lets it end by itself: nginx has workers to take with it.
func (p *process) terminate() {
	p.cmd.Process.Signal(syscall.SIGTERM)
	io.Copy(io.Discard, p.said)
	p.cmd.Wait()
}

// stops are what there is to be undone, the last first.
type stops []func()

func (s *stops) add(f func()) { *s = append(*s, f) }

func (s *stops) all() {
	for i := len(*s) - 1; i >= 0; i-- {
		(*s)[i]()
	}
	*s = nil
}

// descriptors is how many descriptors a process may have, as many as can be had.
func descriptors() int {
	want := unix.Rlimit{Cur: 32768, Max: 32768}
	var have unix.Rlimit
	unix.Getrlimit(unix.RLIMIT_NOFILE, &have)
	if have.Cur >= want.Cur || unix.Setrlimit(unix.RLIMIT_NOFILE, &want) == nil {
		return int(max(have.Cur, want.Cur))
	}
	want.Cur, want.Max = have.Max, have.Max
	unix.Setrlimit(unix.RLIMIT_NOFILE, &want)
	return int(have.Max)
}

// cpu is the processor time of a process and its children in µs.
func cpu(pid int) (sum float64) {
	if pid == 0 {
		return 0
	}
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	for _, task := range tasks {
		var ns float64
		b, _ := os.ReadFile(task + "/schedstat")
		fmt.Sscan(string(b), &ns)
		sum += ns / 1000
		children, _ := os.ReadFile(task + "/children")
		for child := range strings.FieldsSeq(string(children)) {
			n, _ := strconv.Atoi(child)
			sum += cpu(n)
		}
	}
	return sum
}

var residentLines = regexp.MustCompile(`(VmRSS|VmHWM):\s+(\d+) kB`)

// resident is the memory of a process that is in use, and the most that ever was, in bytes.
func resident(pid int) (now, peak float64) {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for _, m := range residentLines.FindAllStringSubmatch(string(b), -1) {
		v, _ := strconv.ParseFloat(m[2], 64)
		if m[1] == "VmRSS" {
			now = v * 1024
		} else {
			peak = v * 1024
		}
	}
	return now, peak
}
