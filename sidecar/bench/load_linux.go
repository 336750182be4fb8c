package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The ends are as cheap as they can be made, so that the proxies are what is measured: one thread each, in plain
// system calls, with everything allocated beforehand.

type poller struct {
	fd     int
	events [512]unix.EpollEvent
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	return &poller{fd: fd}, err
}

func (p *poller) add(fd int) error {
	return unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
}

// wait waits up to 50 ms in the kernel, without telling the scheduler, which would be slower than what is to be
// measured.
func (p *poller) wait() []unix.EpollEvent {
	n, _, e := unix.RawSyscall6(
		unix.SYS_EPOLL_PWAIT, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events)), uintptr(len(p.events)), 50, 0, 0)
	if e != 0 {
		return nil
	}
	return p.events[:n]
}

func read(fd int, b []byte) (int, syscall.Errno) {
	n, _, e := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	return int(n), e
}

func write(fd int, b []byte) (int, syscall.Errno) {
	n, _, e := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	return int(n), e
}

// message counts how much of a message is still due. Its head must come in one piece.
type message struct{ due int }

var errHead = errors.New("a head that is in pieces or has no length")

// take is shown b and reports whether the message is whole.
func (m *message) take(b []byte) (bool, error) {
	if m.due == 0 {
		end := bytes.Index(b, []byte("\r\n\r\n"))
		if end < 0 {
			return false, errHead
		}
		i := bytes.Index(b[:end], []byte("Content-Length: "))
		if i < 0 {
			return false, errHead
		}
		digits := b[i+len("Content-Length: ") : end+2]
		n, err := strconv.Atoi(unsafe.String(&digits[0], bytes.IndexByte(digits, '\r')))
		if err != nil {
			return false, err
		}
		m.due = end + 4 + n
	}
	m.due -= len(b)
	return m.due == 0, nil
}

// result of a load, latencies in µs.
type result struct {
	p50, p99, perS float64
	n              int
}

// client is one connection of the load.
type client struct {
	sent   time.Time
	answer message
}

// load keeps connections busy with one request after the other.
type load struct {
	*poller
	request []byte
	open    []int
	clients []client // by descriptor
	buf     []byte
	begun   time.Time
	warm    int // first answers, which are not counted: they set everything up
	took    []int32
}

// run loads addr for a time.
func run(addr string, connections int, request []byte, length time.Duration) (r result, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	l := &load{request: request, warm: connections, buf: make([]byte, 64<<10), took: make([]int32, 0, 1<<20)}
	l.clients = make([]client, 4096+2*connections)
	if l.poller, err = newPoller(); err != nil {
		return r, err
	}
	defer l.close()
	if err := l.connect(addr, connections); err != nil {
		return r, err
	}
	l.begun = time.Now()
	for _, fd := range l.open {
		if err := l.ask(fd, l.begun); err != nil {
			return r, err
		}
	}
	last := l.begun
	for now := l.begun; now.Sub(l.begun) < length; now = time.Now() {
		events := l.wait()
		if len(events) > 0 {
			last = now
		} else if now.Sub(last) > 5*time.Second {
			return r, errors.New("no answers")
		}
		for _, ev := range events {
			if err := l.answered(int(ev.Fd)); err != nil {
				return r, err
			}
		}
	}
	if r.n = len(l.took); r.n == 0 {
		return r, errors.New("no answers")
	}
	r.perS = float64(r.n) / time.Since(l.begun).Seconds()
	slices.Sort(l.took)
	r.p50, r.p99 = float64(l.took[r.n/2])/1000, float64(l.took[r.n*99/100])/1000
	return r, nil
}

func (l *load) connect(addr string, connections int) error {
	at, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return err
	}
	for range connections {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		l.open = append(l.open, fd)
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		if err := unix.Connect(fd, &unix.SockaddrInet4{Port: at.Port, Addr: [4]byte(at.IP.To4())}); err != nil {
			return err
		}
		if err := l.add(fd); err != nil {
			return err
		}
	}
	return nil
}

func (l *load) close() {
	for _, fd := range l.open {
		unix.Close(fd)
	}
	unix.Close(l.fd)
}

// ask sends a request. The socket blocks: what does not fit waits for the proxy to read.
func (l *load) ask(fd int, at time.Time) error {
	l.clients[fd].sent = at
	if n, e := write(fd, l.request); e != 0 || n < len(l.request) {
		return fmt.Errorf("write: %d, %w", n, e)
	}
	return nil
}

// answered reads from a connection, and asks again when its answer is whole.
func (l *load) answered(fd int) error {
	n, e := read(fd, l.buf)
	if e != 0 || n == 0 {
		return fmt.Errorf("read: %d, %w", n, e)
	}
	c := &l.clients[fd]
	if whole, err := c.answer.take(l.buf[:n]); err != nil {
		return fmt.Errorf("%w: %.100q", err, l.buf[:n])
	} else if !whole {
		return nil
	}
	now := time.Now()
	switch {
	case l.warm > 0:
		if l.warm--; l.warm == 0 {
			l.begun = now
		}
	case len(l.took) < cap(l.took):
		l.took = append(l.took, int32(min(now.Sub(c.sent), time.Second)))
	}
	return l.ask(fd, now)
}
