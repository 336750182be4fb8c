package main

import (
	"bytes"
	"fmt"
	"net"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// server is the upstream's end of a connection.
type server interface {
	// take is shown what came, calls asked with each request that is whole, and appends what the protocol itself has to say.
	take(b, out []byte, asked func(stream uint32)) ([]byte, error)
	answer(out []byte, stream uint32) []byte
}

// upstream is a model server that takes a fixed time for every request, whatever it is.
type upstream struct {
	*poller
	listener int
	busy     time.Duration // processor time of a request
	sleep    time.Duration // time until it is answered, with nothing done meanwhile
	servers  []server      // by descriptor
	answers  *answer2
	waiting  []waiting // in the order that they are due
	buf, out []byte
}

// waiting is a request that is being slept over.
type waiting struct {
	due    time.Time
	fd     int
	server server // whose descriptor may be another's by then
	stream uint32
}

// fast is the pace of an upstream that answers at once.
const fast = "fast"

// pace reads "fast", "busy:1ms" or "sleep:1ms".
func (u *upstream) pace(text string) (err error) {
	kind, length, _ := strings.Cut(text, ":")
	switch kind {
	case fast:
	case "busy":
		u.busy, err = time.ParseDuration(length)
	case "sleep":
		u.sleep, err = time.ParseDuration(length)
	default:
		err = fmt.Errorf("upstream %q: want fast, busy:1ms or sleep:1ms", text)
	}
	return err
}

// serve is the part of this program that is the upstream.
func serve(pace string) error {
	u := &upstream{answers: newAnswer2(), buf: make([]byte, 64<<10), servers: make([]server, descriptors())}
	if err := u.pace(pace); err != nil {
		return err
	}
	runtime.LockOSThread()
	debug.SetGCPercent(-1)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	raw, err := l.(*net.TCPListener).SyscallConn()
	if err != nil {
		return err
	}
	if u.poller, err = newPoller(); err != nil {
		return err
	}
	raw.Control(func(fd uintptr) { u.listener = int(fd) })
	if err := u.add(u.listener, unix.EPOLLIN); err != nil {
		return err
	}
	fmt.Println(l.Addr())
	for {
		for _, ev := range u.wait(u.next()) {
			if int(ev.Fd) == u.listener {
				u.accept()
			} else if err := u.turn(int(ev.Fd)); err != nil {
				return err
			}
		}
		u.wake()
	}
}

func (u *upstream) accept() {
	fd, _, err := unix.Accept4(u.listener, unix.SOCK_CLOEXEC)
	if err != nil {
		return
	}
	unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	u.servers[fd] = nil
	u.add(fd, unix.EPOLLIN)
}

// turn reads from a connection and answers, now or later.
func (u *upstream) turn(fd int) error {
	n, e := read(fd, u.buf)
	if n <= 0 || e != 0 {
		unix.Close(fd)
		u.servers[fd] = nil
		return nil
	}
	s := u.servers[fd]
	if s == nil {
		s = &server1{}
		if bytes.HasPrefix(u.buf[:n], []byte("PRI ")) {
			s = newServer2(u.answers)
		}
		u.servers[fd] = s
	}
	first := len(u.waiting)
	out, err := s.take(u.buf[:n], u.out[:0], func(stream uint32) {
		u.waiting = append(u.waiting, waiting{fd: fd, server: s, stream: stream})
	})
	if err != nil {
		return err
	}
	if u.sleep == 0 {
		for _, w := range u.waiting[first:] {
			burn(u.busy)
			out = s.answer(out, w.stream)
		}
		u.waiting = u.waiting[:first]
	}
	for i := range u.waiting[first:] {
		u.waiting[first+i].due = time.Now().Add(u.sleep)
	}
	if len(out) > 0 {
		write(fd, out)
	}
	u.out = out
	return nil
}

// next is how long until an answer is due.
func (u *upstream) next() time.Duration {
	if len(u.waiting) == 0 {
		return longest
	}
	return time.Until(u.waiting[0].due)
}

// wake answers what is due.
func (u *upstream) wake() {
	n := 0
	for now := time.Now(); n < len(u.waiting) && !u.waiting[n].due.After(now); n++ {
		if w := &u.waiting[n]; u.servers[w.fd] == w.server {
			u.out = w.server.answer(u.out[:0], w.stream)
			write(w.fd, u.out)
		}
	}
	u.waiting = u.waiting[:copy(u.waiting, u.waiting[n:])]
}

// burn takes processor time of this thread.
func burn(d time.Duration) {
	var t unix.Timespec
	if d == 0 || unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) != nil {
		return
	}
	for end := t.Nano() + int64(d); t.Nano() < end; {
		unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t)
	}
}
