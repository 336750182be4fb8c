package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// memory keeps the peak resident memory of Leeway's processes, as the kernel
// counts it, by role. The nodes' processes are visible from this machine.
type memory struct {
	mu   sync.Mutex
	peak map[string]int64
}

func (m *memory) watch(ctx context.Context) {
	tick := time.NewTicker(3 * time.Second)
	defer tick.Stop()
	for {
		m.look()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (m *memory) look() {
	processes, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, p := range processes {
		b, err := os.ReadFile(p)
		if err != nil {
			continue
		}
		args := strings.Split(string(b), "\x00")
		role := ""
		switch base := filepath.Base(args[0]); {
		case base == "leeway-sidecar":
			role = "sidecar"
		case base == "leeway-agent" && strings.Contains(string(b), "--role=node"):
			role = "node"
		case base == "leeway-agent":
			role = "controller"
		default:
			continue
		}
		m.mu.Lock()
		m.peak[role] = max(m.peak[role], resident(filepath.Dir(p)))
		m.mu.Unlock()
	}
}

// resident is VmHWM of a process, in bytes.
func resident(process string) int64 {
	b, err := os.ReadFile(filepath.Join(process, "status"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		var kb int64
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kb); err == nil {
			return kb * 1024
		}
	}
	return 0
}
