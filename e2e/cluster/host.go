package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/leeway-dev/leeway/e2e/child"
)

// plug makes the bridge that the machines hang on. The host is on it too, as .1.
func (c *Cluster) plug() error {
	return ip(append([]string{
		"link add " + c.bridge() + " type bridge",
		fmt.Sprintf("addr add %s.1/24 dev %s", c.o.NodeNet, c.bridge()),
		"link set " + c.bridge() + " up",
	}, c.routes(0)...)...)
}

// routes lead from machine n, or from the host, to the pods of all others and
// to the Services. There is no default route: nothing leads off this machine.
func (c *Cluster) routes(n int) (routes []string) {
	for other := 1; other <= c.o.Nodes; other++ {
		if other != n {
			routes = append(routes, fmt.Sprintf("route add %s via %s", c.podCIDR(other), c.NodeIP(other)))
		}
	}
	via := "via " + c.NodeIP(1) // has a kube-proxy; host and control plane have none
	if n > 0 {
		via = "dev eth0" // any: kube-proxy rewrites the address, but after the look-up
	}
	return append(routes, fmt.Sprintf("route add %s.0.0/16 %s", c.o.ServiceNet, via))
}

// ip runs ip(8) once for each line of arguments.
func ip(lines ...string) error {
	for _, line := range lines {
		if _, err := child.Run(child.Command(context.Background(), "ip", strings.Fields(line)...)); err != nil {
			return err
		}
	}
	return nil
}

// unplug removes a network link of the host, if there is one. The kernel may be
// removing it at the same time.
func unplug(link string) error {
	exists := func() bool {
		_, err := os.Stat("/sys/class/net/" + link)
		return err == nil
	}
	if !exists() {
		return nil
	}
	if err := ip("link del " + link); err != nil && exists() {
		return err
	}
	return nil
}

// removeCgroups removes a cgroup and all below it, from every hierarchy. The
// kernel answers EBUSY until it has buried the last task.
func removeCgroups(name string) error {
	end := time.Now().Add(burial)
	for {
		dirs, err := filepath.Glob("/sys/fs/cgroup/*/" + name)
		if err != nil || len(dirs) == 0 {
			return err
		}
		_, err = child.Run(exec.Command("find", append(dirs, "-depth", "-type", "d", "-delete")...))
		if err != nil && time.Now().After(end) {
			return errors.Join(fmt.Errorf("cgroup %s does not go", name), err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
