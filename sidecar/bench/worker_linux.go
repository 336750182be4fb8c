package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// worker is a process that does tasks for a time and says how much it did in how much processor time. Two of them in
// turn can be compared on a machine that changes.
type worker struct {
	*process
	in io.Writer
}

func newWorker(cmd *exec.Cmd, undo *stops) (*worker, error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	p, err := begin(cmd)
	if err != nil {
		return nil, err
	}
	undo.add(p.stop)
	if line, err := p.said.ReadString('\n'); strings.TrimSpace(line) != "ready" {
		return nil, fmt.Errorf("%s says %q: %w", cmd.Path, line, err)
	}
	return &worker{p, in}, nil
}

// ours is this program, reading and counting on one processor.
func ours(undo *stops) (*worker, error) {
	cmd := exec.Command("/proc/self/exe", "cells")
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	return newWorker(cmd, undo)
}

// do has a task done and returns how many units of it take a second of processor time.
func (w *worker) do(task string, seconds float64) (perS float64, err error) {
	if _, err := fmt.Fprintln(w.in, task, seconds); err != nil {
		return 0, err
	}
	line, err := w.said.ReadString('\n')
	if err != nil {
		return 0, fmt.Errorf("%s: %w", task, err)
	}
	var units, took float64
	if _, err := fmt.Sscan(line, &units, &took); err != nil {
		return 0, fmt.Errorf("%s: %q: %w", task, line, err)
	}
	return units / took, nil
}
