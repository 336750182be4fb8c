package relay

import (
	"net"
	"net/netip"
	"syscall"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

const (
	acceptAtOnce = 64         // connections that are accepted before others have their turn
	acceptPause  = 50_000_000 // ns without accepting after descriptors or memory ran out
)

// literal returns the upstream's address; nil where it is a name, which may move and is looked up for every
// connection.
func literal(upstream string) (unix.Sockaddr, int) {
	a, err := netip.ParseAddrPort(upstream)
	switch {
	case err != nil || a.Addr().Zone() != "":
		return nil, 0
	case a.Addr().Is4():
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}, unix.AF_INET
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}, unix.AF_INET6
}

// accept takes waiting connections, while there are descriptors and memory.
func (l *loop) accept() {
	for range acceptAtOnce {
		fd, e := acceptFrom(l.listener)
		switch {
		case again(e):
			return
		case e == unix.ECONNABORTED, e == unix.EPROTO: // the client has gone already
			continue
		case e != 0:
			l.short(e)
			return
		}
		l.full = false
		if l.begin(int(fd)); l.full {
			return
		}
	}
}

// short: clients wait in the backlog for a moment, and the loop does not spin.
func (l *loop) short(err error) {
	if !l.full {
		l.cfg.Log.Warn("no descriptors or memory; new connections wait until there are", zap.Error(err))
	}
	l.full = true
	if l.listener >= 0 {
		l.listen(false)
		l.acceptAt = l.now() + acceptPause
	}
}

// listen asks epoll for new connections, or no longer does.
func (l *loop) listen(on bool) {
	if l.listener < 0 {
		return
	}
	l.acceptAt = 0
	ev := unix.EpollEvent{Fd: l.listener}
	if on {
		ev.Events = unix.EPOLLIN
	}
	unix.EpollCtl(l.ep, unix.EPOLL_CTL_MOD, int(l.listener), &ev)
}

// begin makes a pair of a client's connection, which has what take has set on the listener.
func (l *loop) begin(client int) {
	p := &pair{follow: nothing{}, connecting: true}
	p.client = side{pair: p, client: true}
	p.upstream = side{pair: p, fd: -1}
	l.number(&p.client, client)
	l.open++
	defer l.rescue(p)
	p.follow = l.cfg.NewFollower()
	l.connect(p)
}

// connect begins to connect to the upstream. A client that got the last descriptor waits, too.
func (l *loop) connect(p *pair) {
	if l.upstream == nil {
		l.timers.set(p, l.now()+int64(l.cfg.DialTimeout))
		l.lookUp(p)
		return
	}
	fd, err := unix.Socket(l.family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	switch err {
	case nil:
	case unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM:
		l.timers.set(p, l.now()+acceptPause) // before the loop accepts again
		l.short(err)
		return
	default:
		l.refuse(p, err)
		return
	}
	l.timers.set(p, l.now()+int64(l.cfg.DialTimeout))
	tune(fd)
	l.number(&p.upstream, fd)
	switch err := unix.Connect(fd, l.upstream); err {
	case nil:
		l.stands(p)
	case unix.EINPROGRESS, unix.EINTR:
		l.ask(&p.upstream)
	default:
		l.refuse(p, err)
	}
}

// connected: the connection to the upstream stands, or there will be none.
func (l *loop) connected(p *pair) {
	e, err := unix.GetsockoptInt(int(p.upstream.fd), unix.SOL_SOCKET, unix.SO_ERROR)
	switch {
	case err != nil:
		l.refuse(p, err)
	case e != 0:
		l.refuse(p, syscall.Errno(e))
	default:
		l.stands(p)
	}
}

// stands begins to relay.
func (l *loop) stands(p *pair) {
	if l.upstream != nil && l.itself(p.upstream.fd) {
		l.refuse(p, unix.ECONNREFUSED)
		return
	}
	p.connecting = false
	l.timers.clear(p)
	l.ask(&p.upstream)
	l.ask(&p.client)
}

// itself tells a socket that connected to itself: where nobody listens, the kernel may have chosen the upstream's
// port for our end.
func (l *loop) itself(fd int32) bool {
	have, err := unix.Getsockname(int(fd))
	if err != nil {
		return false
	}
	switch have := have.(type) {
	case *unix.SockaddrInet4:
		up, ok := l.upstream.(*unix.SockaddrInet4)
		return ok && up.Port == have.Port && up.Addr == have.Addr
	case *unix.SockaddrInet6:
		up, ok := l.upstream.(*unix.SockaddrInet6)
		return ok && up.Port == have.Port && up.Addr == have.Addr
	}
	return false
}

// lookUp connects to a name, which may take long, in a goroutine.
func (l *loop) lookUp(p *pair) {
	l.dials.Go(func() {
		d := net.Dialer{Timeout: l.cfg.DialTimeout}
		c, err := d.DialContext(l.ctx, "tcp", l.cfg.Upstream)
		fd := -1
		if err == nil {
			fd, err = duplicate(c.(*net.TCPConn))
			c.Close()
		}
		if !l.post(func() { l.lookedUp(p, fd, err) }) && fd >= 0 {
			unix.Close(fd)
		}
	})
}

func (l *loop) lookedUp(p *pair, fd int, err error) {
	if !p.connecting || p.closed {
		if fd >= 0 {
			unix.Close(fd)
		}
		return
	}
	defer l.rescue(p)
	if err != nil {
		l.refuse(p, err)
		return
	}
	l.number(&p.upstream, fd)
	l.stands(p)
}
