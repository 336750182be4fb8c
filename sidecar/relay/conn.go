package relay

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// conn is a client connection and its upstream connection.
type conn struct {
	client, upstream *net.TCPConn
	stream           stream // what the client is spoken to through: client, or TLS over it
	buffers          *sync.Pool
	room             int // Config.Room
	waits            waits

	mu     sync.Mutex // guards follow
	follow Follower

	// A write that fails means that the other end has gone; what it sent before is still to be read, so its reader ends the connection.
	clientBroken, upstreamBroken atomic.Bool
	serverEnded                  atomic.Bool
	requestsDone, responsesDone  chan struct{}
}

// run moves both directions and returns when both have ended. Both connections are closed then.
func (c *conn) run() {
	go func() {
		defer close(c.responsesDone)
		c.responses()
	}()
	c.requests()
	close(c.requestsDone)
	<-c.responsesDone
	c.stream.Close()
	c.upstream.Close()
	c.mu.Lock()
	c.follow.ClientEnd(time.Now())
	c.mu.Unlock()
}

// requests moves what the client sends.
func (c *conn) requests() {
	r, ok := c.source()
	if !ok {
		c.abort()
		return
	}
	for {
		b, err := r.next()
		if len(b) > 0 {
			now := time.Now()
			c.mu.Lock()
			c.follow.Request(b, now)
			c.mu.Unlock()
			if _, werr := c.upstream.Write(b); werr != nil {
				r.release()
				c.upstreamBroken.Store(true)
				if !c.clientBroken.Load() {
					wait(c.responsesDone, c.waits.answer) // it forwards what the server had sent
				}
				c.abort()
				return
			}
		}
		r.release()
		switch {
		case err == nil:
			if c.serverEnded.Load() {
				c.client.SetReadDeadline(time.Now().Add(c.waits.afterServer))
			}
		case errors.Is(err, io.EOF) && !c.clientBroken.Load():
			c.mu.Lock()
			c.follow.ClientFIN()
			c.mu.Unlock()
			c.upstream.CloseWrite()
			return
		case errors.Is(err, os.ErrDeadlineExceeded): // asked to end, or nothing came after the server had ended
			c.upstream.SetReadDeadline(time.Now())
			return
		default:
			c.abort()
			return
		}
	}
}

// responses moves what the server sends.
func (c *conn) responses() {
	r := reader{src: c.upstream, buffers: c.buffers, room: c.room}
	if !r.open() {
		c.abort()
		return
	}
	for {
		b, err := r.next()
		if len(b) > 0 {
			if werr := c.respond(b, &r); werr != nil {
				r.release()
				c.clientBroken.Store(true)
				if !c.upstreamBroken.Load() {
					wait(c.requestsDone, c.waits.request) // it forwards what the client had sent
				}
				c.abort()
				return
			}
		}
		r.release()
		switch {
		case err == nil:
		case errors.Is(err, io.EOF) && !c.upstreamBroken.Load():
			c.serverEnd(false)
			c.stream.CloseWrite()
			c.serverEnded.Store(true)
			c.client.SetReadDeadline(time.Now().Add(c.waits.afterServer))
			return
		case errors.Is(err, os.ErrDeadlineExceeded):
			return
		default:
			if !errors.Is(err, net.ErrClosed) {
				c.serverEnd(true)
			}
			c.abort()
			return
		}
	}
}

// respond writes b, which r has read, to the client, and shows it to the follower: before it is written where that may
// add to it, behind that else.
func (c *conn) respond(b []byte, r *reader) error {
	now := time.Now()
	if c.room > 0 {
		c.mu.Lock()
		from := c.follow.(Editor).Edit((*r.buf)[:c.room+len(b)], c.room, now)
		c.mu.Unlock()
		_, err := c.stream.Write((*r.buf)[from : c.room+len(b)])
		return err
	}
	if _, err := c.stream.Write(b); err != nil {
		return err
	}
	c.mu.Lock()
	c.follow.Response(b, now)
	c.mu.Unlock()
	return nil
}

func (c *conn) serverEnd(reset bool) {
	c.mu.Lock()
	c.follow.ServerEnd(time.Now(), reset)
	c.mu.Unlock()
}

// abort resets both connections, as one reset end resets the other where nothing is in between.
func (c *conn) abort() {
	for _, t := range []*net.TCPConn{c.client, c.upstream} {
		t.SetLinger(0)
		t.Close()
	}
}

// end asks both directions to stop reading; both connections are then closed properly.
func (c *conn) end() {
	c.client.SetReadDeadline(time.Now())
	c.upstream.SetReadDeadline(time.Now())
}

// wait waits for done, at most for d.
func wait(done <-chan struct{}, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
	}
}

// idle reports whether no followed request is under way. An opaque connection is never known to be idle.
func (c *conn) idle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.follow.Waiting() == 0 && !c.follow.Opaque()
}

// reader reads into a pooled buffer that it borrows only once there is something to read, so that an idle connection holds none.
type reader struct {
	src     *net.TCPConn
	buffers *sync.Pool
	room    int // bytes of the buffer that stay free in front
	raw     syscall.RawConn
	try     func(fd uintptr) bool
	buf     *[]byte
	n       int
	err     error
}

func (r *reader) open() bool {
	var err error
	r.raw, err = r.src.SyscallConn()
	r.try = r.read
	return err == nil
}

// read is called when the socket may have something; false waits for more.
func (r *reader) read(fd uintptr) bool {
	buf := r.buffers.Get().(*[]byte)
	for {
		r.n, r.err = syscall.Read(int(fd), (*buf)[r.room:])
		if r.err != syscall.EINTR {
			break
		}
	}
	if r.err == syscall.EAGAIN {
		r.buffers.Put(buf)
		return false
	}
	r.buf = buf
	return true
}

// next returns what was read, until release.
func (r *reader) next() ([]byte, error) {
	if err := r.raw.Read(r.try); err != nil {
		return nil, err
	}
	switch {
	case r.err != nil:
		return nil, r.err
	case r.n == 0:
		return nil, io.EOF
	}
	return (*r.buf)[r.room : r.room+r.n], nil
}

func (r *reader) release() {
	if r.buf != nil {
		r.buffers.Put(r.buf)
		r.buf = nil
	}
}
