package relay

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"go.uber.org/zap"
)

// bufferSize holds a request of 1,000 cells or so in one read; larger bodies pass in pieces.
const bufferSize = 32 << 10

// goroutines is the mover that works everywhere: two goroutines for each connection.
type goroutines struct {
	cfg     Config
	buffers sync.Pool
	ctx     context.Context // ends when the listener is closed on purpose
	cancel  context.CancelFunc

	mu       sync.Mutex
	listener net.Listener
	conns    map[*conn]struct{}
	wg       sync.WaitGroup
}

func newGoroutines(cfg Config) *goroutines {
	g := &goroutines{cfg: cfg, conns: map[*conn]struct{}{}}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	g.buffers.New = func() any { b := make([]byte, bufferSize+cfg.Room); return &b }
	return g
}

func (g *goroutines) serve(l net.Listener) error {
	g.mu.Lock()
	g.listener = l
	if g.ctx.Err() != nil {
		l.Close()
	}
	g.mu.Unlock()
	defer g.wg.Wait()
	for {
		c, err := l.Accept()
		if err != nil {
			if g.ctx.Err() != nil {
				return nil
			}
			if errors.Is(err, net.ErrClosed) {
				return err
			}
			// Out of descriptors or memory: clients wait in the backlog meanwhile.
			g.cfg.Log.Warn("accept failed; trying again", zap.Error(err))
			time.Sleep(10 * time.Millisecond)
			continue
		}
		t, ok := c.(*net.TCPConn)
		if !ok {
			c.Close()
			return errNotTCP
		}
		g.wg.Go(func() { g.handle(t) })
	}
}

func (g *goroutines) handle(client *net.TCPConn) {
	s := g.greet(client)
	if s == nil {
		return
	}
	f := g.cfg.NewFollower()
	d := net.Dialer{Timeout: g.cfg.DialTimeout}
	up, err := d.DialContext(g.ctx, "tcp", g.cfg.Upstream)
	if err != nil {
		reason := dialReason(err)
		g.cfg.Failed(reason)
		g.cfg.Log.Debug("no upstream connection", zap.String("reason", string(reason)), zap.Error(err))
		wait := g.cfg.waits.refused
		if g.ctx.Err() != nil {
			wait = min(wait, refuseLate)
		}
		refuse(s, newRefusal(f, reason, g.cfg.Upstream), wait)
		return
	}
	c := &conn{
		client: client, upstream: up.(*net.TCPConn), stream: s, buffers: &g.buffers, room: g.cfg.Room,
		waits: g.cfg.waits, follow: f,
		requestsDone: make(chan struct{}), responsesDone: make(chan struct{}),
	}
	g.mu.Lock()
	g.conns[c] = struct{}{}
	late := g.ctx.Err() != nil // endIdle may have looked already
	g.mu.Unlock()
	if late {
		c.end()
	}
	c.run()
	g.mu.Lock()
	delete(g.conns, c)
	g.mu.Unlock()
}

func (g *goroutines) stop() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.cancel()
	if g.listener != nil {
		g.listener.Close()
	}
}

func (g *goroutines) busy() (n int) {
	g.each(func(c *conn) {
		if !c.idle() {
			n++
		}
	})
	return n
}

func (g *goroutines) endIdle() (n int) {
	g.each(func(c *conn) {
		n++
		if c.idle() {
			c.end()
		}
	})
	return n
}

func (g *goroutines) abort() { g.each((*conn).abort) }

func (g *goroutines) each(f func(*conn)) {
	g.mu.Lock()
	conns := make([]*conn, 0, len(g.conns))
	for c := range g.conns {
		conns = append(conns, c)
	}
	g.mu.Unlock()
	for _, c := range conns {
		f(c)
	}
}
