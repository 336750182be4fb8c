package sidecar_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/sidecar"
)

// Whatever one client or the server does wrong, others are answered, and nothing is left of it: no request in flight,
// no descriptor, no captured byte.
func TestFaults(t *testing.T) { each(t, testFaults) }

func testFaults(t *testing.T, portable bool) {
	for _, c := range []struct {
		name     string
		do       func(t *testing.T, r *running)
		loopOnly bool // a goroutine that writes does not notice that whose bytes they are has gone
		kept     int  // descriptors that the server does not give back
	}{
		{name: "clients that send a byte a second", do: slowClients},
		{name: "client that stops reading", do: deafClient},
		{name: "server that never answers", do: mutedServer},
		{name: "server that accepts and stalls", do: stalledServer},
		{name: "server that stalls, and clients that leave it", do: leftServer, loopOnly: true, kept: stalledClients},
		{name: "client resets at every byte", do: clientResets},
		{name: "server resets at every byte of a body", do: serverDrops},
		{name: "server resets at every byte of its answer", do: serverResets},
		{name: "a thousand connections a second", do: churn},
	} {
		t.Run(c.name, func(t *testing.T) {
			if portable && c.loopOnly {
				t.Skip("on the loop only")
			}
			r := start(t, sidecar.Config{Portable: portable, Upstream: obliging(t).URL, SampleRatio: 1, Profile: trained(t, 0)})
			r.metrics()
			before := descriptors(t, os.Getpid())
			stop := bystander(t, r.traffic)
			c.do(t, r)
			stop()
			r.eventually(map[string]float64{"leeway_requests_in_flight": 0})
			for until := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
				now, released := descriptors(t, os.Getpid()), r.sidecar.Released()
				if now <= before+c.kept && released {
					break
				}
				if time.Now().After(until) {
					t.Fatalf("%d descriptors, %d before; captures released: %v", now, before, released)
				}
			}
		})
	}
}

// inferRequest is a request with a body of 80 bytes.
var inferRequest = "POST /v2/models/m/infer HTTP/1.1\r\nHost: m\r\nContent-Type: application/json\r\nContent-Length: 80\r\n\r\n" +
	fmt.Sprintf("%-80s", v2(`1,2,"x"`))

func slowClients(t *testing.T, r *running) {
	conns := make([]net.Conn, 200)
	for i := range conns {
		conns[i] = bare(t, r.traffic, inferRequest[:i%len(inferRequest)])
		defer conns[i].Close()
	}
	for second := range 3 {
		time.Sleep(time.Second)
		for i, c := range conns {
			at := i%len(inferRequest) + second
			if at < len(inferRequest) {
				c.Write([]byte{inferRequest[at]})
			}
		}
	}
}

func deafClient(t *testing.T, r *running) {
	c := bare(t, r.traffic, "GET /bytes?n=1000000000 HTTP/1.1\r\nHost: m\r\n\r\n")
	defer c.Close()
	time.Sleep(500 * time.Millisecond)
	if n, err := io.CopyN(io.Discard, c, 64<<20); err != nil {
		t.Errorf("when it read on it got %d bytes, %v", n, err)
	}
}

func mutedServer(t *testing.T, r *running) {
	for range 50 {
		c := bare(t, r.traffic, "GET /never HTTP/1.1\r\nHost: m\r\n\r\n")
		defer c.Close()
	}
	time.Sleep(300 * time.Millisecond)
}

// stalledClients are how many a server stalls that does.
const stalledClients = 20

func stalledServer(t *testing.T, r *running) { stall(t, r, 500*time.Millisecond, time.Second) }
func leftServer(t *testing.T, r *running)    { stall(t, r, time.Hour, 0) }

// stall has a server stall for a time, with clients that have sent all that is taken, and leave after a time.
func stall(t *testing.T, r *running, server, client time.Duration) {
	for range stalledClients {
		c := bare(t, r.traffic, fmt.Sprintf(
			"POST /stall?n=%d HTTP/1.1\r\nHost: m\r\nContent-Length: 1000000000\r\n\r\n", server.Milliseconds()))
		defer c.Close()
		c.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
		for block := make([]byte, 1<<20); ; {
			if _, err := c.Write(block); err != nil {
				break
			}
		}
		c.SetLinger(0)
	}
	time.Sleep(client)
}

