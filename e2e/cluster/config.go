package cluster

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/template"
)

// config holds the parts' arguments (*.parts) and configuration files, as
// templates: most of what there is to know about running Kubernetes is in them.
//
//go:embed config
var config embed.FS

// values are what the templates may use.
type values struct {
	Options
	N                            int
	Name, IP, APIServer, PodCIDR string
	Etc, PKI, Bin, AuditLog      string
	PodGraceSeconds              int
	NodeNames                    []string
}

// spec is what program machine wants to know of its machine.
type spec struct {
	Name, Lib, Log, PartLogs, Cgroup string
	Links                            []string
	Parts                            [][]string
}

// configure writes the files of machine n: the filled templates in etc, and the
// specification for its first process.
func (c *Cluster) configure(n int) error {
	v := values{
		Options: c.o, N: n, Name: c.NodeName(n), IP: c.NodeIP(n), APIServer: c.NodeIP(0), PodCIDR: c.podCIDR(n),
		Etc: c.etc(n, ""), PKI: c.pki(""), Bin: c.bin(""), AuditLog: c.AuditLog(),
		PodGraceSeconds: int(c.o.PodGrace.Seconds()),
	}
	for node := 1; node <= c.o.Nodes; node++ {
		v.NodeNames = append(v.NodeNames, c.NodeName(node))
	}
	all, err := template.ParseFS(config, "config/*")
	if err != nil {
		return err
	}
	filled := map[string]string{}
	for _, t := range all.Templates() {
		var out strings.Builder
		if err := t.Execute(&out, v); err != nil {
			return err
		}
		filled[t.Name()] = out.String()
		if err := write(c.etc(n, t.Name()), out.String()); err != nil {
			return err
		}
	}
	programs := filled["node.parts"]
	if n == 0 {
		programs = filled["control-plane.parts"]
	}
	return c.specify(n, parseParts(programs))
}

// specify makes the folders of machine n and writes its specification.
func (c *Cluster) specify(n int, parts [][]string) error {
	s := spec{
		Name: c.NodeName(n), Lib: c.machine(n, "lib"), Log: c.machine(n, "log", "root"), PartLogs: c.partLogs(n),
		Cgroup: c.machineCgroup(n), Parts: parts,
		Links: append([]string{
			"link set lo up",
			fmt.Sprintf("addr add %s/24 dev eth0", c.NodeIP(n)),
			"link set eth0 up",
		}, c.routes(n)...),
	}
	for _, dir := range []string{s.Lib, s.Log, s.PartLogs} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	volume := c.machine(n, "lib", "volume") // see config/volumes.yaml
	if err := os.Mkdir(volume, 0o777); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	if err := os.Chmod(volume, 0o777); err != nil { // a hostPath volume is not given to a pod's fsGroup
		return err
	}
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return write(c.etc(n, "machine.json"), b)
}

// parseParts reads programs, each with its arguments. A line that is not
// indented starts a program; # starts a comment.
func parseParts(text string) (parts [][]string) {
	for line := range strings.Lines(text) {
		switch arg := strings.TrimSpace(line); {
		case arg == "", strings.HasPrefix(arg, "#"):
		case line[0] != '\t':
			parts = append(parts, []string{arg})
		default:
			last := &parts[len(parts)-1]
			*last = append(*last, arg)
		}
	}
	return parts
}
