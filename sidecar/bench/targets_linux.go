package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// target is what the load goes to.
type target struct {
	name  string
	addr  map[wire]string
	admin string // "": it counts nothing
	pid   int    // 0: nothing is in between
}

// The names of targets. Those that are there only on request come last.
const (
	nothing      = "direct"
	nginxName    = "nginx"
	reverseName  = "ReverseProxy"
	bare         = "bare"
	followed     = "loop"
	observed     = "loop-observed"
	issuing      = "loop-receipts"
	portable     = "goroutines"
	portableSeen = "goroutines-observed"
)

func usual() []string    { return []string{nginxName, reverseName, bare, followed, observed} }
func possible() []string { return append(usual(), issuing, portable, portableSeen) }

// targets starts an upstream of a pace and what is to stand in front of it.
func targets(pace string, names []string, undo *stops) ([]target, error) {
	up, addr, err := self("upstream", pace)
	if err != nil {
		return nil, err
	}
	undo.add(up.stop)
	list := []target{{name: nothing, addr: both(addr)}}
	for _, name := range names {
		var t target
		var err error
		if name == nginxName {
			if t, err = nginx(addr, undo); err != nil {
				fmt.Fprintln(os.Stderr, "bench: nginx takes no part:", err)
				continue
			}
		} else if t, err = proxyTarget(name, addr, undo); err != nil {
			return nil, err
		}
		list = append(list, t)
	}
	return list, nil
}

func both(addr string) map[wire]string { return map[wire]string{http1: addr, grpc: addr} }

func proxyTarget(name, upstream string, undo *stops) (target, error) {
	p, said, err := self("proxy", name, upstream)
	if err != nil {
		return target{}, err
	}
	undo.add(p.stop)
	addr, admin, _ := strings.Cut(said, "+")
	return target{name: name, addr: both(addr), admin: admin, pid: p.pid()}, nil
}

// measured is one target under one load in one round.
type measured struct {
	result
	cpu           float64 // µs of the proxy for a request
	seen, dropped float64 // requests that were observed, and that were not for want of room
}

func (t target) measure(ctx context.Context, w wire, load traffic, length time.Duration) (m measured, err error) {
	seen, dropped := t.captures()
	before := cpu(t.pid)
	if m.result, err = load.run(ctx, t.addr[w], length); err != nil {
		return m, fmt.Errorf("%s, %s: %w", t.name, w, err)
	}
	t.settle()
	m.cpu = (cpu(t.pid) - before) / float64(m.asked)
	m.seen, m.dropped = t.captures()
	m.seen, m.dropped = m.seen-seen, m.dropped-dropped
	return m, ctx.Err()
}

// settle waits until a target has nothing to do: connections end, and what was queued is parsed.
func (t target) settle() {
	const pause = 10 * time.Millisecond
	for last, i := -1.0, 0; i < 50; i++ {
		now := cpu(t.pid)
		if last >= 0 && now-last < float64(pause/time.Microsecond)/10 {
			return
		}
		last = now
		time.Sleep(pause)
	}
}

var captured = regexp.MustCompile(`leeway_captures_total\{.*result="(observed|dropped_budget)"\} (\S+)`)

// captures asks how many requests were observed, and how many were not for want of room.
func (t target) captures() (seen, dropped float64) {
	if t.admin == "" {
		return 0, 0
	}
	resp, err := http.Get("http://" + t.admin + "/metrics")
	if err != nil {
		return 0, 0
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	for _, m := range captured.FindAllStringSubmatch(string(b), -1) {
		v, _ := strconv.ParseFloat(m[2], 64)
		if m[1] == "observed" {
			seen = v
		} else {
			dropped = v
		}
	}
	return seen, dropped
}
