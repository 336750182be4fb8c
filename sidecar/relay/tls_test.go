package relay_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/leeway-dev/leeway/sidecar/follow"
	"github.com/leeway-dev/leeway/sidecar/relay"
)

// secured is a relay to which clients speak TLS.
type secured struct {
	*relay.Relay
	addr   string
	client *tls.Config
	failed atomic.Int64
}

func startTLS(t testing.TB, upstream string, timeout time.Duration) *secured {
	t.Helper()
	trusted := httptest.NewTLSServer(nil)
	trusted.Close()
	pool := x509.NewCertPool()
	pool.AddCert(trusted.Certificate())
	s := &secured{client: &tls.Config{RootCAs: pool, ServerName: "example.com"}}
	s.Relay = relay.New(relay.Config{
		Upstream: upstream, NewFollower: func() relay.Follower { return follow.New(ignore{}) },
		Failed: func(relay.Reason) {}, Log: zap.NewNop(),
		TLS: &relay.TLS{
			Config:  &tls.Config{Certificates: trusted.TLS.Certificates},
			Timeout: timeout, Failed: func() { s.failed.Add(1) },
		},
	})
	l, done := listen(t), make(chan error, 1)
	s.addr = l.Addr().String()
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Shutdown(t.Context())
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return s
}

// tlsWire is a client's end of a connection with TLS.
type tlsWire struct {
	*tls.Conn
	tcp    *net.TCPConn
	linger bool
}

func (s *secured) dial(t testing.TB, version uint16) *tlsWire {
	t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	return s.over(t, c, version)
}

// over does the handshake on a connection.
func (s *secured) over(t testing.TB, c net.Conn, version uint16) *tlsWire {
	t.Helper()
	cfg := s.client.Clone()
	cfg.MaxVersion = version
	w := &tlsWire{Conn: tls.Client(c, cfg)}
	w.tcp, _ = c.(*net.TCPConn)
	if err := w.Handshake(); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *tlsWire) SetLinger(n int) error {
	w.linger = true
	return w.tcp.SetLinger(n)
}

func (w *tlsWire) Close() error {
	if w.linger { // a reset says nothing before
		return w.tcp.Close()
	}
	return w.Conn.Close()
}

// What two programs say to each other they say as well when one of them speaks TLS to the relay.
func TestTLSFidelity(t *testing.T) {
	l := listen(t)
	s := startTLS(t, l.Addr().String(), 0)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, sc := range allScripts(t) {
			t.Run(tls.VersionName(version)+" "+sc.name, func(t *testing.T) {
				c, sv := exchange(t, l, l.Addr().String(), sc.client, sc.server, whole)
				cuts := map[string]func(int) int{"whole": whole, "cut": random(1)}
				if size(sc) < 500 {
					cuts["1-byte segments"] = bytewise
				}
				for name, cut := range cuts {
					c2, s2 := exchangeOn(s.dial(t, version), l, sc.client, sc.server, cut)
					if c2 != c {
						t.Errorf("%s: the client saw\n%s\nand through the relay\n%s", name, describe(c), describe(c2))
					}
					if s2 != sv {
						t.Errorf("%s: the server saw\n%s\nand through the relay\n%s", name, describe(sv), describe(s2))
					}
				}
			})
		}
	}
	if n := s.failed.Load(); n > 0 {
		t.Errorf("%d handshakes failed", n)
	}
}

