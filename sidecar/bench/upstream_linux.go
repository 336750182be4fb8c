package main

import (
	"fmt"
	"net"
	"runtime"
	"runtime/debug"

	"golang.org/x/sys/unix"
)

const answer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 84\r\n\r\n" +
	`{"model_name":"m","outputs":[{"name":"y","shape":[1],"datatype":"FP64","data":[7]}]}`

// upstream answers every request, whatever it is.
func upstream() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	raw, err := l.(*net.TCPListener).SyscallConn()
	if err != nil {
		return err
	}
	p, err := newPoller()
	if err != nil {
		return err
	}
	var listener int
	raw.Control(func(fd uintptr) { listener = int(fd) })
	if err := p.add(listener); err != nil {
		return err
	}
	fmt.Println(l.Addr())
	runtime.LockOSThread()
	debug.SetGCPercent(-1)
	requests := make([]message, 8192)
	buf, reply := make([]byte, 64<<10), []byte(answer)
	for {
		for _, ev := range p.wait() {
			if int(ev.Fd) == listener {
				if fd, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC); err == nil {
					unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
					requests[fd] = message{}
					p.add(fd)
				}
				continue
			}
			n, e := read(int(ev.Fd), buf)
			if n <= 0 || e != 0 {
				unix.Close(int(ev.Fd))
				continue
			}
			if whole, err := requests[ev.Fd].take(buf[:n]); err != nil {
				return err
			} else if whole {
				write(int(ev.Fd), reply)
			}
		}
	}
}
