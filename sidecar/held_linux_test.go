package sidecar_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"
)

// held are connections that are kept open.
type held []net.Conn

// open opens n connections, each with an answered request.
func open(t *testing.T, url string, n int) held {
	t.Helper()
	conns := make(held, n)
	for i := range conns {
		conns[i] = bare(t, url, "")
	}
	conns.ask(t)
	return conns
}

// ask sends a request on each connection, some at a time, and waits for the answers.
func (h held) ask(t *testing.T) {
	t.Helper()
	var wg sync.WaitGroup
	const at = 8
	for first := range at {
		wg.Go(func() {
			for i := first; i < len(h); i += at {
				if code, err := infer(h[i]); code != 200 {
					t.Errorf("connection %d: %d, %v", i, code, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func (h held) close() {
	for _, c := range h {
		c.Close()
	}
}

// infer sends a request and returns the status of its answer.
func infer(c net.Conn) (int, error) {
	c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(c, inferRequest); err != nil {
		return 0, err
	}
	resp, err := http.ReadResponse(bufio.NewReaderSize(c, 1<<10), nil)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// Without descriptors, who has a connection is served on; who has none waits until there are some again. (With
// goroutines, who got the last descriptor is told 502.)
func TestDescriptorsUsedUp(t *testing.T) { each(t, testDescriptorsUsedUp) }

func testDescriptorsUsedUp(t *testing.T, portable bool) {
	for _, limit := range []uint64{64, 65} { // so that the last one is a client's, or the upstream's
		up := obliging(t)
		s := spawn(t, asked{Upstream: up.URL, Portable: portable, Descriptors: limit})
		s.metrics()
		before := s.descriptors()
		first := open(t, s.traffic, 10)
		codes := make(chan int)
		const more = 60
		for range more {
			c := bare(t, s.traffic, "")
			go func() { code, _ := infer(c); codes <- code; c.Close() }()
		}
		spent := s.busy()
		time.Sleep(300 * time.Millisecond)
		if spent = s.busy() - spent; spent > 200*time.Millisecond {
			t.Errorf("%v of processor time while there was nothing to do", spent)
		}
		first.ask(t)
		first.close()
		count := map[int]int{}
		for range more {
			count[<-codes]++
		}
		if count[200] != more && !portable || count[200]+count[502] != more {
			t.Errorf("limit %d: answers by status %v, want %d of 200", limit, count, more)
		}
		s.eventually(map[string]float64{"leeway_requests_in_flight": 0})
		for until := time.Now().Add(5 * time.Second); s.descriptors() > before; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(until) {
				t.Fatalf("%d descriptors, %d before", s.descriptors(), before)
			}
		}
	}
}

// busy is the processor time that the child has had.
func (s *spawned) busy() (d time.Duration) {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", s.pid))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, task := range tasks {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/schedstat", s.pid, task.Name()))
		var ns int64
		fmt.Sscan(string(b), &ns)
		d += time.Duration(ns)
	}
	return d
}
