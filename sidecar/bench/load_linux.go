package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// line is one connection.
type line struct {
	client
	asked   time.Time // when the request was due
	pending []byte    // what the socket did not take yet
}

// load is one thread that keeps connections busy.
type load struct {
	*poller
	traffic
	open     []int
	lines    []line // by descriptor
	free     []int  // descriptors without a request, the longest waiting first, where perS is given
	asks     int    // requests so far
	answers  int
	buf, out []byte
	begun    time.Time
	due      time.Time // of the next request
	warm     int       // first answers, which are not counted: they set everything up
	over     bool      // nothing more is asked
	took     []int32
}

// run loads addr for a time that begins when all connections are set up, and until each has been answered once more, or
// until ctx ends.
func (t traffic) run(ctx context.Context, addr string, length time.Duration) (r result, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	l := &load{traffic: t, warm: t.connections, took: make([]int32, 0, 1<<20)}
	l.buf, l.out = make([]byte, 64<<10), make([]byte, 0, 1<<20)
	if l.poller, err = newPoller(); err != nil {
		return r, err
	}
	defer l.close()
	if err := l.connect(addr); err != nil {
		return r, err
	}
	if err := l.until(func(now time.Time) bool {
		return l.warm == 0 && now.Sub(l.begun) >= length && len(l.took) >= l.connections || ctx.Err() != nil
	}); err != nil {
		return r, err
	}
	r.perS = float64(len(l.took)) / time.Since(l.begun).Seconds()
	l.over = true
	if err := l.until(func(time.Time) bool { return l.answers == l.asks || ctx.Err() != nil }); err != nil {
		return r, err
	}
	if r.n, r.asked = len(l.took), l.asks; r.n == 0 {
		return r, errNoAnswers
	}
	slices.Sort(l.took)
	r.p50, r.p99 = float64(l.took[r.n/2])/1000, float64(l.took[r.n*99/100])/1000
	return r, nil
}

var errNoAnswers = errors.New("no answers")

func (l *load) connect(addr string) error {
	for range l.connections {
		fd, err := dial(addr)
		if err != nil {
			return err
		}
		l.open = append(l.open, fd)
		for len(l.lines) <= fd {
			l.lines = append(l.lines, line{})
		}
		l.lines[fd].client = l.client()
		if err := l.add(fd, unix.EPOLLIN|unix.EPOLLOUT|unix.EPOLLET); err != nil {
			return err
		}
	}
	l.begun = time.Now()
	for _, fd := range l.open {
		if err := l.send(fd, l.lines[fd].open(l.out[:0])); err != nil {
			return err
		}
		if err := l.ask(fd, l.begun); err != nil {
			return err
		}
	}
	return nil
}

// close resets connections: of those that end in order, too many would be remembered for a minute.
func (l *load) close() {
	for _, fd := range l.open {
		unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		unix.Close(fd)
	}
	unix.Close(l.fd)
}

// until waits, reads and asks until it is done.
func (l *load) until(done func(now time.Time) bool) error {
	last := time.Now()
	for now := last; !done(now); now = time.Now() {
		events := l.wait(l.patience(now))
		if len(events) > 0 {
			last = time.Now()
		} else if now.Sub(last) > 5*time.Second {
			return errNoAnswers
		}
		for _, ev := range events {
			if err := l.turn(int(ev.Fd)); err != nil {
				return err
			}
		}
		if err := l.start(); err != nil {
			return err
		}
	}
	return nil
}

// patience is how long nothing but an answer can happen.
func (l *load) patience(now time.Time) time.Duration {
	if len(l.free) == 0 || l.warm > 0 || l.over {
		return longest
	}
	return l.due.Sub(now)
}

// start asks what is due.
func (l *load) start() error {
	if l.perS == 0 || l.warm > 0 || l.over {
		return nil
	}
	n := 0
	for now := time.Now(); n < len(l.free) && !l.due.After(now); n++ {
		if err := l.ask(l.free[n], l.due); err != nil {
			return err
		}
		l.due = l.due.Add(time.Duration(1e9 / l.perS))
	}
	l.free = l.free[:copy(l.free, l.free[n:])]
	return nil
}

func (l *load) ask(fd int, due time.Time) error {
	l.lines[fd].asked = due
	request := l.requests[l.asks%len(l.requests)]
	l.asks++
	return l.send(fd, l.lines[fd].ask(l.out[:0], request))
}

// send keeps a copy of what the socket does not take.
func (l *load) send(fd int, b []byte) error {
	c := &l.lines[fd]
	if len(c.pending) == 0 && len(b) > 0 {
		n, e := write(fd, b)
		if e != 0 {
			return fmt.Errorf("write: %w", e)
		}
		b = b[n:]
	}
	c.pending = append(c.pending, b...)
	return nil
}

// turn does what a connection is ready for. The poller tells of it once, so all of it has to be done.
func (l *load) turn(fd int) error {
	c := &l.lines[fd]
	if len(c.pending) > 0 {
		n, e := write(fd, c.pending)
		if e != 0 {
			return fmt.Errorf("write: %w", e)
		}
		c.pending = c.pending[:copy(c.pending, c.pending[n:])]
	}
	for n := len(l.buf); n == len(l.buf); {
		var e syscall.Errno
		if n, e = read(fd, l.buf); e == unix.EAGAIN {
			return nil
		} else if e != 0 || n == 0 {
			return fmt.Errorf("read: %d, %w", n, e)
		}
		out, whole, err := c.take(l.buf[:n], l.out[:0])
		if err == nil {
			err = l.send(fd, out)
		}
		if err == nil && whole {
			err = l.answered(fd)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// answered counts an answer, and asks again where nothing says when.
func (l *load) answered(fd int) error {
	now := time.Now()
	l.answers++
	switch {
	case l.over:
		return nil
	case l.warm > 0:
		if l.warm--; l.warm == 0 {
			l.begun, l.due = now, now
		}
	case len(l.took) < cap(l.took):
		l.took = append(l.took, int32(min(now.Sub(l.lines[fd].asked), 2*time.Second)))
	}
	if l.perS > 0 {
		l.free = append(l.free, fd)
		return nil
	}
	return l.ask(fd, now)
}
