package relay_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/leeway-dev/leeway/sidecar/follow"
	"github.com/leeway-dev/leeway/sidecar/relay"
)

// status sends a request on c and returns the answer's status, or what went wrong.
func status(c net.Conn) (int, error) {
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(c, get); err != nil {
		return 0, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// An upstream may be a name; it is looked up for every connection.
func TestName(t *testing.T) { each(t, testName) }

func testName(t *testing.T, portable bool) {
	up := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer up.Close()
	_, port, _ := net.SplitHostPort(up.Listener.Addr().String())
	_, through := start(t, portable, "localhost:"+port, nil, nil)
	for range 3 {
		if code, err := status(dial(t, through)); code != 200 {
			t.Errorf("status %d, %v", code, err)
		}
	}
	_, through = start(t, portable, "does-not-exist.invalid:80", nil, nil)
	c := dial(t, through)
	if code, err := status(c); code != 502 {
		t.Errorf("a name that nobody knows: status %d, %v", code, err)
	}
	c.Close()
}

func TestIPv6(t *testing.T) { each(t, testIPv6) }

func testIPv6(t *testing.T, portable bool) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6")
	}
	up := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	go up.Serve(l)
	defer up.Close()
	_, through := start(t, portable, l.Addr().String(), nil, nil)
	if code, err := status(dial(t, through)); code != 200 {
		t.Errorf("status %d, %v", code, err)
	}
}

// A server that neither accepts nor refuses.
func TestDialTimeout(t *testing.T) { each(t, testDialTimeout) }

func testDialTimeout(t *testing.T, portable bool) {
	var s sockets
	defer s.close()
	listener, upstream := s.listen(t)
	unix.Listen(listener, 0)
	for range 8 { // fills the backlog
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		s = append(s, fd)
		a, _ := net.ResolveTCPAddr("tcp", upstream)
		unix.Connect(fd, &unix.SockaddrInet4{Port: a.Port, Addr: [4]byte{127, 0, 0, 1}})
	}
	reasons := make(chan relay.Reason, 1)
	serve(t, relay.Config{
		Upstream: upstream, DialTimeout: 50 * time.Millisecond, Portable: portable,
		Failed: func(r relay.Reason) { reasons <- r },
	}, func(_ *relay.Relay, through string) {
		c := dial(t, through)
		if code, err := status(c); code != 502 {
			t.Errorf("status %d, %v", code, err)
		}
		c.Close()
		if r := <-reasons; r != relay.ReasonTimeout {
			t.Errorf("reason %s", r)
		}
	})
}

// touchy is a follower that cannot bear one kind of bytes.
type touchy struct{ *follow.Pair }

func (f touchy) Request(b []byte, at time.Time) {
	if b[0] == '!' {
		panic("a byte that it cannot bear")
	}
	f.Pair.Request(b, at)
}

// A panic costs the connection that it happened with, and nothing else.
func TestPanic(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer up.Close()
	made := 0
	newFollower := func() relay.Follower {
		if made++; made == 2 {
			panic("no follower for this one")
		}
		return touchy{follow.New(ignore{})}
	}
	cfg := relay.Config{Upstream: up.Listener.Addr().String(), NewFollower: newFollower}
	serve(t, cfg, func(_ *relay.Relay, through string) {
		good := dial(t, through)
		if code, err := status(good); code != 200 {
			t.Fatalf("status %d, %v", code, err)
		}
		for range 3 {
			bad, err := net.Dial("tcp", through)
			if err == nil { // the first call after a reset is told of it, and no other
				defer bad.Close()
				_, err = io.WriteString(bad, "!")
			}
			if err == nil {
				bad.SetReadDeadline(time.Now().Add(5 * time.Second))
				_, err = bad.Read(make([]byte, 1))
			}
			if ending(err) != "reset" {
				t.Errorf("the bad connection ended with %v, want a reset", err)
			}
		}
		if code, err := status(good); code != 200 {
			t.Errorf("status %d, %v", code, err)
		}
	})
}

