package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// build makes leeway-sidecar as it is shipped, in a folder of its own. It sets its own limits of memory.
func build(ctx context.Context, undo *stops) (path string, err error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return "", err
	}
	undo.add(func() { os.RemoveAll(dir) })
	path = filepath.Join(dir, "leeway-sidecar")
	const program = "github.com/leeway-dev/leeway/cmd/leeway-sidecar"
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, program)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w: %s", err, out)
	}
	return path, nil
}

// startProgram starts it in front of an upstream, with a profile of so many columns.
func startProgram(ctx context.Context, columns int, undo *stops) (*target, error) {
	path, err := build(ctx, undo)
	if err != nil {
		return nil, err
	}
	up, upstream, err := self("upstream", fast)
	if err != nil {
		return nil, err
	}
	undo.add(up.stop)
	p, err := trained(columns)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(filepath.Dir(path), "profile.json")
	if err := os.WriteFile(file, p, 0o600); err != nil {
		return nil, err
	}
	addr, err := unused()
	if err != nil {
		return nil, err
	}
	admin, err := unused()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, "--model=m", "--version=1", "--upstream=http://"+upstream, "--profile="+file,
		"--listen="+addr, "--admin-listen="+admin, "--log-level=error")
	cmd.Env = withoutLimits(os.Environ())
	started, err := begin(cmd)
	if err != nil {
		return nil, err
	}
	undo.add(started.stop)
	return &target{name: "leeway-sidecar", addr: both(addr), admin: admin, pid: started.pid()}, listens(addr)
}

// withoutLimits leaves out what would replace the program's own limits.
func withoutLimits(env []string) (kept []string) {
	for _, v := range env {
		if !strings.HasPrefix(v, "GOGC=") && !strings.HasPrefix(v, "GOMEMLIMIT=") && !strings.HasPrefix(v, "GOMAXPROCS=") {
			kept = append(kept, v)
		}
	}
	return kept
}
