package relay

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"
)

const (
	handshakeWait = 10 * time.Second
	noticeWait    = time.Second // for the close_notify of a connection that is closed to find room
)

// TLS is how clients are spoken to in TLS. Config and Failed are needed.
type TLS struct {
	Config  *tls.Config
	Timeout time.Duration // of a handshake; 0: 10 s
	Failed  func()        // told of each handshake that failed, or did not come to an end in time
}

// stream is the client's end of a connection: TCP, or what is inside of TLS.
type stream interface {
	net.Conn
	CloseWrite() error
}

// secure is what is inside of TLS. Its close_notify goes with a FIN, and waits for a slow reader as a FIN does.
type secure struct {
	*tls.Conn
	socket *socket
	wait   time.Duration // for close_notify to be sent
}

// CloseWrite is part of stream.
func (s *secure) CloseWrite() error {
	if err := s.Conn.CloseWrite(); err != nil {
		return err
	}
	return s.socket.CloseWrite()
}

// Close is part of stream.
func (s *secure) Close() error {
	s.socket.TCPConn.SetWriteDeadline(time.Now().Add(noticeWait))
	return s.Conn.Close()
}

// socket is the TCP below TLS. One goroutine reads from it.
type socket struct {
	*net.TCPConn
	heard bool // the client has sent something
	dry   bool // there is nothing more to be read for now
}

// Read is part of net.Conn.
func (s *socket) Read(b []byte) (int, error) {
	if s.dry {
		return 0, os.ErrDeadlineExceeded // after which TLS can be read on
	}
	n, err := s.TCPConn.Read(b)
	s.heard = s.heard || n > 0
	return n, err
}

// SetWriteDeadline does nothing: package tls sets one for close_notify, behind which a slow reader would miss it.
func (s *socket) SetWriteDeadline(time.Time) error { return nil }

// greet returns what is to be relayed of a client's connection: itself, or what is inside once the TLS handshake is
// done; nil where that came to nothing, and the connection is closed.
func (g *goroutines) greet(t *net.TCPConn) stream {
	if g.cfg.TLS == nil {
		return t
	}
	s := &socket{TCPConn: t}
	c := tls.Server(s, g.cfg.TLS.Config)
	ctx, cancel := context.WithTimeout(g.ctx, cmp.Or(g.cfg.TLS.Timeout, handshakeWait))
	defer cancel()
	err := c.HandshakeContext(ctx)
	if err == nil {
		return &secure{c, s, g.cfg.waits.request}
	}
	t.Close()
	// A connection that its client closes without a word is a probe; one that is closed here is no failure.
	if g.ctx.Err() == nil && (s.heard || ctx.Err() != nil) {
		g.cfg.TLS.Failed()
		g.cfg.Log.Debug("no TLS handshake", zap.Stringer("client", t.RemoteAddr()), zap.Error(err))
	}
	return nil
}

// source is what one end sends, a piece at a time.
type source interface {
	// next returns a piece, which is valid until release.
	next() ([]byte, error)
	release()
}

// source is what the client sends; false: the connection is closed already.
func (c *conn) source() (source, bool) {
	if s, ok := c.stream.(*secure); ok {
		return &secureReader{src: s, buffers: c.buffers}, true
	}
	r := &reader{src: c.client, buffers: c.buffers}
	return r, r.open()
}

// secureReader reads what is inside of TLS, and like reader it borrows a buffer only once there is something to read: it
// waits for a first byte, and then takes what has come with it.
type secureReader struct {
	src     *secure
	buffers *sync.Pool
	first   [1]byte
	buf     *[]byte
}

func (r *secureReader) next() ([]byte, error) {
	n, err := r.src.Read(r.first[:])
	if n == 0 {
		return nil, err
	}
	r.buf = r.buffers.Get().(*[]byte)
	b := *r.buf
	b[0] = r.first[0]
	r.src.socket.dry = true
	for err == nil && n < len(b) {
		var more int
		more, err = r.src.Read(b[n:])
		n += more
	}
	r.src.socket.dry = false
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil
	}
	return b[:n], err
}

func (r *secureReader) release() {
	if r.buf != nil {
		r.buffers.Put(r.buf)
		r.buf = nil
	}
}
