package relay

import (
	"context"
	"errors"
	"net"
	"sync"
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

// Config of a relay. All fields but DialTimeout are needed.
type Config struct {
	Upstream    string        // host:port
	DialTimeout time.Duration // 0: 10 s
	NewFollower func() Follower
	Failed      func(Reason) // told of each client connection for which there was no upstream
	Log         *zap.Logger
}

// Relay serves one listener.
type Relay struct {
	cfg     Config
	buffers sync.Pool
	ctx     context.Context // ends when the listener is closed on purpose
	cancel  context.CancelFunc

	mu       sync.Mutex
	listener net.Listener
	conns    map[*conn]struct{}
	wg       sync.WaitGroup
}

// bufferSize holds a request of 1,000 cells or so in one read; larger bodies pass in pieces.
const bufferSize = 32 << 10

// New returns a relay that listens nowhere yet.
func New(cfg Config) *Relay {
	if cfg.DialTimeout == 0 {
		cfg.DialTimeout = 10 * time.Second
	}
	r := &Relay{cfg: cfg, conns: map[*conn]struct{}{}}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.buffers.New = func() any { b := make([]byte, bufferSize); return &b }
	return r
}

// Serve accepts connections from l until Shutdown, and returns when all of them have ended.
func (r *Relay) Serve(l net.Listener) error {
	r.mu.Lock()
	r.listener = l
	r.mu.Unlock()
	defer r.wg.Wait()
	for {
		c, err := l.Accept()
		if err != nil {
			if r.ctx.Err() != nil {
				return nil
			}
			if errors.Is(err, net.ErrClosed) {
				return err
			}
			// Out of descriptors or memory: clients wait in the backlog meanwhile.
			r.cfg.Log.Warn("accept failed; trying again", zap.Error(err))
			time.Sleep(10 * time.Millisecond)
			continue
		}
		t, ok := c.(*net.TCPConn)
		if !ok {
			c.Close()
			return errors.New("relay: the listener is not TCP")
		}
		r.wg.Go(func() { r.handle(t) })
	}
}

func (r *Relay) handle(client *net.TCPConn) {
	f := r.cfg.NewFollower()
	d := net.Dialer{Timeout: r.cfg.DialTimeout}
	up, err := d.DialContext(r.ctx, "tcp", r.cfg.Upstream)
	if err != nil {
		reason := dialReason(err)
		r.cfg.Failed(reason)
		r.cfg.Log.Debug("no upstream connection", zap.String("reason", string(reason)), zap.Error(err))
		refuse(client, f, reason, r.cfg.Upstream)
		return
	}
	c := &conn{client: client, upstream: up.(*net.TCPConn), buffers: &r.buffers, follow: f, requestsDone: make(chan struct{}), responsesDone: make(chan struct{})}
	r.mu.Lock()
	r.conns[c] = struct{}{}
	r.mu.Unlock()
	c.run()
	r.mu.Lock()
	delete(r.conns, c)
	r.mu.Unlock()
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

// Drain waits until no request is under way and no opaque connection is open, or ctx ends. New connections are served meanwhile.
func (r *Relay) Drain(ctx context.Context) error {
	t := time.NewTicker(10 * time.Millisecond)
	defer t.Stop()
	for {
		if r.busy() == 0 {
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
	r.mu.Lock()
	r.cancel()
	if r.listener != nil {
		r.listener.Close()
	}
	r.mu.Unlock()
	for r.endIdle() > 0 {
		select {
		case <-ctx.Done():
			r.each(func(c *conn) { c.abort() })
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
	return err
}

func (r *Relay) busy() (n int) {
	r.each(func(c *conn) {
		if !c.idle() {
			n++
		}
	})
	return n
}

// endIdle ends idle connections and returns how many connections are left.
func (r *Relay) endIdle() (n int) {
	r.each(func(c *conn) {
		n++
		if c.idle() {
			c.end()
		}
	})
	return n
}

func (r *Relay) each(f func(*conn)) {
	r.mu.Lock()
	conns := make([]*conn, 0, len(r.conns))
	for c := range r.conns {
		conns = append(conns, c)
	}
	r.mu.Unlock()
	for _, c := range conns {
		f(c)
	}
}
