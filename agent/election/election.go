// Package election settles which controller leads. It is client-go's leader
// election with one rule before it: a replica that has just started stands
// aside.
//
// A restarted leader is often back before its peer has noticed that it was
// gone. But its rules have yet to be evaluated and its windows to be filled up
// from the buffers, so if it took the Lease again, every guard would be held as
// blind while a replica that has missed nothing looked on. Hence a newcomer
// lets the others try first, and stands only when it can judge; unless nobody
// leads.
package election

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/zapr"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// ErrLost says that the Lease could not be renewed in time: another may lead.
var ErrLost = errors.New("election: the Lease was lost")

// Candidate is one replica's part in the election. All fields must be set.
type Candidate struct {
	// Lock is the Lease, and the identity under which this replica holds it.
	Lock resourcelock.Interface
	// Duration is how long a silent leader keeps the Lease.
	Duration time.Duration
	// Able says whether this replica can judge by what it has.
	Able func() bool
	// Lead leads until its context ends. led is when the leader before is known to have
	// led last, by its own clock: zero if there was none.
	Lead   func(ctx context.Context, led time.Time) error
	Logger *zap.Logger
}

// NewGauge makes the metric that is 1 while this replica leads.
func NewGauge() prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Name: "leeway_controller_leader", Help: "1 while this replica leads."})
}

// Run stands for election when the replica may, and leads once it is elected.
// It returns when ctx ends, having given the Lease up after Lead has returned,
// when Lead returns, or with ErrLost.
func (c Candidate) Run(ctx context.Context) error {
	if !c.standAside(ctx) {
		return nil
	}
	elected := make(chan context.Context, 1)
	held, lose := context.WithCancel(context.Background())
	defer lose()
	lock := &lease{Interface: c.Lock, duration: c.Duration, lose: lose}
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: lock, LeaseDuration: c.Duration, RenewDeadline: c.Duration * 2 / 3, RetryPeriod: c.retry(),
		ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(leading context.Context) { elected <- leading },
			OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		return fmt.Errorf("election: %w", err)
	}
	// The elector gives the Lease up as soon as its context ends, so that must
	// outlive Lead: else two lead for a moment.
	holding, giveUp := context.WithCancel(logr.NewContext(context.WithoutCancel(ctx), zapr.NewLogger(c.Logger)))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		elector.Run(holding)
	}()
	defer func() {
		giveUp()
		<-ended
	}()
	select {
	case leading := <-elected:
		return c.lead(ctx, leading, held, lock.before())
	case <-ctx.Done():
		return nil
	}
}

// lead leads until ctx ends, the elector gives up, or the Lease is not held any more.
func (c Candidate) lead(ctx, elected, held context.Context, led time.Time) error {
	c.Logger.Info("leading", zap.String("identity", c.Lock.Identity()))
	leading, stop := context.WithCancel(elected)
	defer stop()
	defer context.AfterFunc(ctx, stop)()
	defer context.AfterFunc(held, stop)()
	err := c.Lead(leading, led)
	if elected.Err() != nil || held.Err() != nil {
		return errors.Join(ErrLost, err)
	}
	return err
}

// standAside returns when this replica may stand: when it can judge and the
// others, if there may be any, had the time of one Lease to try; or when nobody
// has led for two. It returns false when ctx ends first.
func (c Candidate) standAside(ctx context.Context) bool {
	began := time.Now()
	var last []byte      // what was read of the Lease
	heard := began       // when that changed last
	others := c.Duration // to let them try for
	tick := time.NewTicker(c.retry())
	defer tick.Stop()
	for {
		record, raw, err := c.Lock.Get(ctx)
		switch {
		case apierrors.IsNotFound(err): // nobody has ever led
			others = 0
		case err != nil: // says nothing about who leads
			c.Logger.Warn("read the Lease", zap.Error(err))
			heard = time.Now()
		case record.HolderIdentity != "" && !bytes.Equal(raw, last):
			last, heard = raw, time.Now()
		}
		if able := c.Able(); able && time.Since(began) >= others || time.Since(heard) >= 2*c.Duration {
			c.Logger.Info("standing for election", zap.Bool("able", able), zap.Duration("after", time.Since(began).Round(time.Millisecond)))
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
}

// retry is how often the Lease is looked at, or renewed.
func (c Candidate) retry() time.Duration { return c.Duration / 5 }
