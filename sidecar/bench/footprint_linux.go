package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"
)

const mb = 1e6

// size is the stripped program's.
func (b *bench) size(ctx context.Context) error {
	b.progress("size")
	var undo stops
	defer undo.all()
	path, err := build(ctx, &undo)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	b.goals.most("leeway-sidecar, stripped", float64(info.Size())/mb, 15, "%.1f MB", "")
	return nil
}

// A load of one row of many columns at a time.
const (
	memoryColumns     = 50
	memoryConnections = 32
	memoryRate        = 1000
	memoryVariety     = 20_000 // different rows
)

// memory samples what the sidecar has resident while rows pass at a constant rate.
func (b *bench) memory(ctx context.Context) error {
	var undo stops
	defer undo.all()
	t, err := startProgram(ctx, memoryColumns, &undo)
	if err != nil {
		return err
	}
	load := traffic{client: func() client { return &client1{} }, connections: memoryConnections, perS: memoryRate}
	for i := range uint64(memoryVariety) {
		load.requests = append(load.requests, post(random(1, memoryColumns, i+1)))
	}
	debug.FreeOSMemory() // no collection while the load is under way
	sampling, stop := context.WithCancel(ctx)
	sampled := make(chan values)
	go func() { sampled <- b.sample(sampling, t.pid) }()
	began := time.Now()
	m, err := t.measure(ctx, http1, load, b.memoryFor)
	watched := min(time.Since(began), b.memoryFor).Round(time.Second)
	stop()
	list := <-sampled
	if len(list) > 0 {
		_, peak := resident(t.pid)
		b.printMemory(watched, list, peak, m)
	}
	return err
}

// sampleEvery is how often resident memory is looked at.
const sampleEvery = 10 * time.Second

func (b *bench) sample(ctx context.Context, pid int) (list values) {
	ticks := time.NewTicker(min(sampleEvery, b.memoryFor/4))
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return list
		case <-ticks.C:
			now, _ := resident(pid)
			b.progress("memory: %.1f MB", now/mb)
			list = append(list, now)
		}
	}
}

func (b *bench) printMemory(watched time.Duration, list values, peak float64, m measured) {
	caption := fmt.Sprintf("### Resident memory of leeway-sidecar: %d features, %d requests a second of one row, for %v",
		memoryColumns, memoryRate, watched)
	header(b.out, caption, "sampled, MB", "first", "last", "peak", "req/s", "observed", "dropped")
	row(b.out, list.spread("%.1f", mb), number("%.1f", list[0]/mb), number("%.1f", list[len(list)-1]/mb), number("%.1f", peak/mb),
		number("%.0f", m.perS), number("%.0f", m.seen), number("%.0f", m.dropped))
	b.goals.most(fmt.Sprintf("peak resident memory, %v", watched), peak/mb, 25, "%.1f MB", "")
}

// Connections that wait, and the first of them, after which what grows once has grown.
const (
	idleConnections = 10_000
	idleFirst       = 100
)

// idle measures what a connection takes that waits after one request.
func (b *bench) idle(ctx context.Context) error {
	b.progress("idle connections")
	var undo stops
	defer undo.all()
	n := min(idleConnections, (descriptors()-200)/2) // each has two ends in the sidecar
	t, err := startProgram(ctx, columns, &undo)
	if err != nil {
		return err
	}
	request := post(random(1, columns, 1))
	open := func(n int) error {
		for range n {
			fd, err := dial(t.addr[http1])
			if err != nil {
				return err
			}
			undo.add(func() { unix.Close(fd) })
			if err := errors.Join(exchange(fd, request), ctx.Err()); err != nil {
				return err
			}
		}
		return nil
	}
	if err := open(idleFirst); err != nil {
		return err
	}
	before, _ := resident(t.pid)
	if err := open(n - idleFirst); err != nil {
		return err
	}
	time.Sleep(time.Second)
	after, _ := resident(t.pid)
	each := (after - before) / float64(n-idleFirst)
	b.goals.most(fmt.Sprintf("resident memory of an idle connection, of %d", n), each/1024, 1, "%.2f KiB", "")
	return nil
}

// exchange asks once on a connection and waits for the answer.
func exchange(fd int, request []byte) error {
	if err := unix.SetNonblock(fd, false); err != nil {
		return err
	}
	if _, err := unix.Write(fd, request); err != nil {
		return err
	}
	buf := make([]byte, 4096)
	for c := new(client1); ; {
		n, err := unix.Read(fd, buf)
		if err != nil || n == 0 {
			return fmt.Errorf("read: %d, %w", n, err)
		}
		if _, whole, err := c.take(buf[:n], nil); err != nil || whole {
			return err
		}
	}
}
