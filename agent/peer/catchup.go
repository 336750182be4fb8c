package peer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/leeway-dev/leeway/agent/embedded"
	"github.com/leeway-dev/leeway/agent/node/forward"
)

const (
	// awayFor is for how long a replica may have been away without copying what it
	// missed: the agents' buffers have that, and four times as much.
	awayFor = 30 * time.Minute
	// lateBy is how much later than others a sample may have come, which is copied
	// again from before the newest that is there.
	lateBy = 150 * time.Minute
	// quietFor is how long a copy may stand still; the peer writes out its head first.
	quietFor = 5 * time.Minute
)

// CatchUp copies from the others what this replica has missed, where it was away
// for longer than the agents remember for certain, or has lost its volume.
type CatchUp struct {
	engine *embedded.Engine
	peers  Peers
	log    *zap.Logger
	every  time.Duration
	busy   atomic.Bool
}

// CatchUpConfig of a CatchUp. All must be set but Every and Registerer.
type CatchUpConfig struct {
	Engine *embedded.Engine
	Peers  Peers
	Now    time.Time
	// Every is how often it is looked whether samples have come all the time; 0 is 10 s.
	Every      time.Duration
	Registerer prometheus.Registerer
	Logger     *zap.Logger
}

// NewCatchUp also finds out whether there is something to do, and registers the
// metric that says so.
func NewCatchUp(cfg CatchUpConfig) (*CatchUp, error) {
	c := &CatchUp{engine: cfg.Engine, peers: cfg.Peers, log: cfg.Logger, every: cmp.Or(cfg.Every, 10*time.Second)}
	c.busy.Store(len(cfg.Peers.All) > 0 && cfg.Now.Sub(cfg.Engine.Newest()) > awayFor)
	if cfg.Registerer == nil {
		return c, nil
	}
	return c, cfg.Registerer.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "leeway_controller_catching_up", Help: "1 while this replica copies what it missed: it leads only if nobody else can.",
	}, func() float64 {
		if c.Busy() {
			return 1
		}
		return 0
	}))
}

// Busy says that another is being asked, or copied from. Whose copy is not whole does
// not stand for election.
func (c *CatchUp) Busy() bool { return c.busy.Load() }

// Run copies what was missed before this run of the replica, and again whenever it
// was stopped, or cut off from all nodes, for as long. It returns when ctx ends.
func (c *CatchUp) Run(ctx context.Context) error {
	if len(c.peers.All) == 0 {
		return nil
	}
	var copied, last time.Time
	if c.Busy() {
		copied = c.since(ctx, c.engine.Newest())
	}
	tick := time.NewTicker(c.every)
	defer tick.Stop()
	for {
		newest := newestOf(c.engine.Sources())
		// What the agents' buffers bring of before the copy was in it.
		if !last.IsZero() && newest.Sub(last) > awayFor && newest.After(copied) {
			copied = c.since(ctx, last)
		}
		last = newest
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func newestOf(sources []embedded.Source) (newest time.Time) {
	for _, s := range sources {
		if s.Newest.After(newest) {
			newest = s.Newest
		}
	}
	return newest
}

// since asks every other replica, until it has answered once, for what this one has
// missed since its newest sample. It returns when it began.
func (c *CatchUp) since(ctx context.Context, newest time.Time) (began time.Time) {
	defer c.busy.Store(false)
	began = time.Now()
	left := c.peers.All
	for wait := time.Second; ; wait = min(2*wait, time.Minute) {
		c.busy.Store(true)
		var failed []forward.Replica
		for _, peer := range left {
			err := c.copy(ctx, peer, newest.Add(-lateBy))
			if err != nil && ctx.Err() == nil {
				c.log.Warn("cannot copy what this replica has missed; it is tried again", zap.String("from", peer.Name), zap.Error(err), zap.Duration("in", wait))
				failed = append(failed, peer)
			}
		}
		if left = failed; len(left) == 0 || ctx.Err() != nil {
			return began
		}
		c.busy.Store(false) // they may be gone for good
		select {
		case <-ctx.Done():
			return began
		case <-time.After(wait):
		}
	}
}

// copy copies from one of them. What came before it broke off is kept.
func (c *CatchUp) copy(ctx context.Context, peer forward.Replica, since time.Time) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	quiet := time.AfterFunc(quietFor, func() { cancel(fmt.Errorf("nothing came for %s", quietFor)) })
	defer quiet.Stop()
	began := time.Now()
	for {
		body, err := c.peers.get(ctx, peer, SnapshotPath, url.Values{"since": {strconv.FormatInt(since.UnixMilli(), 10)}})
		if err != nil {
			return errors.Join(err, context.Cause(ctx))
		}
		got, err := c.engine.Restore(ctx, alive{body, quiet})
		_ = body.Close()
		switch {
		case err == nil:
			c.log.Info("copied what this replica has missed", zap.String("from", peer.Name), zap.Time("since", since), zap.Int("blocks", got.Blocks),
				zap.Int64("bytes", got.Bytes), zap.Duration("took", time.Since(began).Round(time.Millisecond)))
			return nil
		case got.Blocks == 0:
			return errors.Join(err, context.Cause(ctx))
		}
		c.log.Warn("a copy broke off; it goes on with the next block", zap.String("from", peer.Name), zap.Time("through", got.Through), zap.Error(err))
		since = got.Through.Add(-time.Millisecond) // another may end with it
	}
}

// alive is a body that puts the timer off with whatever comes.
type alive struct {
	io.Reader
	quiet *time.Timer
}

func (a alive) Read(b []byte) (int, error) {
	n, err := a.Reader.Read(b)
	if n > 0 {
		a.quiet.Reset(quietFor)
	}
	return n, err
}
