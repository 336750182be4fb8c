package election

import (
	"context"
	"errors"
	"sync"
	"time"

	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// errNotOurs: there is nothing to give up.
var errNotOurs = errors.New("the Lease is another's")

// ownOnly is a lock that gives up nobody else's Lease. An elector that lost it
// while it was cut off still takes itself for the leader, and would: it reads the
// Lease anew, which its successor holds, and writes that nobody does.
type ownOnly struct {
	resourcelock.Interface
	holder string // as read or written last; an elector is one goroutine

	mu  sync.Mutex
	led time.Time
}

// before is when whoever held it before this one is known to have held it last.
func (l *ownOnly) before() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.led
}

// Get notes who holds the Lease.
func (l *ownOnly) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	record, raw, err := l.Interface.Get(ctx)
	if err == nil {
		l.holder = record.HolderIdentity
		if l.holder != l.Identity() {
			l.mu.Lock()
			l.led = record.RenewTime.Time
			l.mu.Unlock()
		}
	}
	return record, raw, err
}

// Update refuses to empty a Lease that another holds.
func (l *ownOnly) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	if record.HolderIdentity == "" && l.holder != "" && l.holder != l.Identity() {
		return errNotOurs
	}
	err := l.Interface.Update(ctx, record)
	if err == nil {
		l.holder = record.HolderIdentity
	}
	return err
}
