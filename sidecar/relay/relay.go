package relay

import (
	"context"
	"errors"
	"net"
	"syscall"
	"time"

	"go.uber.org/zap"
)

// Reason says why there was no upstream connection.
type Reason string

// Dial failures. Failures of a connection that stood are the follower's to tell, by exchange.
const (
	ReasonRefused     Reason = "refused"
	ReasonTimeout     Reason = "timeout"
	ReasonUnreachable Reason = "unreachable"
)

// Reasons lists every reason.
func Reasons() []Reason { return []Reason{ReasonRefused, ReasonTimeout, ReasonUnreachable} }

// Follower is shown what passes on one connection, one call at a time (*follow.Pair).
type Follower interface {
	Request(b []byte, at time.Time)
	Response(b []byte, at time.Time)
	ClientFIN()
	ClientEnd(at time.Time)
	ServerEnd(at time.Time, reset bool)
	Waiting() int
	Opaque() bool
}

// Editor is a Follower that also adds to what the server sends (*receipts.Follower).
type Editor interface {
	Follower
	// Edit is shown buf[from:] as Response would be, but before it is written, since it may put something in. What is
	// to be written begins at the offset that it returns: it is that much longer as this is less than from.
	Edit(buf []byte, from int, at time.Time) int
}

// Work is what the event loop does when there is nothing to move (*observe.Observer).
type Work interface {
	// Queued is how many pieces wait.
	Queued() int
	// Step does one piece and says whether it did. It calls pause every few microseconds, which moves what has become
	// ready meanwhile and so may call any follower, but not Step.
	Step(pause func()) bool
}

// Config of a relay. Upstream, NewFollower, Failed and Log are needed.
type Config struct {
	Upstream    string        // host:port
	DialTimeout time.Duration // 0: 10 s
	NewFollower func() Follower
	Room        int          // what an Editor may add to one read, at most 32 KiB; 0: followers only follow
	Failed      func(Reason) // told of each client connection for which there was no upstream
	Work        Work         // nil: none. Without a loop it is left alone, see Loop
	TLS         *TLS         // that clients speak; nil: none. It is done with goroutines
	Portable    bool         // goroutines, also where there is a loop
	Log         *zap.Logger

	waits waits // defaultWaits, but in tests
}

// waits are how long a connection waits for what may never come.
type waits struct {
	answer      time.Duration // for the answer of a server that reads no more to reach the client
	request     time.Duration // for what a client that has gone had sent to reach the server
	afterServer time.Duration // for a client to speak on a connection that the server has ended
	refused     time.Duration // for the head of a request that is to be answered with 502, and for its client to close
}

// defaultWaits: kernels wait the same minute for the other end.
func defaultWaits() waits {
	return waits{answer: 30 * time.Second, request: time.Second, afterServer: time.Minute, refused: 5 * time.Second}
}

// Relay serves one listener.
type Relay struct{ mover mover }

// mover moves the bytes of all connections. Its methods but serve may be called at any time.
type mover interface {
	// serve accepts until stop, and returns when every connection has ended.
	serve(net.Listener) error
	// stop ends accepting.
	stop()
	// busy counts the connections that have a request under way or cannot be followed.
	busy() int
	// endIdle ends the others and returns how many connections are left.
	endIdle() int
	// abort resets what is left.
	abort()
}

// New returns a relay that listens nowhere yet.
func New(cfg Config) *Relay {
	if cfg.DialTimeout == 0 {
		cfg.DialTimeout = 10 * time.Second
	}
	if cfg.waits == (waits{}) {
		cfg.waits = defaultWaits()
	}
	if !cfg.Portable && cfg.TLS == nil {
		if m := newLoop(cfg); m != nil {
			return &Relay{m}
		}
	}
	return &Relay{newGoroutines(cfg)}
}

// Loop reports whether an event loop moves the bytes. Without one, somebody else has to do Config.Work.
func (r *Relay) Loop() bool {
	_, goroutines := r.mover.(*goroutines)
	return !goroutines
}

// Serve takes l over, accepts connections from it until Shutdown, and returns when all of them have ended.
func (r *Relay) Serve(l net.Listener) error { return r.mover.serve(l) }

// Drain waits until no request is under way and no opaque connection is open, or ctx ends. New connections are served
// meanwhile.
func (r *Relay) Drain(ctx context.Context) error {
	t := time.NewTicker(10 * time.Millisecond)
	defer t.Stop()
	for {
		if r.mover.busy() == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
	}
}

// Shutdown drains, stops listening, ends the idle connections, and resets what is left when ctx ends.
func (r *Relay) Shutdown(ctx context.Context) error {
	err := r.Drain(ctx)
	r.mover.stop()
	for r.mover.endIdle() > 0 {
		select {
		case <-ctx.Done():
			r.mover.abort()
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
	return err
}

func dialReason(err error) Reason {
	var n net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return ReasonRefused
	case errors.As(err, &n) && n.Timeout():
		return ReasonTimeout
	}
	return ReasonUnreachable
}

var errNotTCP = errors.New("relay: the listener is not TCP")
