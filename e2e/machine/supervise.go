package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// pause is between the end of a part and its next start.
const pause = 300 * time.Millisecond

// supervise runs the parts for ever. As the first process of a pid namespace it
// must also wait for processes that lost their parent, as containerd's shims do.
func (s spec) supervise() error {
	running := map[int][]string{}
	for _, part := range s.Parts {
		pid, err := s.launch(part)
		if err != nil {
			return err
		}
		running[pid] = part
	}
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("wait: %w", err)
		}
		part, ok := running[pid]
		if !ok {
			continue
		}
		fmt.Println(time.Now().Format(time.TimeOnly), part[0], "ended:", describe(status))
		delete(running, pid)
		time.Sleep(pause)
		if pid, err = s.launch(part); err != nil {
			return err
		}
		running[pid] = part
	}
}

// launch starts one part, which logs to a file of its own. Nobody calls its
// Wait: supervise waits for all processes.
func (s spec) launch(part []string) (pid int, err error) {
	path := filepath.Join(s.PartLogs, filepath.Base(part[0])+".log")
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	cmd := exec.Command(part[0], part[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	return cmd.Process.Pid, nil
}

func describe(status syscall.WaitStatus) string {
	if status.Signaled() {
		return status.Signal().String()
	}
	return fmt.Sprintf("exit %d", status.ExitStatus())
}
