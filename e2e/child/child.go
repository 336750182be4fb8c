// Package child runs programs that do not outlive the one that started them,
// not even when that one is killed. A test cluster promises to leave nothing
// behind, and a killed build or kubectl would be the first thing to be found.
package child

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// Command is exec.CommandContext for a program that the kernel kills together
// with this one. What the program itself has started may live on.
func Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = tied()
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// Contained is Command for a program in pid and mount namespaces of its own: all
// that it starts and mounts goes when it ends, or when this program does. It
// needs root.
func Contained(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := Command(ctx, name, args...)
	cmd.SysProcAttr = contained()
	return cmd
}

// Run runs a command and gives what it printed to standard output. If it failed,
// what it printed is in the error. Streams that the caller directed elsewhere
// go there instead.
func Run(cmd *exec.Cmd) (string, error) {
	var stdout, stderr bytes.Buffer
	if cmd.Stdout == nil {
		cmd.Stdout = &stdout
	}
	if cmd.Stderr == nil {
		cmd.Stderr = &stderr
	}
	if err := cmd.Run(); err != nil {
		said := strings.TrimSpace(stdout.String() + stderr.String())
		return stdout.String(), fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, said)
	}
	return stdout.String(), nil
}
