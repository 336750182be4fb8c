package main

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed peers.py
var peersScript []byte

const peersFile = "peers.py"

// peer is a package with drift detectors, what is installed for it, and the module that must be importable. Each has an
// environment of its own: together they don't resolve.
type peer struct {
	name     string
	packages []string
	imports  string
}

var peerPackages = []peer{
	{"river", []string{"river==0.26.1", "pandas<3"}, "river.drift"},
	{"evidently", []string{"evidently==0.7.23", "pandas<3"}, "evidently.legacy.calculations.stattests"},
	{"nannyml", nannymlPackages, "nannyml"},
	{"alibi-detect", []string{"alibi-detect==0.13.0"}, "alibi_detect.cd"},
}

// finding is how long a detector took on a stream with a change: a line of what peers.py says.
type finding struct {
	Change, Package, Detector, Setting, Variant, Version string

	// Values: the detector looks at each; else at windows of so many.
	Values bool
	Size   int
	// Delays in rows by trial, 0 for none; alarms before the change.
	Delays []int
	Early  int
}

// run has the detectors of a package tried on the streams of some columns in a
// folder, where the script is too.
func (p peer) run(ctx context.Context, python, folder string, columns []string) (findings, error) {
	cmd := exec.CommandContext(ctx, python, append([]string{filepath.Join(folder, peersFile), p.name, folder}, columns...)...)
	cmd.Env = append(os.Environ(), "OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1", "DO_NOT_TRACK=1", "NML_DISABLE_USAGE_LOGGING=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	found, err := parseFindings(out)
	if ended := cmd.Wait(); ended != nil {
		return nil, fmt.Errorf("%s: %w", p.name, ended)
	}
	return found, err
}

// parseFindings reads lines of JSON; what is no object is said by a package itself.
func parseFindings(r io.Reader) (findings, error) {
	var out findings
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if !strings.HasPrefix(lines.Text(), "{") {
			continue
		}
		var f finding
		if err := json.Unmarshal(lines.Bytes(), &f); err != nil {
			_, _ = io.Copy(io.Discard, r)
			return nil, fmt.Errorf("peers.py wrote %.200q: %w", lines.Text(), err)
		}
		if f.Change != "" && len(f.Delays) == 0 {
			return nil, fmt.Errorf("peers.py wrote %.200q: no delays", lines.Text())
		}
		out = append(out, f)
	}
	return out, lines.Err()
}
