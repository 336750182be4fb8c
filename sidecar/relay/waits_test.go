package relay_test

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/sidecar/follow"
	"github.com/leeway-dev/leeway/sidecar/relay"
)

// hasty is how long a relay waits here for what may never come.
const hasty = 400 * time.Millisecond

// watch is a follower that says when its connection has ended.
type watch struct {
	*follow.Pair
	ended chan time.Time
}

func (w watch) ClientEnd(at time.Time) {
	w.Pair.ClientEnd(at)
	w.ended <- at
}

// hastily connects a client and a server through a relay that waits for nothing long. ended hears when it has given
// both connections up.
func hastily(t *testing.T, portable bool) (client, server *net.TCPConn, ended <-chan time.Time) {
	t.Helper()
	l, end := listen(t), make(chan time.Time, 1)
	_, through := run(t, relay.Config{
		Upstream: l.Addr().String(), Failed: func(relay.Reason) {}, Portable: portable,
		NewFollower: func() relay.Follower { return watch{follow.New(ignore{}), end} },
	}.Hasty(hasty))
	c, err := net.Dial("tcp", through)
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); s.Close() })
	for _, conn := range []net.Conn{c, s} {
		conn.SetDeadline(time.Now().Add(20 * time.Second))
	}
	return c.(*net.TCPConn), s, end
}

// after fails unless ended hears that the relay gave up, no sooner than it was to wait after begun.
func after(t *testing.T, begun time.Time, ended <-chan time.Time) {
	t.Helper()
	select {
	case at := <-ended:
		if took := at.Sub(begun); took < hasty {
			t.Errorf("given up after %v, want at least %v", took, hasty)
		}
	case <-time.After(10 * time.Second):
		t.Error("not given up")
	}
}

// fill writes until the other end takes no more, and returns how much it took.
func fill(t *testing.T, c net.Conn) (n int) {
	t.Helper()
	block := make([]byte, 64<<10)
	for {
		c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		m, err := c.Write(block)
		if n += m; err != nil {
			return n
		}
		if n > 1<<30 {
			t.Fatal("no end of what is taken")
		}
	}
}

func roundTrip(t *testing.T, from, to net.Conn, message string) {
	t.Helper()
	if _, err := io.WriteString(from, message); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(to, make([]byte, len(message))); err != nil {
		t.Fatal(err)
	}
}

// A client that keeps silent after the server has ended is let go, properly; each word of it gives it more time.
func TestSilentAfterServer(t *testing.T) { each(t, testSilentAfterServer) }

func testSilentAfterServer(t *testing.T, portable bool) {
	client, server, ended := hastily(t, portable)
	roundTrip(t, client, server, get)
	server.CloseWrite()
	if b, err := io.ReadAll(client); len(b) > 0 || err != nil {
		t.Fatalf("the client saw %q, %v, want the server's end", b, err)
	}
	var begun time.Time
	for range 4 {
		time.Sleep(hasty / 2)
		begun = time.Now()
		roundTrip(t, client, server, "more")
	}
	after(t, begun, ended)
	if b, err := io.ReadAll(server); len(b) > 0 || err != nil {
		t.Errorf("the server saw %q, %v, want the client's end", b, err)
	}
}

// It is not the client that keeps silent when the server does not read what it has said.
func TestSlowServerAfterItsEnd(t *testing.T) { each(t, testSlowServerAfterItsEnd) }

func testSlowServerAfterItsEnd(t *testing.T, portable bool) {
	client, server, ended := hastily(t, portable)
	roundTrip(t, client, server, get)
	server.CloseWrite()
	taken := fill(t, client)
	select {
	case <-ended:
		t.Fatal("given up while the server was to read")
	case <-time.After(3 * hasty):
	}
	got := 0
	for buf := make([]byte, 1<<20); got < taken; {
		n, err := server.Read(buf)
		if got += n; err != nil {
			t.Fatalf("%v after %d of %d bytes", err, got, taken)
		}
	}
	after(t, time.Now().Add(-hasty), ended)
}

// A server that has gone may leave an answer behind, which its client has a while to read.
func TestAnswerOfServerThatHasGone(t *testing.T) { each(t, testAnswerOfServerThatHasGone) }

func testAnswerOfServerThatHasGone(t *testing.T, portable bool) {
	for _, reads := range []bool{true, false} {
		client, server, ended := hastily(t, portable)
		roundTrip(t, client, server, get)
		if taken := fill(t, server); taken < 128<<10 {
			t.Fatalf("only %d bytes were taken", taken)
		}
		begun := time.Now()
		server.SetLinger(0)
		server.Close()
		time.Sleep(20 * time.Millisecond)
		if _, err := io.WriteString(client, "one more request"); err != nil {
			t.Fatal(err)
		}
		if !reads {
			after(t, begun, ended)
			continue
		}
		n, err := io.Copy(io.Discard, client)
		if n < 128<<10 || ending(err) != "reset" {
			t.Errorf("the client got %d bytes, then %v, want more, then a reset", n, err)
		}
		<-ended
	}
}

// A client that has gone may leave a request behind, which its server has a moment to read.
func TestRequestOfClientThatHasGone(t *testing.T) { each(t, testRequestOfClientThatHasGone) }

func testRequestOfClientThatHasGone(t *testing.T, portable bool) {
	for _, reads := range []bool{true, false} {
		client, server, ended := hastily(t, portable)
		roundTrip(t, client, server, "POST / HTTP/1.1\r\nContent-Length: 1000000000\r\n\r\n")
		fill(t, client)
		begun := time.Now()
		client.SetLinger(0)
		client.Close()
		time.Sleep(20 * time.Millisecond)
		if _, err := io.WriteString(server, goOn); err != nil {
			t.Fatal(err)
		}
		if !reads {
			after(t, begun, ended)
			continue
		}
		if n, err := io.Copy(io.Discard, server); n < 64<<10 || ending(err) != "reset" {
			t.Errorf("the server got %d bytes, then %v, want more, then a reset", n, err)
		}
		<-ended
	}
}

// Who asks for nothing where there is no upstream is let go.
func TestRefusedInSilence(t *testing.T) { each(t, testRefusedInSilence) }

func testRefusedInSilence(t *testing.T, portable bool) {
	_, through := run(t, relay.Config{
		Upstream: closedPort(t), Failed: func(relay.Reason) {}, Portable: portable,
		NewFollower: func() relay.Follower { return follow.New(ignore{}) },
	}.Hasty(hasty))
	for _, said := range []string{"", "GET / HT", get + strings.Repeat("x", 100)} {
		c, err := net.Dial("tcp", through)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(10 * time.Second))
		io.WriteString(c, said)
		begun := time.Now()
		b, err := io.ReadAll(c)
		if took := time.Since(begun); len(said) < len(get) && (len(b) > 0 || err != nil || took < hasty/2) {
			t.Errorf("%q: %q, %v after %v, want its end after %v", said, b, err, took, hasty)
		}
		if len(said) > len(get) && !strings.HasPrefix(string(b), "HTTP/1.1 502 ") {
			t.Errorf("%q: %q, %v", said, b, err)
		}
	}
}
