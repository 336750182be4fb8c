package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leeway-dev/leeway/e2e/child"
	"github.com/leeway-dev/leeway/e2e/plane"
)

// gogc is the same for all that is measured: Prometheus would take 75 by itself.
const gogc = 100

// program is one that runs, and is measured.
type program struct {
	name string
	url  string
	cmd  *exec.Cmd
	said *child.Output
	end  context.CancelFunc
	gone chan struct{}

	readings []reading
}

// reading is what a program has at one moment, in bytes.
type reading struct {
	resident  float64 // all of it
	anonymous float64 // resident without files that are mapped
	live      float64 // what the last garbage collection left
}

// start runs a program until close, or stop.
func (s *stage) start(name, url string, env []string, args ...string) (*program, error) {
	ctx, cancel := context.WithCancel(context.Background())
	p := &program{name: name, url: url, said: &child.Output{}, end: cancel, gone: make(chan struct{})}
	p.cmd = child.Command(ctx, args[0], args[1:]...)
	p.cmd.Env = append(append(os.Environ(), fmt.Sprintf("GOGC=%d", gogc)), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.said, p.said
	if err := p.cmd.Start(); err != nil {
		cancel()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	go func() {
		defer close(p.gone)
		_ = p.cmd.Wait() // it is killed
	}()
	s.began = append(s.began, p)
	return p, nil
}

func (p *program) stop() {
	p.end()
	<-p.gone
}

// alive is an error with what the program said last when it has ended.
func (p *program) alive() error {
	select {
	case <-p.gone:
		return fmt.Errorf("%s has ended: %s", p.name, p.said.Tail(3000))
	default:
		return nil
	}
}

// ready waits until the program answers.
func (p *program) ready(ctx context.Context, path string) error {
	err := plane.Await(ctx, time.Minute, func() error {
		if err := p.alive(); err != nil {
			return err
		}
		_, _, err := ask(ctx, http.MethodGet, p.url+path, nil, "")
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w: it said %s", p.name, err, p.said.Tail(3000))
	}
	return nil
}

// metrics asks a program for some of its own, summed over their labels.
func (p *program) metrics(ctx context.Context, names ...string) (map[string]float64, error) {
	body, _, err := ask(ctx, http.MethodGet, p.url+"/metrics", nil, "text/plain;version=0.0.4")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.name, err)
	}
	sums := map[string]float64{}
	for l := range strings.Lines(string(body)) {
		name, rest, _ := strings.Cut(strings.TrimSpace(l), " ")
		if i := strings.IndexByte(name, '{'); i >= 0 {
			rest = l[strings.LastIndexByte(l, '}')+1:]
			name = name[:i]
		}
		if !slices.Contains(names, name) {
			continue
		}
		x, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %q: %w", p.name, l, err)
		}
		sums[name] += x
	}
	for _, name := range names {
		if _, ok := sums[name]; !ok {
			return nil, fmt.Errorf("%s has no metric %s", p.name, name)
		}
	}
	return sums, nil
}

// read takes a reading.
func (p *program) read(ctx context.Context) error {
	if err := p.alive(); err != nil {
		return err
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return err
	}
	m, err := p.metrics(ctx, "go_memstats_next_gc_bytes")
	if err != nil {
		return err
	}
	p.readings = append(p.readings, reading{
		resident: kilobytes(status, "VmRSS"), anonymous: kilobytes(status, "RssAnon"),
		// The collector's goal is what was live, and so much in a hundred of it.
		live: m["go_memstats_next_gc_bytes"] * 100 / (100 + gogc),
	})
	return nil
}

func kilobytes(status []byte, field string) float64 {
	lines := bufio.NewScanner(bytes.NewReader(status))
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), field+":"); ok {
			x, _ := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
			return x * 1024
		}
	}
	return 0
}

// median of all readings, each figure by itself.
func (p *program) median() reading {
	of := func(get func(reading) float64) float64 {
		var all []float64
		for _, r := range p.readings {
			all = append(all, get(r))
		}
		slices.Sort(all)
		if len(all) == 0 {
			return 0
		}
		return all[len(all)/2]
	}
	return reading{
		resident:  of(func(r reading) float64 { return r.resident }),
		anonymous: of(func(r reading) float64 { return r.anonymous }),
		live:      of(func(r reading) float64 { return r.live }),
	}
}

// peak is the most that was resident.
func (p *program) peak() float64 {
	return slices.MaxFunc(append([]reading{{}}, p.readings...), func(a, b reading) int { return cmp.Compare(a.resident, b.resident) }).resident
}
