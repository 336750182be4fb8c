package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// mount gives the machine its own /run, /var/lib and /var/log, so that every
// machine has the usual paths (hostPath volumes name them) and none shares them.
func (s spec) mount() error {
	for _, m := range []struct {
		from, to, kind string
		flags          uintptr
	}{
		{"", "/", "", syscall.MS_REC | syscall.MS_PRIVATE}, // nothing gets out to the host
		{"", "/", "", syscall.MS_REC | syscall.MS_SHARED},  // pods may ask for propagation
		{"proc", "/proc", "proc", 0},
		{"run", "/run", "tmpfs", 0},
		{s.Lib, "/var/lib", "", syscall.MS_BIND},
		{s.Log, "/var/log", "", syscall.MS_BIND},
	} {
		if err := syscall.Mount(m.from, m.to, m.kind, m.flags, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m.to, err)
		}
	}
	return nil
}

// enterCgroups gives the machine a part of every cgroup hierarchy for its root.
// Else the kubelets would fight over /kubepods, and the cgroups that a killed
// node leaves would cost its next kubelet 3 s each before it reports ready.
func (s spec) enterCgroups() error {
	entries, err := os.ReadDir("/sys/fs/cgroup")
	if err != nil {
		return err
	}
	var hierarchies []string
	for _, e := range entries {
		if e.IsDir() { // and no link, such as cpu -> cpu,cpuacct
			hierarchies = append(hierarchies, filepath.Join("/sys/fs/cgroup", e.Name()))
		}
	}
	for _, h := range hierarchies {
		for _, dir := range []string{filepath.Join(h, filepath.Dir(s.Cgroup)), filepath.Join(h, s.Cgroup)} {
			if err := newCgroup(h, dir); err != nil {
				return err
			}
		}
		if err := os.WriteFile(filepath.Join(h, s.Cgroup, "cgroup.procs"), []byte("0"), 0); err != nil {
			return err
		}
	}
	if err := syscall.Unshare(syscall.CLONE_NEWCGROUP); err != nil {
		return fmt.Errorf("new cgroup namespace: %w", err)
	}
	for _, h := range hierarchies {
		if err := syscall.Mount(filepath.Join(h, s.Cgroup), h, "", syscall.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount %s: %w", h, err)
		}
	}
	return nil
}

// newCgroup makes a cgroup that can take tasks: a new cpuset has no processors
// and no memory, so it gets all of its hierarchy's.
func newCgroup(hierarchy, dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		all, err := os.ReadFile(filepath.Join(hierarchy, file))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, file), all, 0); err != nil {
			return err
		}
	}
	return nil
}
