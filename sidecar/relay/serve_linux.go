package relay

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

func (l *loop) serve(listener net.Listener) error {
	err := l.take(listener)
	listener.Close()
	if err == nil {
		err = l.run()
	}
	l.leave()
	return err
}

// take sets everything up; leave undoes it, also when take fails half way.
func (l *loop) take(listener net.Listener) error {
	t, ok := listener.(*net.TCPListener)
	if !ok {
		return errNotTCP
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return nil
	}
	fd, err := duplicate(t)
	if err != nil {
		return fmt.Errorf("relay: listener: %w", err)
	}
	l.listener = int32(fd)
	tune(fd) // accepted sockets inherit it
	if l.ep, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("relay: epoll: %w", err)
	}
	unix.SetNonblock(l.ep, true) // says to os.NewFile that it can wait in Go's poller
	l.file = os.NewFile(uintptr(l.ep), "epoll")
	if l.raw, err = l.file.SyscallConn(); err != nil || l.file.SetReadDeadline(time.Time{}) != nil {
		return errPoller
	}
	if l.wake, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return fmt.Errorf("relay: eventfd: %w", err)
	}
	l.running = true
	for _, fd := range []int{fd, l.wake} {
		ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
		if err := unix.EpollCtl(l.ep, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
			return fmt.Errorf("relay: epoll: %w", err)
		}
	}
	l.events = make([]unix.EpollEvent, eventsAtOnce)
	l.scratch = l.buffers.take()
	return nil
}

func (l *loop) leave() {
	l.cancel()
	l.each(func(p *pair) { l.end(p, true) })
	l.unlisten()
	l.mu.Lock()
	if l.running {
		unix.Close(l.wake)
	}
	l.running, l.stopped = false, true
	l.mu.Unlock()
	l.answer() // whoever asked meanwhile
	l.dials.Wait()
	if l.file != nil {
		l.file.Close()
	}
}

var errPoller = errors.New("relay: epoll cannot wait in Go's poller")
