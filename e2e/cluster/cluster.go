// Package cluster runs a whole Kubernetes on one Linux machine, and takes it
// away again: a control plane and nodes that can be killed one by one, with real
// kubelets and containers. It needs no registry, container engine or init
// system, only root and a few Debian packages. Real, because what Leeway promises
// hangs on what kubelets, rolling updates and dead nodes really do.
//
// A machine (0 is the control plane, nodes are 1 to N) is one process tree in
// namespaces of its own, so that stopping it is killing one process on record:
// the kernel ends its containers, mounts, interfaces and packet filter with it.
package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// ErrNotUp says that there is no cluster in the folder.
var ErrNotUp = errors.New("no cluster is up here; start one with up")

// Options say what a cluster should be like. Every field may be zero.
type Options struct {
	Dir        string        // all files are below it; zero: DefaultDir
	Programs   string        // where built programs are kept when the cluster goes; zero: bin in DefaultDir
	Nodes      int           // besides the control plane; zero: 2
	NodeNet    string        // first three bytes of the machines' /24; zero: "10.89.0"
	PodNet     string        // first two bytes of the pods' /16, of which node n has the n-th /24; zero: "10.88"
	ServiceNet string        // first two bytes of the Services' /16; zero: "10.96"
	Port       int           // of the API server; zero: 6443
	PodGrace   time.Duration // until pods leave a dead node, in whole seconds; zero: 5 min, as in Kubernetes
}

// Cluster is a cluster that is up, or was.
type Cluster struct{ o Options }

// DefaultDir is leeway/cluster in the user's cache folder, which is
// $XDG_CACHE_HOME or ~/.cache.
func DefaultDir() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache folder for the cluster, name one: %w", err)
	}
	return filepath.Join(cache, "leeway", "cluster"), nil
}

// Open finds the cluster that an earlier Up left running. dir may be empty for
// the default. Without a cluster there the error is ErrNotUp.
func Open(dir string) (*Cluster, error) {
	dir, err := resolveDir(dir)
	if err != nil {
		return nil, err
	}
	c := &Cluster{Options{Dir: dir}}
	b, err := os.ReadFile(c.record())
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", dir, ErrNotUp)
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &c.o); err != nil {
		return nil, fmt.Errorf("%s: %w", c.record(), err)
	}
	c.o.Dir = dir
	return c, nil
}

// Alive says whether any machine of the cluster runs, or an Up still makes it.
// One that was killed with the computer that it ran on is on record only.
func (c *Cluster) Alive() bool {
	for n := 0; n <= c.o.Nodes; n++ {
		if livePID(c.pidFile(n)) != 0 {
			return true
		}
	}
	return livePID(c.owner()) != 0
}

// Kubeconfig is the path of the administrator's kubeconfig.
func (c *Cluster) Kubeconfig() string { return c.pki("admin.kubeconfig") }

// AuditLog is the path of the API server's audit log, one JSON object a line for
// every request that may change something.
func (c *Cluster) AuditLog() string { return filepath.Join(c.partLogs(0), "audit.log") }

// Nodes is the number of nodes, which are numbered from 1.
func (c *Cluster) Nodes() int { return c.o.Nodes }

// NodeName is the name of node n.
func (c *Cluster) NodeName(n int) string { return fmt.Sprintf("node-%d", n) }

// NodeIP is the address of machine n, on which the host reaches it.
func (c *Cluster) NodeIP(n int) string { return fmt.Sprintf("%s.%d", c.o.NodeNet, 10+n) }

// LogDir is the folder with the logs of machine n's parts.
func (c *Cluster) LogDir(n int) string { return c.partLogs(n) }

func (c *Cluster) podCIDR(n int) string { return fmt.Sprintf("%s.%d.0/24", c.o.PodNet, n) }

// What lives outside Dir. Down looks for exactly these names.

func (c *Cluster) bridge() string    { return c.link() + "br" }
func (c *Cluster) veth(n int) string { return fmt.Sprintf("%sn%d", c.link(), n) }
func (c *Cluster) link() string { // with the second and third byte: a name has 15 characters at most
	_, rest, _ := strings.Cut(c.o.NodeNet, ".")
	return "lw" + strings.ReplaceAll(rest, ".", "-")
}
func (c *Cluster) cgroup() string             { return "leeway-" + c.o.NodeNet }
func (c *Cluster) machineCgroup(n int) string { return fmt.Sprintf("%s/%d", c.cgroup(), n) }

// Files. Down keeps the programs, because building them takes minutes, and
// removes run.

func (c *Cluster) bin(name string) string { return filepath.Join(c.o.Programs, name) }
func (c *Cluster) run(name string) string { return filepath.Join(c.o.Dir, "run", name) }
func (c *Cluster) pki(name string) string { return filepath.Join(c.o.Dir, "run", "pki", name) }
func (c *Cluster) record() string         { return c.run("config.json") }
func (c *Cluster) owner() string          { return c.run("owner") }
func (c *Cluster) machine(n int, path ...string) string {
	return filepath.Join(append([]string{c.run(fmt.Sprintf("machine-%d", n))}, path...)...)
}
func (c *Cluster) etc(n int, file string) string { return c.machine(n, "etc", file) }
func (c *Cluster) partLogs(n int) string         { return c.machine(n, "log") }
func (c *Cluster) pidFile(n int) string          { return c.machine(n, "pid") }

// withDefaults fills in what the caller left open, and refuses what cannot work.
func (o Options) withDefaults() (Options, error) {
	var err error
	if o.Dir, err = resolveDir(o.Dir); err != nil {
		return o, err
	}
	if o.Programs == "" {
		dir, err := DefaultDir()
		if err != nil {
			return o, err
		}
		o.Programs = filepath.Join(dir, "bin")
	}
	fill(&o.Nodes, 2)
	fill(&o.NodeNet, "10.89.0")
	fill(&o.PodNet, "10.88")
	fill(&o.ServiceNet, "10.96")
	fill(&o.Port, 6443)
	fill(&o.PodGrace, 5*time.Minute)
	if o.Nodes < 1 || o.Nodes > 200 {
		return o, fmt.Errorf("%d nodes: want 1 to 200", o.Nodes)
	}
	for _, net := range []struct {
		name, value string
		bytes       int
	}{{"node net", o.NodeNet, 3}, {"pod net", o.PodNet, 2}, {"service net", o.ServiceNet, 2}} {
		if strings.Count(net.value, ".") != net.bytes-1 {
			return o, fmt.Errorf("%s %q: want the first %d bytes of an address", net.name, net.value, net.bytes)
		}
	}
	return o, nil
}

// fill sets a value that is zero.
func fill[T comparable](value *T, otherwise T) {
	var zero T
	if *value == zero {
		*value = otherwise
	}
}

// resolveDir makes the folder absolute. It cannot be where a machine has folders
// of its own, for then the machines would not see it.
func resolveDir(dir string) (string, error) {
	if dir == "" {
		var err error
		if dir, err = DefaultDir(); err != nil {
			return "", err
		}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for _, own := range []string{"/run/", "/var/lib/", "/var/log/", "/var/run/", "/proc/", "/sys/"} {
		if strings.HasPrefix(dir+"/", own) {
			return "", fmt.Errorf("%s: a machine has a %s of its own, choose another folder", dir, own)
		}
	}
	return dir, nil
}