// chore is work of one piece that takes until a request has passed.
type chore struct{ queued, steps, passed atomic.Int64 }

func (c *chore) Queued() int { return int(c.queued.Load()) }

func (c *chore) Step(pause func()) bool {
	switch c.steps.Add(1) {
	case 1, 2: // somebody else has what it needs
		return false
	case 3:
		panic("bad work")
	}
	for c.passed.Load() == 0 {
		pause()
		time.Sleep(time.Millisecond)
	}
	c.queued.Add(-1)
	return true
}

// What comes while work is done does not wait for its end, and work that fails is tried again.
func TestWork(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer up.Close()
	var c chore
	c.queued.Store(1)
	serve(t, relay.Config{Upstream: up.Listener.Addr().String(), Work: &c}, func(_ *relay.Relay, through string) {
		for until := time.Now().Add(5 * time.Second); c.steps.Load() < 4; time.Sleep(time.Millisecond) {
			if time.Now().After(until) {
				t.Fatalf("%d steps", c.steps.Load())
			}
		}
		conn := dial(t, through)
		for range 3 {
			if code, err := status(conn); code != 200 {
				t.Fatalf("status %d, %v", code, err)
			}
		}
		c.passed.Store(1)
		for until := time.Now().Add(5 * time.Second); c.queued.Load() > 0; time.Sleep(time.Millisecond) {
			if time.Now().After(until) {
				t.Fatal("the work is not done")
			}
		}
	})
}

// A read ends before an urgent byte, which no reader of a stream gets; what is behind it passes like all else.
func TestUrgent(t *testing.T) { each(t, testUrgent) }

func testUrgent(t *testing.T, portable bool) {
	up := listen(t)
	go func() {
		c, err := up.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		io.Copy(c, c)
	}()
	_, through := start(t, portable, up.Addr().String(), nil, nil)
	c := dial(t, through)
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(10 * time.Second))
	for range 200 {
		raw.Control(func(fd uintptr) {
			unix.Send(int(fd), []byte("ab"), 0)
			unix.Send(int(fd), []byte("!"), unix.MSG_OOB)
			unix.Send(int(fd), []byte("cd"), 0)
		})
		var echo [4]byte
		if _, err := io.ReadFull(c, echo[:]); err != nil || string(echo[:]) != "abcd" {
			t.Fatalf("%q, %v", echo, err)
		}
	}
}

func TestShutdownBeforeServe(t *testing.T) { each(t, testShutdownBeforeServe) }

func testShutdownBeforeServe(t *testing.T, portable bool) {
	r := relay.New(relay.Config{Upstream: "127.0.0.1:1", Portable: portable, Log: zap.NewNop()})
	if err := r.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := r.Serve(listen(t)); err != nil {
		t.Error(err)
	}
}

// serve runs a relay while f runs. Upstream is to be set in cfg.
func serve(t *testing.T, cfg relay.Config, f func(r *relay.Relay, through string)) {
	t.Helper()
	if cfg.NewFollower == nil {
		cfg.NewFollower = func() relay.Follower { return follow.New(ignore{}) }
	}
	if cfg.Failed == nil {
		cfg.Failed = func(relay.Reason) {}
	}
	cfg.Log = zap.NewNop()
	r, l, done := relay.New(cfg), listen(t), make(chan error, 1)
	go func() { done <- r.Serve(l) }()
	defer func() {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		r.Shutdown(ended)
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	}()
	f(r, l.Addr().String())
}

func TestNotTCP(t *testing.T) {
	l, err := net.Listen("unix", t.TempDir()+"/socket")
	if err != nil {
		t.Fatal(err)
	}
	r := relay.New(relay.Config{Upstream: "127.0.0.1:1", Log: zap.NewNop()})
	if err := r.Serve(l); err == nil {
		t.Error("served a listener that is not TCP")
	}
	if err := r.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}
