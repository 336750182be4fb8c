// Command machine is the first process of one of a test cluster's machines. It
// arranges the namespaces that it was started in, starts the machine's parts,
// and starts them again when they end.
//
// usage: machine SPEC, a JSON file. File descriptor 3 is a pipe: a byte on it
// says that this process is on record and may go on.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
)

// spec is what package cluster wants of a machine.
type spec struct {
	Name     string     // the host name
	Lib, Log string     // folders that become /var/lib and /var/log
	PartLogs string     // folder with a log for each part
	Cgroup   string     // the machine's part of each cgroup hierarchy
	Links    []string   // arguments of ip(8), one call each
	Parts    [][]string // programs and their arguments
}

func main() {
	fmt.Fprintln(os.Stderr, "machine:", run(os.Args[1:]))
	os.Exit(1)
}

// run ends only with an error: a machine runs until it is killed.
func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("want one argument, the specification, not %d", len(args))
	}
	b, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	var s spec
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	if _, err := os.NewFile(3, "ready").Read(make([]byte, 1)); err != nil {
		return fmt.Errorf("the starting program ended before this machine was on record: %w", err)
	}
	runtime.LockOSThread() // unshare(2) counts for one thread, and what that thread starts
	for _, step := range []func() error{s.mount, s.enterCgroups, s.connect} {
		if err := step(); err != nil {
			return err
		}
	}
	return s.supervise()
}

// connect names the machine and sets up its network.
func (s spec) connect() error {
	if err := syscall.Sethostname([]byte(s.Name)); err != nil {
		return fmt.Errorf("set host name: %w", err)
	}
	for _, line := range s.Links {
		if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", line, err, out)
		}
	}
	return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0)
}
