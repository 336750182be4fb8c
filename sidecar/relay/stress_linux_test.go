package relay_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// resident is this process's memory in bytes.
func resident(t *testing.T) (n int) {
	t.Helper()
	debug.FreeOSMemory()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(b), "VmRSS:")
	if _, err := fmt.Sscanf(after, "%d kB", &n); err != nil {
		t.Fatal(err)
	}
	return n << 10
}

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// sockets are plain descriptors: the ends of thousands of connections, at no cost in memory.
type sockets []int

func (s *sockets) connect(t *testing.T, addr string) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	*s = append(*s, fd)
	a, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: a.Port, Addr: [4]byte(a.IP.To4())}); err != nil {
		t.Fatal(err)
	}
	return fd
}

func (s *sockets) accept(t *testing.T, listener int) int {
	t.Helper()
	fd, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	*s = append(*s, fd)
	return fd
}

func (s *sockets) listen(t *testing.T) (listener int, addr string) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	*s = append(*s, fd)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	unix.Listen(fd, 1024)
	have, _ := unix.Getsockname(fd)
	return fd, fmt.Sprintf("127.0.0.1:%d", have.(*unix.SockaddrInet4).Port)
}

func (s *sockets) close() {
	for _, fd := range *s {
		unix.Close(fd)
	}
}

func say(t *testing.T, from, to int, message string) {
	t.Helper()
	if _, err := unix.Write(from, []byte(message)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, len(message))
	for n := 0; n < len(b); {
		m, err := unix.Read(to, b[n:])
		if err != nil || m == 0 {
			t.Fatalf("after %d of %d bytes: %d, %v", n, len(b), m, err)
		}
		n += m
	}
}

// Connections that wait, each after a request, cost next to nothing on the loop, and all of them still work.
func TestIdleConnections(t *testing.T) { each(t, testIdleConnections) }

func testIdleConnections(t *testing.T, portable bool) {
	var s sockets
	defer s.close()
	listener, upstream := s.listen(t)
	_, through := start(t, portable, upstream, nil, nil)
	type ends struct{ client, server int }
	open := func(n int) (list []ends) {
		for range n {
			e := ends{client: s.connect(t, through)}
			e.server = s.accept(t, listener)
			say(t, e.client, e.server, get)
			say(t, e.server, e.client, okAnswer)
			list = append(list, e)
		}
		return list
	}
	open(100) // what grows once has grown
	const n = 2000
	before := resident(t)
	list := open(n)
	each := (resident(t) - before) / n
	t.Logf("%d bytes resident for each connection", each)
	if limit := 1 << 10; !portable && !race && each > limit {
		t.Errorf("%d bytes resident for each idle connection, want at most %d", each, limit)
	}
	for _, e := range list {
		say(t, e.client, e.server, get)
		say(t, e.server, e.client, okAnswer)
	}
}

// Connections that come and go in any way leave nothing behind.
func TestChurn(t *testing.T) { each(t, testChurn) }

func testChurn(t *testing.T, portable bool) {
	up := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, "ok")
	})}
	l := listen(t)
	go up.Serve(l)
	defer up.Close()
	_, through := start(t, portable, l.Addr().String(), nil, nil)
	before := descriptors(t)
	r := rand.New(rand.NewPCG(1, 2))
	seconds := 2
	if testing.Short() {
		seconds = 1
	}
	for begun, i := time.Now(), 0; i < 1000*seconds; i++ {
		time.Sleep(time.Until(begun.Add(time.Duration(i) * time.Millisecond)))
		c, err := net.Dial("tcp", through)
		if err != nil {
			t.Fatal(err)
		}
		switch r.IntN(5) {
		case 0:
			c.(*net.TCPConn).SetLinger(0)
		case 1:
			io.WriteString(c, get[:r.IntN(len(get))])
		case 2:
			io.WriteString(c, get)
			c.(*net.TCPConn).SetLinger(0)
		case 3:
			io.WriteString(c, get)
			if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || resp.StatusCode != 200 {
				t.Fatal(resp, err)
			}
		}
		c.Close()
	}
	for until := time.Now().Add(5 * time.Second); descriptors(t) > before+2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("%d descriptors, %d before", descriptors(t), before)
		}
	}
}

// What a reader that sleeps has not taken yet stays with the writer, not in memory.
func TestSleepingReader(t *testing.T) { each(t, testSleepingReader) }

func testSleepingReader(t *testing.T, portable bool) {
	const size = 64 << 20
	l := listen(t)
	_, through := start(t, portable, l.Addr().String(), nil, nil)
	block := make([]byte, 64<<10)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		for range size / len(block) {
			if _, err := c.Write(block); err != nil {
				return
			}
		}
	}()
	before := resident(t)
	c, err := net.Dial("tcp", through)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	buf := make([]byte, 256<<10)
	got := 0
	for i := 0; ; i++ {
		n, err := c.Read(buf)
		if got += n; err != nil {
			break
		}
		if i%64 == 0 {
			time.Sleep(10 * time.Millisecond)
		}
		if i == 64 {
			if grown := resident(t) - before; grown > 8<<20 {
				t.Errorf("%d bytes more are resident", grown)
			}
		}
	}
	if got != size {
		t.Errorf("%d bytes, want %d", got, size)
	}
}

// Without descriptors clients wait in the backlog, the loop does not spin, and goes on when there are some again.
func TestNoDescriptors(t *testing.T) {
	var s sockets
	defer s.close()
	listener, upstream := s.listen(t)
	_, through := start(t, false, upstream, nil, nil)
	a := s.connect(t, through)
	say(t, a, s.accept(t, listener), get)

	waiting, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	s = append(s, waiting)
	addr, _ := net.ResolveTCPAddr("tcp", through)
	var limit unix.Rlimit
	unix.Getrlimit(unix.RLIMIT_NOFILE, &limit)
	none := limit
	none.Cur = 3
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	err = unix.Connect(waiting, &unix.SockaddrInet4{Port: addr.Port, Addr: [4]byte{127, 0, 0, 1}})
	spent := busyTime(func() { time.Sleep(300 * time.Millisecond) })
	unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
	if err != nil {
		t.Fatal(err)
	}
	if spent > 150*time.Millisecond {
		t.Errorf("%v of processor time while there was nothing to do", spent)
	}
	b := s.accept(t, listener)
	say(t, waiting, b, get)
	say(t, b, waiting, okAnswer)
}

// busyTime is the processor time that this process needs while f runs.
func busyTime(f func()) time.Duration {
	var before, after unix.Rusage
	unix.Getrusage(unix.RUSAGE_SELF, &before)
	f()
	unix.Getrusage(unix.RUSAGE_SELF, &after)
	return time.Duration(after.Utime.Nano() - before.Utime.Nano() + after.Stime.Nano() - before.Stime.Nano())
}
