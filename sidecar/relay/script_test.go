package relay_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/leeway-dev/leeway/sidecar/follow"
	"github.com/leeway-dev/leeway/sidecar/relay"
)

// op is one act of a client or server: send bytes, read a number of them, or end.
type op struct {
	send string
	read int
	act  string // fin, reset, close, pause
}

func send(s string) op   { return op{send: s} }
func read(s string) op   { return op{read: len(s)} }
func act(name string) op { return op{act: name} }

// seen is what one end got to see: every byte, and how the connection ended.
type seen struct {
	Bytes string
	End   string
}

// wire is an end's connection.
type wire interface {
	net.Conn
	CloseWrite() error
	SetLinger(int) error
}

// perform acts the script out and then reads to the end.
func perform(c wire, ops []op, cut func(n int) int) (s seen) {
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	broken := false
	for _, o := range ops {
		for b := []byte(o.send); len(b) > 0; {
			n := min(len(b), cut(len(b)))
			if _, err := c.Write(b[:n]); err != nil {
				broken = true // the kernel tells of a reset once: here, or at the next read
				break
			}
			b = b[n:]
		}
		if o.read > 0 {
			b := make([]byte, o.read)
			n, err := io.ReadFull(c, b)
			s.Bytes += string(b[:n])
			if err != nil {
				s.End = ending(err)
				return s
			}
		}
		switch o.act {
		case "fin":
			c.CloseWrite()
		case "close":
			return s
		case "pause":
			time.Sleep(5 * time.Millisecond)
		case "reset":
			c.SetLinger(0)
			return s
		}
	}
	rest, err := io.ReadAll(c)
	s.Bytes += string(rest)
	if s.End = ending(err); broken && s.End == "fin" {
		s.End = "reset"
	}
	return s
}

func ending(err error) string {
	switch {
	case err == nil, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "fin"
	case errors.Is(err, syscall.ECONNRESET):
		return "reset"
	}
	return err.Error()
}

// exchange plays client against server over addr, and returns what each saw.
func exchange(t testing.TB, l *net.TCPListener, addr string, client, server []op, cut func(n int) int) (c, s seen) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return exchangeOn(conn.(*net.TCPConn), l, client, server, cut)
}

// exchangeOn is exchange on a connection that the client has.
func exchangeOn(conn wire, l *net.TCPListener, client, server []op, cut func(n int) int) (c, s seen) {
	done := make(chan seen, 1)
	go func() {
		conn, err := l.AcceptTCP()
		if err != nil {
			done <- seen{End: err.Error()}
			return
		}
		done <- perform(conn, server, cut)
	}()
	c = perform(conn, client, cut)
	return c, <-done
}

func listen(t testing.TB) *net.TCPListener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.(*net.TCPListener)
}

// each runs a test on the event loop and on goroutines.
func each(t *testing.T, test func(t *testing.T, portable bool)) {
	eachOf(func(name string, portable bool) { t.Run(name, func(t *testing.T) { test(t, portable) }) })
}

func eachOf(f func(name string, portable bool)) {
	if runtime.GOOS == "linux" {
		f("loop", false)
	}
	f("goroutines", true)
}

// start runs a relay in front of upstream and returns its address.
func start(
	t testing.TB, portable bool, upstream string, newFollower func() relay.Follower, failed func(relay.Reason),
) (*relay.Relay, string) {
	t.Helper()
	if newFollower == nil {
		newFollower = func() relay.Follower { return follow.New(ignore{}) }
	}
	if failed == nil {
		failed = func(relay.Reason) {}
	}
	return run(t, relay.Config{Upstream: upstream, NewFollower: newFollower, Failed: failed, Portable: portable})
}

// run runs a relay until the test has ended.
func run(t testing.TB, cfg relay.Config) (*relay.Relay, string) {
	t.Helper()
	cfg.Log = zaptest.NewLogger(t, zaptest.Level(zap.WarnLevel))
	r := relay.New(cfg)
	if r.Loop() == cfg.Portable {
		t.Fatalf("loop %v, want %v", r.Loop(), !cfg.Portable)
	}
	l := listen(t)
	done := make(chan error, 1)
	go func() { done <- r.Serve(l) }()
	t.Cleanup(func() {
		r.Shutdown(t.Context()) // the context has ended: what is left is reset
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return r, l.Addr().String()
}

type ignore struct{}

func (ignore) Request(*follow.Exchange, follow.Head)  {}
func (ignore) RequestBody(*follow.Exchange, []byte)   {}
func (ignore) Response(*follow.Exchange, follow.Head) {}
func (ignore) ResponseBody(*follow.Exchange, []byte)  {}
func (ignore) Done(*follow.Exchange)                  {}
func (ignore) Opaque(follow.Reason)                   {}
func (ignore) Reserve(int) bool                       { return true }

func whole(n int) int  { return n }
func bytewise(int) int { return 1 }

func random(seed uint64) func(int) int {
	r := rand.New(rand.NewPCG(seed, 7))
	var mu sync.Mutex // both ends cut with it
	return func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		if r.IntN(16) == 0 {
			time.Sleep(time.Duration(r.IntN(300)) * time.Microsecond)
		}
		return 1 + r.IntN(min(n, 1+r.IntN(n)))
	}
}

func describe(s seen) string {
	b := s.Bytes
	if len(b) > 200 {
		b = fmt.Sprintf("%s… (%d bytes)", b[:200], len(b))
	}
	return fmt.Sprintf("%q, then %s", b, s.End)
}
