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

// lease is a lock that makes up for what client-go's elector does not see to.
//
// An elector that was stopped, as by the kernel, or cut off, and goes on, tries for all
// of its deadline to renew a Lease that it can see is another's; meanwhile both lead.
// So leading ends as soon as the Lease is seen to be another's, and when the last renewal
// is as old as the Lease is long, whatever the elector is doing: from then on another
// may hold it.
//
// When its deadline is over the elector still takes itself for the leader, and would
// empty the Lease: it reads it anew, which its successor holds, and writes that nobody
// does. So the lock gives up nobody else's Lease.
type lease struct {
	resourcelock.Interface
	duration time.Duration
	lose     context.CancelFunc // ends what leading rests on

	holder string // as read or written last; an elector is one goroutine
	timer  *time.Timer

	mu sync.Mutex
	// led is when whoever held it before this one is known to have held it last.
	led time.Time
}

// before is when whoever held it before this one is known to have held it last, by
// their clock; zero if nobody did.
func (l *lease) before() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.led
}

// Get notes who holds the Lease.
func (l *lease) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	record, raw, err := l.Interface.Get(ctx)
	if err != nil {
		return record, raw, err
	}
	if record.HolderIdentity != l.Identity() {
		if l.timer != nil { // it was ours
			l.lose()
		}
		l.mu.Lock()
		l.led = record.RenewTime.Time
		l.mu.Unlock()
	}
	l.holder = record.HolderIdentity
	return record, raw, nil
}

// Create takes a Lease that nobody has ever held.
func (l *lease) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	asked := time.Now()
	err := l.Interface.Create(ctx, record)
	if err == nil {
		l.held(record.HolderIdentity, asked)
	}
	return err
}

// Update takes the Lease, renews it or gives it up, but refuses to empty one that
// another holds.
func (l *lease) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	if record.HolderIdentity == "" && l.holder != "" && l.holder != l.Identity() {
		return errNotOurs
	}
	asked := time.Now()
	err := l.Interface.Update(ctx, record)
	if err == nil {
		l.held(record.HolderIdentity, asked)
	}
	return err
}

// held notes that the Lease is somebody's since a request was made: nobody else's before
// its duration is over.
func (l *lease) held(holder string, since time.Time) {
	l.holder = holder
	left := l.duration - time.Since(since)
	switch {
	case holder != l.Identity():
		if l.timer != nil {
			l.timer.Stop()
		}
	case l.timer == nil:
		l.timer = time.AfterFunc(left, l.lose)
	default:
		l.timer.Reset(left)
	}
}
