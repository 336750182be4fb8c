package chaos_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"
)

// gate listens on loopback in front of a server, and can be closed.
type gate struct {
	net.Listener

	mu      sync.Mutex
	moved   *sync.Cond // of stalled
	cut     bool
	stalled bool
	delay   time.Duration
	conns   map[*gated]bool
}

func newGate() (*gate, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	g := &gate{Listener: l, conns: map[*gated]bool{}}
	g.moved = sync.NewCond(&g.mu)
	return g, nil
}

// set says how the gate behaves from now on: cut ends all connections and lets
// no other begin, stalled passes nothing in either direction and says nothing,
// delay makes every read wait.
func (g *gate) set(cut, stalled bool, delay time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.cut, g.stalled, g.delay = cut, stalled, delay
	g.moved.Broadcast()
	if cut {
		for c := range g.conns {
			c.Conn.Close()
		}
	}
}

func (g *gate) open() { g.set(false, false, 0) }

// pass waits until something may pass.
func (g *gate) pass(c *gated) error {
	g.mu.Lock()
	for g.stalled && g.conns[c] {
		g.moved.Wait()
	}
	delay, ok := g.delay, g.conns[c]
	g.mu.Unlock()
	if !ok {
		return net.ErrClosed
	}
	time.Sleep(delay)
	return nil
}

func (g *gate) Accept() (net.Conn, error) {
	for {
		conn, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		g.mu.Lock()
		if g.cut {
			g.mu.Unlock()
			conn.Close()
			continue
		}
		c := &gated{Conn: conn, g: g}
		g.conns[c] = true
		g.mu.Unlock()
		return c, nil
	}
}

type gated struct {
	net.Conn
	g *gate
}

func (c *gated) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err == nil {
		err = c.g.pass(c)
	}
	return n, err
}

func (c *gated) Write(b []byte) (int, error) {
	if err := c.g.pass(c); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

func (c *gated) Close() error {
	c.g.mu.Lock()
	delete(c.g.conns, c)
	c.g.moved.Broadcast()
	c.g.mu.Unlock()
	return c.Conn.Close()
}

// forward copies bytes between who comes through the gate and a server, until
// the gate is closed for good.
func (g *gate) forward(address string) {
	for {
		in, err := g.Accept()
		if err != nil {
			return
		}
		go func() {
			defer in.Close()
			out, err := net.Dial("tcp", address)
			if err != nil {
				return
			}
			defer out.Close()
			go func() {
				_, _ = io.Copy(out, in)
				out.Close()
			}()
			_, _ = io.Copy(in, out)
		}()
	}
}

// trap is sprung by one request.
type trap struct {
	matches func(*http.Request) bool
	after   bool // the request is answered first, and the answer is lost
	spring  func()
}

// apiGate is a gate before the API server. It ends TLS, so that it can tell
// requests apart: without TLS clients send no token.
type apiGate struct {
	*gate
	server *httptest.Server

	mu    sync.Mutex
	traps []*trap
}

// newAPIGate makes one that leads to a server.
func newAPIGate(server string) (*apiGate, error) {
	to, err := url.Parse(server)
	if err != nil {
		return nil, err
	}
	g, err := newGate()
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, MaxIdleConnsPerHost: 100}
	a := &apiGate{gate: g}
	quiet := log.New(io.Discard, "", 0)
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(to) },
		Transport: transport, FlushInterval: -1, ErrorLog: quiet,
		ModifyResponse: func(r *http.Response) error {
			if t, _ := r.Request.Context().Value(trapKey{}).(*trap); t != nil {
				t.spring()
				return errSprung
			}
			return nil
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	a.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if t := a.sprung(r); t != nil {
			if !t.after {
				t.spring()
				panic(http.ErrAbortHandler)
			}
			// The caller is about to die: that must not take its request back.
			r = r.WithContext(context.WithValue(context.WithoutCancel(r.Context()), trapKey{}, t))
		}
		proxy.ServeHTTP(w, r)
	}))
	a.server.Listener.Close()
	a.server.Listener, a.server.Config.ErrorLog = g, quiet
	a.server.StartTLS()
	return a, nil
}

type trapKey struct{}

var errSprung = errors.New("a trap was sprung")

// arm sets one more trap.
func (a *apiGate) arm(t *trap) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.traps = append(a.traps, t)
}

// sprung is the first trap that the request springs; it does so once.
func (a *apiGate) sprung(r *http.Request) *trap {
	if r.Method == http.MethodGet {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, t := range a.traps {
		if t.matches(r) {
			a.traps = append(a.traps[:i:i], a.traps[i+1:]...)
			return t
		}
	}
	return nil
}
