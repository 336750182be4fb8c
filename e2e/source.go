// Package e2e holds the source of the programs that a test cluster is made of.
// They are embedded, so that package cluster can build them wherever it runs,
// and can tell when what it built is stale. The end-to-end tests stand beside.
package e2e

import "embed"

// Source is a Go module with the programs kube, machine and pause.
//
//go:embed go.mod go.sum kube/*.go machine/*.go pause/*.go
var Source embed.FS
