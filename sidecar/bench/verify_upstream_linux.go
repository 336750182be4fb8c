package main

import (
	"bytes"
	"fmt"
	"net"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// numberedUpstream answers numbered requests, and one that is not what its number says with 400.
func numberedUpstream() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	listener, err := l.(*net.TCPListener).File()
	if err != nil {
		return err
	}
	p, err := newPoller()
	if err != nil {
		return err
	}
	if err := p.add(int(listener.Fd()), unix.EPOLLIN); err != nil {
		return err
	}
	fmt.Println(l.Addr())
	runtime.LockOSThread()
	u := numberedServer{numbered: newNumbered(), came: make([][]byte, 8192), buf: make([]byte, 64<<10)}
	for {
		for _, ev := range p.wait(time.Second) {
			fd := int(ev.Fd)
			if fd != int(listener.Fd()) {
				u.serve(fd)
				continue
			}
			if fd, _, err := unix.Accept4(fd, unix.SOCK_CLOEXEC); err == nil {
				unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
				u.came[fd] = u.came[fd][:0]
				p.add(fd, unix.EPOLLIN)
			}
		}
	}
}

// numberedServer is the server's side of all connections.
type numberedServer struct {
	*numbered
	came             [][]byte // of the request under way, by descriptor
	buf, want, reply []byte
}

// serve reads from a connection, and answers when the request is whole.
func (u *numberedServer) serve(fd int) {
	n, e := read(fd, u.buf)
	if n <= 0 || e != 0 {
		unix.Close(fd)
		return
	}
	u.came[fd] = append(u.came[fd], u.buf[:n]...)
	number, ok := u.number(u.came[fd])
	if u.want = u.request(u.want, number); !ok || len(u.came[fd]) < len(u.want) {
		return
	}
	u.reply = u.answer(u.reply, number)
	if !bytes.Equal(u.came[fd], u.want) {
		u.reply = append(u.reply[:0], "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"...)
	}
	u.came[fd] = u.came[fd][:0]
	write(fd, u.reply)
}
