package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"
)

// verify sends numbered requests through a sidecar that observes them, compares every byte of every answer, and says
// how many failed or were changed. The upstream compares every byte of every request.
func verify(arg []string) error {
	flags := flag.NewFlagSet("verify", flag.ExitOnError)
	requests := flags.Uint64("requests", 1_000_000, "requests")
	connections := flags.Int("connections", 64, "connections; every second one is opened anew now and then")
	through := flags.String("through", "loop-observed", "what they go through; goroutines-observed")
	flags.Parse(arg)
	var undo stops
	defer undo.all()
	up, upstream, err := self("numbered-upstream")
	if err != nil {
		return err
	}
	undo.add(up.stop)
	t, err := proxyTarget(*through, upstream, &undo)
	if err != nil {
		return err
	}
	debug.SetGCPercent(400)
	v := &verifier{numbered: newNumbered(), requests: *requests, buf: make([]byte, 64<<10)}
	if v.poller, err = newPoller(); err != nil {
		return err
	}
	defer unix.Close(v.fd)
	begun := time.Now()
	if err := v.run(t.addr[http1], *connections); err != nil {
		return err
	}
	took := time.Since(begun)
	time.Sleep(time.Second) // what is queued is parsed
	seen, dropped := t.captures()
	fmt.Printf("%d requests through %s in %v, %.0f a second, on %d connections, %d opened: %d failed, %d changed; %.0f observed, %.0f not for want of time\n",
		v.done, t.name, took.Round(time.Second), float64(v.done)/took.Seconds(), *connections, v.opened, v.failed, v.changed, seen, dropped)
	if v.failed+v.changed > 0 {
		return errors.New("not every request came through as it was")
	}
	return nil
}

// verifier keeps connections busy with numbered requests.
type verifier struct {
	*poller
	*numbered
	addr     unix.SockaddrInet4
	buf, out []byte
	talks    []talk // by descriptor
	open     int

	requests, sent, done    uint64
	opened, failed, changed int
}

// talk is one connection.
type talk struct {
	want []byte // the answer that is due
	got  int    // bytes of it that have come
	left uint64 // requests until the connection is opened anew
}

const stalled = 20 * time.Second

func (v *verifier) run(addr string, connections int) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	at, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return err
	}
	v.addr = unix.SockaddrInet4{Port: at.Port, Addr: [4]byte(at.IP.To4())}
	v.talks = make([]talk, 1024+2*connections)
	for i := range connections {
		left := v.requests
		if i%2 == 1 {
			left = v.lifetime()
		}
		if err := v.connect(left); err != nil {
			return err
		}
	}
	for last := time.Now(); v.open > 0; {
		events := v.wait(time.Second)
		if len(events) > 0 {
			last = time.Now()
		} else if time.Since(last) > stalled {
			return fmt.Errorf("no answer for %v, %d have come", stalled, v.done)
		}
		for _, ev := range events {
			if err := v.answered(int(ev.Fd)); err != nil {
				return err
			}
		}
	}
	return nil
}

// lifetime is how many requests a connection lives that is opened anew.
func (v *verifier) lifetime() uint64 { return 1 + v.sent*v.sent%1000 }

// connect opens a connection for so many requests, while there are some to be sent.
func (v *verifier) connect(left uint64) error {
	if v.sent == v.requests {
		return nil
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	if err := unix.Connect(fd, &v.addr); err != nil {
		return err
	}
	v.open++
	v.opened++
	v.talks[fd].left = left
	if err := v.add(fd, unix.EPOLLIN); err != nil {
		return err
	}
	return v.ask(fd)
}

// ask sends the next request. A write that fails is told of by the read that follows.
func (v *verifier) ask(fd int) error {
	t := &v.talks[fd]
	if v.sent == v.requests || t.left == 0 {
		unix.Close(fd)
		v.open--
		return v.connect(v.lifetime())
	}
	v.out = v.request(v.out, v.sent)
	t.want, t.got = v.answer(t.want, v.sent), 0
	t.left--
	v.sent++
	write(fd, v.out)
	return nil
}

// answered reads from a connection and compares.
func (v *verifier) answered(fd int) error {
	t := &v.talks[fd]
	n, e := read(fd, v.buf)
	switch {
	case e != 0 || n == 0:
		v.failed++
		fmt.Fprintf(os.Stderr, "failed: %d bytes of %d, then %d, %v\n", t.got, len(t.want), n, e)
	case n > len(t.want)-t.got || !bytes.Equal(v.buf[:n], t.want[t.got:t.got+n]):
		v.changed++
		fmt.Fprintf(os.Stderr, "changed: %.200q, want %.200q\n", v.buf[:n], t.want[t.got:])
	default:
		if t.got += n; t.got == len(t.want) {
			v.done++
			return v.ask(fd)
		}
		return nil
	}
	if v.failed+v.changed >= 100 {
		return fmt.Errorf("%d failed, %d changed", v.failed, v.changed)
	}
	t.left = 0
	return v.ask(fd)
}
