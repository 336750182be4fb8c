//go:build !linux

package child

import "syscall"

// Only Linux has what is needed. Elsewhere the code compiles, so that a
// preflight can say so.

func tied() *syscall.SysProcAttr { return nil }

func contained() *syscall.SysProcAttr { return nil }
