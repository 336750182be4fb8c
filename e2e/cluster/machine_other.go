//go:build !linux

package cluster

import "syscall"

// machineAttributes is never reached: Preflight refuses all but Linux.
func machineAttributes() *syscall.SysProcAttr { return nil }
