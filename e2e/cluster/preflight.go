package cluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/leeway-dev/leeway/e2e/debian"
)

// hierarchies are the cgroup controllers that a kubelet with cgroup v1 needs.
var hierarchies = []string{"cpu", "cpuacct", "cpuset", "memory", "pids", "devices", "freezer", "blkio"}

// Missing is the error of Preflight: everything that is missing, in one screen.
type Missing []string

func (m Missing) Error() string {
	return "this machine cannot run the test cluster:\n  - " + strings.Join(m, "\n  - ")
}

// Preflight says all that keeps a cluster from running here, as a Missing error.
// Debian packages that are not there count only if they cannot be installed.
func Preflight(ctx context.Context) error {
	if runtime.GOOS != "linux" {
		return Missing{"Linux: this is " + runtime.GOOS + "; use a Linux machine, a virtual one will do"}
	}
	var missing Missing
	if os.Getuid() != 0 {
		missing = append(missing, "root: the machines are made of namespaces, mounts and cgroups; run this with sudo -E")
	}
	missing = append(missing, missingCgroups("/sys/fs/cgroup")...)
	for _, dir := range []string{"/proc/sys/net/ipv4", "/proc/self/ns/net", "/proc/self/ns/cgroup"} {
		if _, err := os.Stat(dir); err != nil {
			missing = append(missing, "a kernel with namespaces: "+err.Error())
		}
	}
	if _, err := exec.LookPath("go"); err != nil {
		missing = append(missing, "the go command: Kubernetes is built from its modules; install Go and put it in PATH")
	}
	if absent := debian.Absent(ctx, debian.Cluster()); len(absent) > 0 {
		if _, err := exec.LookPath("apt-get"); err != nil {
			missing = append(missing, "apt-get, to install "+strings.Join(absent, " ")+": only Debian and its kin are known to work")
		}
	}
	if len(missing) > 0 {
		return missing
	}
	return nil
}

// missingCgroups says which cgroup v1 hierarchies are not mounted below root.
func missingCgroups(root string) []string {
	if _, err := os.Stat(filepath.Join(root, "cgroup.controllers")); err == nil {
		return []string{"cgroup v1: this machine has only cgroup v2, which is not supported yet; " +
			"boot with systemd.unified_cgroup_hierarchy=0, or use another machine"}
	}
	var absent []string
	for _, h := range hierarchies {
		if _, err := os.Stat(filepath.Join(root, h, "cgroup.procs")); err != nil {
			absent = append(absent, h)
		}
	}
	if len(absent) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("cgroup v1 hierarchies mounted at %s: %s", root, strings.Join(absent, ", "))}
}
