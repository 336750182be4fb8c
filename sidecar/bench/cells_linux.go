package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/sidecar/follow"
	"github.com/leeway-dev/leeway/sidecar/metrics"
	"github.com/leeway-dev/leeway/sidecar/observe"
	"github.com/leeway-dev/leeway/sidecar/protocol"
)

// The tasks of this program's worker. All but row have a number of rows behind a slash and count cells.
const (
	taskRow      = "row"      // requests of one row through the whole observer, as they come
	taskObserver = "observer" // the same with more rows
	taskBinary   = "binary"   // the same with raw data behind the JSON
	taskBins     = "bins"     // parsed into bins
	taskSketches = "sketches" // parsed into bins and sketches
)

// cells is the part of this program that does tasks (worker).
func cells() error {
	debug.SetGCPercent(10) // as leeway-sidecar does
	in := bufio.NewScanner(os.Stdin)
	fmt.Println("ready")
	for in.Scan() {
		var name string
		var seconds float64
		if _, err := fmt.Sscan(in.Text(), &name, &seconds); err != nil {
			return err
		}
		if err := timed(name, seconds); err != nil {
			return err
		}
	}
	return in.Err()
}

// timed does a task until the time is over.
func timed(name string, seconds float64) error {
	kind, text, _ := strings.Cut(name, "/")
	rows := 1
	if text != "" {
		var err error
		if rows, err = strconv.Atoi(text); err != nil {
			return err
		}
	}
	step, stop, err := prepare(kind, rows)
	if err != nil {
		return err
	}
	defer stop()
	runtime.GC()
	units, i := 0, 0
	began := processTime()
	end := time.Now().Add(time.Duration(seconds * 1e9))
	for ; i%16 > 0 || time.Now().Before(end); i++ { // to ask for the time costs, too
		if err := step(i); err != nil {
			return err
		}
		units += rows * columns
	}
	if kind == taskRow {
		units = i
	}
	fmt.Println(units, (processTime() - began).Seconds())
	return nil
}

// processTime is the processor time of this process, its collector's included.
func processTime() time.Duration {
	var u unix.Rusage
	unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// prepare returns a task's step, which takes the i-th of many messages.
func prepare(kind string, rows int) (step func(i int) error, stop func(), err error) {
	encoded, err := trained(columns)
	if err != nil {
		return nil, nil, err
	}
	p, err := profile.Parse(encoded)
	if err != nil {
		return nil, nil, err
	}
	write := table.json
	switch kind {
	case taskRow, taskObserver:
		write = post
	case taskBinary:
		write = postBinary
	}
	var messages [][]byte
	for size := 0; size < variety; size += len(messages[len(messages)-1]) {
		messages = append(messages, write(random(rows, columns, uint64(len(messages)+1))))
	}
	switch kind {
	case taskBins:
		step, err = intoBins(p, messages)
		return step, func() {}, err
	case taskSketches:
		step, err = intoSketches(p, messages)
		return step, func() {}, err
	case taskRow, taskObserver, taskBinary:
		return throughObserver(p, messages)
	}
	return nil, nil, fmt.Errorf("task %q", kind)
}

var errUnobserved = errors.New("a request was not observed")

// throughObserver follows requests and answers on one connection, and parses them as they come.
func throughObserver(p *profile.Profile, messages [][]byte) (step func(i int) error, stop func(), err error) {
	o := observe.New(observe.Config{
		Protocol: protocol.Auto, SampleRatio: 1, Budget: 16 << 20, MaxBody: 1 << 20,
		Metrics: metrics.New(prometheus.NewRegistry(), protocol.V2), Log: zap.NewNop(),
	})
	if _, err := o.SetReference(p, "sha256:1"); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	tended := make(chan struct{})
	go func() { o.Tend(ctx); close(tended) }()
	pair, answer := follow.New(o), []byte(answer1)
	step = func(i int) error {
		pair.Request(messages[i%len(messages)], time.Now())
		pair.Response(answer, time.Now())
		if o.Queued() == 0 {
			return errUnobserved
		}
		for !o.Step(nil) {
			runtime.Gosched() // the profile is being tidied
		}
		if i == 0 && o.Live(time.Time{}, time.Now().Add(time.Hour)).Rows == 0 {
			return errUnobserved
		}
		return nil
	}
	return step, func() { cancel(); <-tended }, nil
}
