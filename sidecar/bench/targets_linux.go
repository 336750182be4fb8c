package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/leeway-dev/leeway/sidecar"
)

// target is what the load goes to.
type target struct {
	name, addr, admin string
	pid               int // 0: nothing is in between
}

// begin starts the upstream and everything that can stand in front of it.
func begin(only string) (targets []target, stop func(), err error) {
	var stops []func()
	stop = func() {
		for _, f := range stops {
			f()
		}
	}
	run := func(arg ...string) (target, error) {
		cmd, said, err := self(arg...)
		if err != nil {
			return target{}, err
		}
		stops = append(stops, func() { cmd.Process.Kill(); cmd.Wait() })
		addr, admin, _ := strings.Cut(said, "+")
		return target{name: arg[0], addr: addr, admin: admin, pid: cmd.Process.Pid}, nil
	}
	up, err := run("upstream")
	if err != nil {
		return nil, stop, err
	}
	targets = append(targets, target{name: "direct", addr: up.addr})
	wanted := func(name string) bool {
		return only == "" || strings.Contains(","+only+",", ","+name+",")
	}
	if wanted("nginx") {
		t, stopNginx, err := nginx(up.addr)
		if err != nil {
			fmt.Println("nginx:", err)
		} else {
			targets, stops = append(targets, t), append(stops, stopNginx)
		}
	}
	for _, name := range []string{"ReverseProxy", "goroutines", "loop", "goroutines-observed", "loop-observed", "loop-receipts"} {
		if !wanted(name) {
			continue
		}
		t, err := run(name, up.addr)
		if err != nil {
			return nil, stop, err
		}
		targets = append(targets, t)
	}
	return targets, stop, nil
}

// proxy is the part of this program that stands in front of the upstream.
func proxy(name, upstream string) error {
	if name == "ReverseProxy" {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		fmt.Println(l.Addr())
		target := &url.URL{Scheme: "http", Host: upstream}
		return http.Serve(l, &httputil.ReverseProxy{
			Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
			Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 512},
			ErrorLog:  log.New(io.Discard, "", 0), // the load leaves in the middle of a request
		})
	}
	debug.SetGCPercent(25) // as leeway-sidecar does
	cfg := sidecar.Config{
		Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0", Upstream: "http://" + upstream, Model: "m", Version: "1",
		SampleRatio: 1, CaptureBudget: 16 << 20, MaxBody: 1 << 20, Log: zap.NewNop(),
	}
	kind, observed := strings.CutSuffix(name, "-observed")
	kind, cfg.Receipts = strings.CutSuffix(kind, "-receipts")
	cfg.Portable = kind == "goroutines"
	if observed {
		var err error
		if cfg.Profile, err = trained(); err != nil {
			return err
		}
	}
	s, err := sidecar.New(cfg)
	if err != nil {
		return err
	}
	fmt.Printf("%v+%v\n", s.Addr(), s.AdminAddr())
	return s.Run(context.Background())
}

func (t target) measure(connections int, request []byte, length time.Duration) (m measured, err error) {
	seen, dropped := t.captures()
	before := cpu(t.pid)
	if m.result, err = run(t.addr, connections, request, length); err != nil {
		return m, err
	}
	// With the first round of requests, which the load does not count.
	m.cpu = (cpu(t.pid) - before) / float64(m.n+connections)
	time.Sleep(20 * time.Millisecond) // connections end, what was queued is parsed
	m.seen, m.dropped = t.captures()
	m.seen, m.dropped = m.seen-seen, m.dropped-dropped
	return m, nil
}

// cpu is the processor time of a process and its children in µs.
func cpu(pid int) (sum float64) {
	if pid == 0 {
		return 0
	}
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	for _, task := range tasks {
		var ns float64
		b, _ := os.ReadFile(task + "/schedstat")
		fmt.Sscan(string(b), &ns)
		sum += ns / 1000
		children, _ := os.ReadFile(task + "/children")
		for child := range strings.FieldsSeq(string(children)) {
			n, _ := strconv.Atoi(child)
			sum += cpu(n)
		}
	}
	return sum
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
