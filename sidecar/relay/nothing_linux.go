package relay

import "time"

// nothing follows a pair that has no follower yet.
type nothing struct{}

func (nothing) Request([]byte, time.Time)  {}
func (nothing) Response([]byte, time.Time) {}
func (nothing) ClientFIN()                 {}
func (nothing) ClientEnd(time.Time)        {}
func (nothing) ServerEnd(time.Time, bool)  {}
func (nothing) Waiting() int               { return 0 }
func (nothing) Opaque() bool               { return true }