// A handshake that does not come to an end is ended, keeps nobody else waiting, and counts. A probe does not count.
func TestTLSHandshakes(t *testing.T) {
	l := listen(t)
	s := startTLS(t, l.Addr().String(), 500*time.Millisecond)
	hello := clientHello(t)
	for _, c := range []struct {
		name, send string
		close      bool
		failed     int64
	}{
		{"silent", "", false, 1},
		{"half a hello", hello[:len(hello)/2], false, 1},
		{"hello, then nothing", hello, false, 1},
		{"no TLS", get, false, 1},
		{"leaves in its hello", hello[:10], true, 1},
		{"probe", "", true, 0},
	} {
		before := s.failed.Load()
		conn := dial(t, s.addr)
		io.WriteString(conn, c.send)
		if c.close {
			conn.Close()
		} else {
			conn.SetReadDeadline(time.Now().Add(5 * time.Second))
			if _, err := io.Copy(io.Discard, conn); err != nil && ending(err) != "reset" {
				t.Errorf("%s: %v", c.name, err)
			}
			conn.Close()
		}
		for until := time.Now().Add(2 * time.Second); s.failed.Load()-before < c.failed && time.Now().Before(until); {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(20 * time.Millisecond)
		if n := s.failed.Load() - before; n != c.failed {
			t.Errorf("%s: %d failures counted, want %d", c.name, n, c.failed)
		}
	}
	for range 20 {
		defer dial(t, s.addr).Close() // silent
	}
	w := s.dial(t, tls.VersionTLS13)
	c, _ := exchangeOn(w, l, []op{send(get), read(okAnswer), act("fin")}, []op{read(get), send(okAnswer), act("fin")}, whole)
	if c.Bytes != okAnswer {
		t.Errorf("beside silent clients: %s", describe(c))
	}
}

// clientHello is the first thing that a client sends.
func clientHello(t *testing.T) string {
	t.Helper()
	client, server := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		tls.Client(client, &tls.Config{ServerName: "m"}).Handshake()
	}()
	b := make([]byte, 16<<10)
	n, err := server.Read(b)
	server.Close()
	<-done
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

// Handshakes under way do not hold up a shutdown, and are not counted.
func TestTLSShutdown(t *testing.T) {
	l := listen(t)
	s := startTLS(t, l.Addr().String(), time.Hour)
	silent := dial(t, s.addr)
	idle := s.dial(t, tls.VersionTLS13)
	defer idle.Close()
	up, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer up.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	for name, c := range map[string]net.Conn{"silent": silent, "idle": idle} {
		c.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := c.Read(make([]byte, 1)); ending(err) != "fin" {
			t.Errorf("%s: ended with %v", name, err)
		}
	}
	if n := s.failed.Load(); n > 0 {
		t.Errorf("%d failures counted", n)
	}
}

// tap keeps what a client received.
type tap struct {
	net.Conn
	mu  sync.Mutex
	got bytes.Buffer
}

func (t *tap) Read(b []byte) (int, error) {
	n, err := t.Conn.Read(b)
	t.mu.Lock()
	t.got.Write(b[:n])
	t.mu.Unlock()
	return n, err
}

// last is the type of the last record of TLS 1.2.
func (t *tap) last() (kind byte) {
	for b := t.got.Bytes(); len(b) >= 5; b = b[5+int(b[3])<<8+int(b[4]):] {
		kind = b[0]
	}
	return kind
}

// A server's FIN becomes a close_notify and a FIN, also for a client that takes its time to read what came before.
func TestTLSCloseNotify(t *testing.T) {
	answer := fmt.Sprintf("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n%s", strings.Repeat("a", 16<<20))
	for name, pause := range map[string]time.Duration{"fast": 0, "slow": 6 * time.Second} {
		t.Run(name, func(t *testing.T) {
			if pause > 0 && testing.Short() {
				t.Skip("waits for longer than package tls would")
			}
			t.Parallel()
			l := listen(t)
			s := startTLS(t, l.Addr().String(), 0)
			go func() {
				c, err := l.Accept()
				if err != nil {
					return
				}
				io.ReadFull(c, make([]byte, len(get)))
				io.WriteString(c, answer)
				c.Close()
			}()
			tcp := dial(t, s.addr)
			c := &tap{Conn: tcp}
			w := s.over(t, c, tls.VersionTLS12)
			io.WriteString(w, get)
			time.Sleep(pause)
			if b, err := io.ReadAll(w); err != nil || string(b) != answer {
				t.Errorf("%d bytes, %v", len(b), err)
			}
			tcp.SetReadDeadline(time.Now().Add(5 * time.Second))
			if n, err := c.Read(make([]byte, 1)); n > 0 || err != io.EOF {
				t.Errorf("behind the end: %d bytes, %v, want a FIN", n, err)
			}
			if kind := c.last(); kind != 21 {
				t.Errorf("the last record is of type %d, want 21, an alert", kind)
			}
		})
	}
}

// A client that breaks off within a record has not said all that it wanted to say, and its server learns that.
func TestTLSTruncated(t *testing.T) {
	l := listen(t)
	s := startTLS(t, l.Addr().String(), 0)
	w := s.dial(t, tls.VersionTLS13)
	up, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer up.Close()
	w.tcp.Write([]byte("\x17\x03\x03\x00\x20half"))
	w.tcp.Close()
	up.SetReadDeadline(time.Now().Add(5 * time.Second))
	if n, err := up.Read(make([]byte, 1)); n > 0 || ending(err) != "reset" {
		t.Errorf("the server saw %d bytes, %v, want a reset", n, err)
	}
}

// Without an upstream a client is told so in TLS.
func TestTLSRefused(t *testing.T) {
	s := startTLS(t, closedPort(t), 0)
	w := s.dial(t, tls.VersionTLS13)
	defer w.Close()
	if code, err := status(w); code != 502 {
		t.Errorf("status %d, %v", code, err)
	}
}
