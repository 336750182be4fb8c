package relay

import (
	"time"

	"golang.org/x/sys/unix"
)

// pair is a client connection and its upstream connection. It is small: ten thousand idle ones take a few megabytes.
type pair struct {
	client, upstream side
	follow           Follower
	refused          *refusal // there is no upstream connection, and the client is told so
	due              int64    // when the loop looks at it again (loop.now)
	timer            int32    // its place in timers, from 1; 0: none
	connecting       bool
	closed           bool
}

// side is one of the two sockets.
type side struct {
	pair    *pair
	fd      int32 // −1: none
	gen     uint32
	asked   uint32 // what epoll is asked for; 0: the socket is not in its set, or an error would be told for ever
	sent    int32  // bytes of pending that have been written
	pending []byte // read from the peer; the whole buffer is given back when all is written
	client  bool
	ended   bool // it has sent FIN
	broken  bool // its program has gone, as a write to it told, or epoll. What that sent before is still to be read
}

func (s *side) peer() *side {
	if s.client {
		return &s.pair.upstream
	}
	return &s.pair.client
}

// idle reports whether nothing is under way. An opaque connection is never known to be idle.
func (p *pair) idle() bool {
	if p.refused != nil {
		return p.refused.read == 0 && !p.refused.answered
	}
	if p.connecting || len(p.client.pending)+len(p.upstream.pending) > 0 {
		return false
	}
	return p.follow.Waiting() == 0 && !p.follow.Opaque()
}

// turn handles what epoll says of a socket. A panic costs its pair only.
func (l *loop) turn(s *side, events uint32) {
	p := s.pair
	defer l.rescue(p)
	const failed = unix.EPOLLERR | unix.EPOLLHUP
	if s.asked&unix.EPOLLOUT != 0 && events&(unix.EPOLLOUT|failed) != 0 {
		if p.connecting {
			l.connected(p)
		} else {
			l.flush(s)
		}
	}
	switch {
	case p.closed:
	case s.asked&unix.EPOLLIN != 0 && events&(unix.EPOLLIN|unix.EPOLLPRI|failed) != 0:
		l.pump(s, events)
	case s.asked == unix.EPOLLERR && events&failed != 0: // reset, while what it sent is held back
		l.broke(s)
	}
}

// pump reads once and passes on what it got. In front of what a server sent there is room for what an Editor adds.
func (l *loop) pump(s *side, events uint32) {
	room := 0
	if !s.client {
		room = l.cfg.Room
	}
	n, e := recv(s.fd, l.scratch[room:])
	left := more(events, n, scratchSize-room)
	switch {
	case again(e):
	case s.pair.refused != nil:
		l.refuseMore(s.pair, l.scratch[:max(n, 0)], e != 0 || n == 0)
	case e != 0:
		l.lost(s)
	case n == 0:
		l.fin(s)
	case room > 0:
		l.edit(s, l.scratch[:room+n])
	default:
		l.move(s, l.scratch[:n])
	}
	if left {
		l.again(s)
	}
}

// move writes b, which s sent, to the peer, and shows it to the follower only then: following holds no byte back. One
// thread does both directions, so an answer cannot be shown before its request was.
func (l *loop) move(s *side, b []byte) {
	at := time.Now()
	p, d := s.pair, s.peer()
	n, e := send(d.fd, b)
	if again(e) {
		n, e = 0, 0
	}
	switch {
	case s.client:
		p.follow.Request(b, at)
	case e == 0:
		p.follow.Response(b, at)
	}
	if s.client && p.upstream.ended {
		l.timers.set(p, l.now()+int64(l.cfg.waits.afterServer))
	}
	switch {
	case e != 0:
		l.broke(d)
	case n < len(b):
		l.keep(d, b, n)
	}
}

// keep holds back what d cannot take yet, all of b but its first n bytes: with the loop's buffer, which it replaces.
func (l *loop) keep(d *side, b []byte, n int) {
	d.pending, d.sent = b, int32(n)
	l.scratch = l.buffers.take()
	l.ask(d)
	l.ask(d.peer())
}

// flush writes what was held back.
func (l *loop) flush(d *side) {
	n, e := send(d.fd, d.pending[d.sent:])
	if e != 0 {
		if !again(e) {
			l.broke(d)
		}
		return
	}
	if d.sent += int32(n); int(d.sent) < len(d.pending) {
		return
	}
	l.drop(d)
	l.ask(d)
	l.ask(d.peer())
}

func (l *loop) drop(d *side) {
	if d.pending != nil {
		l.buffers.give(d.pending)
		d.pending, d.sent = nil, 0
	}
}

// fin: s has sent all it had. Its bytes have been passed on, as nothing is read while some are held back.
func (l *loop) fin(s *side) {
	if s.broken {
		l.lost(s)
		return
	}
	p, d := s.pair, s.peer()
	s.ended = true
	if s.client {
		p.follow.ClientFIN()
	} else {
		p.follow.ServerEnd(time.Now(), false)
	}
	if d.ended {
		l.end(p, false)
		return
	}
	unix.Shutdown(int(d.fd), unix.SHUT_WR)
	if !s.client {
		l.timers.set(p, l.now()+int64(l.cfg.waits.afterServer))
	}
	l.ask(s)
}

// lost: s was reset, or is to be treated as if it were.
func (l *loop) lost(s *side) {
	if !s.client {
		s.pair.follow.ServerEnd(time.Now(), true)
	}
	l.end(s.pair, true)
}

// broke: a write to d failed, or d was reset while it was not read. What d has sent is passed on for a while, unless
// nobody is there to take it.
func (l *loop) broke(d *side) {
	p, s := d.pair, d.peer()
	d.broken = true
	l.drop(d)
	if s.broken || d.ended {
		l.end(p, true)
		return
	}
	wait := l.cfg.waits.answer
	if d.client {
		wait = l.cfg.waits.request
	}
	l.timers.set(p, l.now()+int64(wait))
	l.ask(d)
	l.ask(s)
}

// expire: the time has come that p waited for.
func (l *loop) expire(p *pair) {
	defer l.rescue(p)
	switch {
	case p.connecting && p.upstream.fd < 0 && l.upstream != nil: // there was no descriptor for it
		l.connect(p)
	case p.connecting:
		l.refuse(p, unix.ETIMEDOUT)
	case p.client.broken || p.upstream.broken:
		l.end(p, true)
	case len(p.upstream.pending) > 0: // not the client keeps silent, but the server does not read
		l.timers.set(p, l.now()+int64(l.cfg.waits.afterServer))
	default:
		l.end(p, false)
	}
}

// end closes both sockets: properly, or with a reset, as one reset end resets the other where nothing is in between.
func (l *loop) end(p *pair, reset bool) {
	if p.closed {
		return
	}
	p.closed = true
	l.timers.clear(p)
	l.close(&p.client, reset)
	l.close(&p.upstream, reset)
	l.open--
	p.follow.ClientEnd(time.Now())
}

func (l *loop) close(s *side, reset bool) {
	l.drop(s)
	if s.fd < 0 {
		return
	}
	if reset {
		unix.SetsockoptLinger(int(s.fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	}
	l.sides[s.fd] = nil
	unix.Close(int(s.fd))
	s.fd, s.asked = -1, 0
}
