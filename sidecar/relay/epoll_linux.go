package relay

import (
	"errors"
	"os"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// poll asks epoll what is ready, without waiting.
func (l *loop) poll() {
	n, e := epollPoll(l.ep, l.events)
	if e == unix.EINTR {
		n, e = 0, 0
	}
	l.ready, l.fault = max(n, 0), e
}

// park waits until something is ready or a time has come. Its callback asks before Go's poller waits, so it misses
// nothing.
func (l *loop) park() error {
	l.arm()
	err := l.raw.Read(l.look)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		l.ready, l.deadline = 0, 0
		return nil
	}
	return err
}

func (l *loop) look(uintptr) bool {
	l.poll()
	return l.ready > 0 || l.fault != 0
}

// arm sets when park is to end. A time that is too early is left alone: it costs one needless turn.
func (l *loop) arm() {
	due := int64(never)
	if len(l.timers) > 0 {
		due = l.timers[0].due
	}
	for _, at := range []int64{l.acceptAt, l.workAt} {
		if at > 0 {
			due = min(due, at)
		}
	}
	if l.deadline > 0 && l.deadline <= due {
		return
	}
	at := time.Time{}
	if due != never {
		at = l.start.Add(time.Duration(due))
	}
	l.file.SetReadDeadline(at)
	l.deadline = due
}

// ask tells epoll what to look for at s: bytes while its peer takes them, a reset while it does not, and room while
// some are held back. It may end the pair, so it comes last.
func (l *loop) ask(s *side) {
	p, d := s.pair, s.peer()
	var want uint32
	switch {
	case s.fd < 0:
		return
	case p.connecting:
		if !s.client {
			want = unix.EPOLLOUT
		}
	case p.refused != nil:
		want = unix.EPOLLIN
	default:
		switch {
		case s.ended || d.broken:
		case len(d.pending) == 0:
			want = unix.EPOLLIN
		case !s.broken: // else it would be told of for ever
			want = unix.EPOLLERR
		}
		if len(s.pending) > 0 {
			want |= unix.EPOLLOUT
		}
	}
	if want == unix.EPOLLIN && p.refused == nil {
		want = reading
	}
	if want != s.asked {
		l.tell(s, want)
	}
}

// reading is asked for where there is nothing to do but to read. Epoll then tells of bytes once (EPOLLET), and need not
// look at the socket a second time only to find that they have been read; see more.
const reading = unix.EPOLLIN | unix.EPOLLPRI | unix.EPOLLRDHUP | unix.EPOLLET

// more reports whether a read of n bytes, of at most size, may have left something that epoll does not tell of again: it
// ends where the buffer does, or before an urgent byte; and an end or a reset may have come with what was read.
func more(events uint32, n, size int) bool {
	const end = unix.EPOLLPRI | unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR
	return n == size || n > 0 && events&end != 0
}

// again has epoll tell of s once more, if there is something to read, behind others whose turn it is.
func (l *loop) again(s *side) {
	if s.asked == reading {
		l.tell(s, reading)
	}
}

// tell has epoll look for something else at s. It may end the pair.
func (l *loop) tell(s *side, want uint32) {
	op := unix.EPOLL_CTL_MOD
	switch {
	case s.asked == 0:
		op = unix.EPOLL_CTL_ADD
	case want == 0:
		op = unix.EPOLL_CTL_DEL
	}
	s.asked = want
	ev := unix.EpollEvent{Events: want, Fd: s.fd, Pad: int32(s.gen)}
	if err := unix.EpollCtl(l.ep, op, int(s.fd), &ev); err != nil {
		l.cfg.Log.Error("epoll does not take a connection, it is reset", zap.Error(err))
		l.end(s.pair, true)
	}
}

// number keeps a side under its descriptor.
func (l *loop) number(s *side, fd int) {
	for len(l.sides) <= fd {
		l.sides = append(l.sides, make([]*side, max(64, len(l.sides)))...)
	}
	l.gen++
	s.fd, s.gen = int32(fd), l.gen
	l.sides[fd] = s
}

// find returns whom an event is for; nil: a socket that was closed, whose number may have been given out again.
func (l *loop) find(fd, gen int32) *side {
	if int(fd) < len(l.sides) {
		if s := l.sides[fd]; s != nil && int32(s.gen) == gen {
			return s
		}
	}
	return nil
}
