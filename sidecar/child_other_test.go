//go:build !linux

package sidecar_test

// On other systems no test needs a process of its own.
const childVar = ""

func child(string) error { return nil }
