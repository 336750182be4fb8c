//go:build !linux

package relay

// newLoop returns nil: there is no event loop on this system.
func newLoop(Config) mover { return nil }
