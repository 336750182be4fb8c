package cluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/leeway-dev/leeway/e2e/child"
)

// burial is how long the kernel may take to end a killed machine.
const burial = 20 * time.Second

// NodeStop pulls the plug of machine n: all that runs on it is gone at once, as
// if its power had failed, and what it wrote to /var/lib stays.
func (c *Cluster) NodeStop(n int) error {
	if err := c.mustBeMachine(n); err != nil {
		return err
	}
	return c.stop(n)
}

// NodeStart boots machine n again. It does not wait until the node is ready.
func (c *Cluster) NodeStart(n int) error {
	if err := c.mustBeMachine(n); err != nil {
		return err
	}
	return c.start(n)
}

// NodeCommand is a command that runs with machine n's files, processes and
// network. If the machine does not run, so fails the command.
func (c *Cluster) NodeCommand(n int, args ...string) *exec.Cmd {
	return c.nodeCommand(context.Background(), n, args...)
}

func (c *Cluster) nodeCommand(ctx context.Context, n int, args ...string) *exec.Cmd {
	enter := []string{"-t", strconv.Itoa(livePID(c.pidFile(n))), "-m", "-u", "-i", "-n", "-p", "--"}
	return child.Command(ctx, "nsenter", append(enter, args...)...)
}

func (c *Cluster) mustBeMachine(n int) error {
	if n < 0 || n > c.o.Nodes {
		return fmt.Errorf("no machine %d: 0 is the control plane, nodes are 1 to %d", n, c.o.Nodes)
	}
	return nil
}

// start boots machine n. It waits on a pipe until its pid is on record and its
// cable plugged in, and ends by itself should this program die before.
func (c *Cluster) start(n int) error {
	if pid := livePID(c.pidFile(n)); pid != 0 {
		return fmt.Errorf("machine %d already runs, with pid %d", n, pid)
	}
	log, err := os.OpenFile(filepath.Join(c.partLogs(n), "machine.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	wait, ready, err := os.Pipe()
	if err != nil {
		return err
	}
	defer ready.Close()
	cmd := exec.Command(c.bin("machine"), c.etc(n, "machine.json"))
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = "/", log, log, []*os.File{wait}
	cmd.SysProcAttr = machineAttributes()
	err = cmd.Start()
	wait.Close()
	if err != nil {
		return fmt.Errorf("start machine %d: %w", n, err)
	}
	go cmd.Wait() // so that a stopped machine is no zombie of this program
	pid := cmd.Process.Pid
	if err := write(c.pidFile(n), fmt.Sprintf("%d %s\n", pid, born(pid))); err != nil {
		return err
	}
	if err := unplug(c.veth(n)); err != nil { // of a stop that the kernel has not finished
		return err
	}
	if err := ip(
		fmt.Sprintf("link add %s type veth peer name eth0 netns %d", c.veth(n), pid),
		fmt.Sprintf("link set %s master %s up", c.veth(n), c.bridge()),
	); err != nil {
		return err
	}
	_, err = ready.Write([]byte{1})
	return err
}

// stop kills machine n, if it runs, and waits until nothing of it is left.
func (c *Cluster) stop(n int) error {
	if err := kill(c.pidFile(n)); err != nil {
		return fmt.Errorf("machine %d: %w", n, err)
	}
	if err := unplug(c.veth(n)); err != nil {
		return err
	}
	return removeCgroups(c.machineCgroup(n))
}

// kill ends the process that is on record in a file, if it runs, and waits for
// its end.
func kill(record string) error {
	end := time.Now().Add(burial)
	for {
		pid := livePID(record)
		if pid == 0 {
			break
		}
		if time.Now().After(end) {
			return fmt.Errorf("process %d does not die", pid)
		}
		syscall.Kill(pid, syscall.SIGKILL)
		time.Sleep(20 * time.Millisecond)
	}
	if err := os.Remove(record); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}

// livePID is the process on record in a file, or 0 if it does not run. The time
// of birth on record keeps a process that got the same number later from harm.
func livePID(record string) (pid int) {
	b, err := os.ReadFile(record)
	if err != nil {
		return 0
	}
	var birth string
	if _, err := fmt.Sscan(string(b), &pid, &birth); err != nil || born(pid) != birth {
		return 0
	}
	return pid
}

// born is the start time of a live process in clock ticks, as in proc(5).
func born(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "gone"
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	f := strings.Fields(rest)
	if len(f) < 20 || f[0] == "Z" || f[0] == "X" {
		return "gone"
	}
	return f[19]
}