func clientResets(t *testing.T, r *running) {
	for at := range len(inferRequest) {
		c := bare(t, r.traffic, inferRequest[:at])
		c.SetLinger(0)
		c.Close()
	}
	whole := bare(t, r.traffic, inferRequest)
	defer whole.Close()
	answer, err := whole.Read(make([]byte, 4<<10)) // it is short, and written at once
	if err != nil {
		t.Fatal(err)
	}
	for at := range answer {
		c := bare(t, r.traffic, inferRequest)
		if _, err := io.ReadFull(c, make([]byte, at)); err != nil {
			t.Errorf("%v before byte %d of the answer", err, at)
		}
		c.SetLinger(0)
		c.Close()
	}
}

func serverDrops(t *testing.T, r *running) {
	head, body, _ := strings.Cut(inferRequest, "\r\n\r\n")
	for at := range len(body) {
		head := strings.Replace(head, "/v2/models/m/infer", fmt.Sprintf("/drop?n=%d", at), 1)
		c := bare(t, r.traffic, head+"\r\n\r\n"+body)
		if b, err := io.ReadAll(c); len(b) > 0 || err == nil {
			t.Errorf("dropped after %d bytes: the client saw %q, %v, want a reset", at, b, err)
		}
		c.Close()
	}
}

func serverResets(t *testing.T, r *running) {
	for at := range len(cutAnswer) {
		c := bare(t, r.traffic, fmt.Sprintf("POST /cut?n=%d HTTP/1.1\r\nHost: m\r\nContent-Length: 2\r\n\r\n{}", at))
		b, err := io.ReadAll(c)
		if err == nil || !strings.HasPrefix(cutAnswer, string(b)) || len(b) > at {
			t.Errorf("cut after %d bytes: the client saw %q, %v, want no more than these and a reset", at, b, err)
		}
		c.Close()
	}
}

func churn(t *testing.T, r *running) {
	random, begun := rand.New(rand.NewPCG(1, 2)), time.Now()
	for i := range 2000 {
		time.Sleep(time.Until(begun.Add(time.Duration(i) * time.Millisecond)))
		c := bare(t, r.traffic, inferRequest[:random.IntN(len(inferRequest)+1)])
		if random.IntN(2) == 0 {
			c.SetLinger(0)
		}
		c.Close()
	}
}

// An upstream that is away is answered for with 502, and found again as soon as it is back.
func TestUpstreamRestarts(t *testing.T) { each(t, testUpstreamRestarts) }

func testUpstreamRestarts(t *testing.T, portable bool) {
	up := obliging(t)
	front := &http.Server{Handler: up.Config.Handler}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	go front.Serve(l)
	r := start(t, sidecar.Config{Portable: portable, Upstream: "http://" + at, SampleRatio: 1, Profile: trained(t, 0)})
	send := func() int {
		c := bare(t, r.traffic, "")
		defer c.Close()
		code, _ := infer(c)
		return code
	}
	for round := range 3 {
		if code := send(); code != 200 {
			t.Fatalf("round %d: %d", round, code)
		}
		under := bare(t, r.traffic, "GET /never HTTP/1.1\r\nHost: m\r\n\r\n")
		r.eventually(map[string]float64{"leeway_requests_in_flight": 1})
		front.Close()
		if b, err := io.ReadAll(under); len(b) > 0 {
			t.Errorf("the request under way got %q, %v, want its end", b, err)
		}
		under.Close()
		if code := send(); code != 502 {
			t.Errorf("while it is away: %d", code)
		}
		if l, err = net.Listen("tcp", at); err != nil {
			t.Fatal(err)
		}
		front = &http.Server{Handler: up.Config.Handler}
		go front.Serve(l)
	}
	if code := send(); code != 200 {
		t.Errorf("when it is back: %d", code)
	}
	front.Close()
	r.eventually(map[string]float64{"leeway_requests_in_flight": 0, `leeway_upstream_errors_total{reason="refused"`: 3})
}
