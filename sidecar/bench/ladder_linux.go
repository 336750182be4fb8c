package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
)

// rung is a load: what one row of the tables is about.
type rung struct {
	wire              wire
	connections, rows int
}

func (r rung) String() string { return fmt.Sprintf("%d × %s", r.connections, r.size()) }

func (r rung) size() string {
	return fmt.Sprintf("%.1f KB", float64(len(r.wire.request(random(r.rows, columns, 1))))/1000)
}

// figures are those of every round, by load and target.
type figures map[rung]map[string]series

func (f figures) add(r rung, target string, m measured) {
	if f[r] == nil {
		f[r] = map[string]series{}
	}
	f[r][target] = append(f[r][target], m)
}

// ladder measures every target under every load, against each upstream.
func (b *bench) ladder(ctx context.Context) error {
	for _, pace := range b.upstreams {
		if err := b.against(ctx, pace); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) against(ctx context.Context, pace string) error {
	var undo stops
	defer undo.all()
	list, err := targets(pace, b.targets, &undo)
	if err != nil {
		return err
	}
	f := figures{}
	err = b.all(ctx, pace, f, list)
	for _, p := range b.wires {
		b.printLadder(pace, p, f, list)
	}
	b.ladderGoals(pace, f)
	return err
}

// all fills f round by round, until ctx ends.
func (b *bench) all(ctx context.Context, pace string, f figures, list []target) error {
	for i := range b.rounds {
		for _, r := range b.rungs() {
			if r.connections == b.connections[0] && r.rows == b.rows[0] {
				b.progress("ladder, upstream %s, round %d of %d, %s", pace, i+1, b.rounds, r.wire)
			}
			if err := b.round(ctx, f, r, list); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) rungs() (list []rung) {
	for _, p := range b.wires {
		for _, c := range b.connections {
			for _, r := range b.rows {
				list = append(list, rung{p, c, r})
			}
		}
	}
	return list
}

// round has all targets take their turn. A target that fails lacks a figure, no more.
func (b *bench) round(ctx context.Context, f figures, r rung, list []target) error {
	load := r.wire.traffic(r.connections, r.rows)
	for _, i := range rand.Perm(len(list)) {
		t := list[i]
		if t.addr[r.wire] == "" {
			continue
		}
		m, err := t.measure(ctx, r.wire, load, b.length)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			b.progress("%v: %v", r, err)
			continue
		}
		f.add(r, t.name, m)
	}
	debug.FreeOSMemory() // the load's collector is off
	return nil
}

func (b *bench) printLadder(pace string, p wire, f figures, list []target) {
	header(b.out, fmt.Sprintf("### %s, upstream %s", p, pace), "connections × request", "", "p50 µs", "added", "p99 µs",
		"req/s, thousands", "CPU µs/req", "observed", "dropped")
	for _, r := range b.rungs() {
		for _, t := range list {
			s := f[r][t.name]
			if r.wire != p || len(s) == 0 {
				continue
			}
			row(b.out, r.String(), t.name, s.of(p50).spread("%.0f", 1), number("%+.0f", added(f[r], t.name)), s.of(p99).spread("%.0f", 1),
				s.of(perS).spread("%.1f", 1000), s.usedText(), number("%.0f", s.of(seen).sum()), number("%.0f", s.of(dropped).sum()))
		}
	}
}

// added is the median latency that a target adds to having nothing in between.
func added(f map[string]series, target string) float64 {
	return f[target].of(p50).median() - f[nothing].of(p50).median()
}

// ladderGoals holds observing everything against nginx, which observes nothing.
func (b *bench) ladderGoals(pace string, f figures) {
	for _, r := range b.rungs() {
		mine, its := f[r][observed], f[r][nginxName]
		if r.wire != http1 || len(mine) == 0 || len(its) == 0 || len(f[r][nothing]) == 0 {
			continue
		}
		at := fmt.Sprintf("%v, upstream %s", r, pace)
		if limit := latencyGoal(r); limit > 0 {
			b.goals.most("added p50 ÷ nginx's: "+at, added(f[r], observed)/max(1, added(f[r], nginxName)), limit, "%.2f", mine.unread())
		}
		if limit := rateGoal(r, pace); limit > 0 {
			b.goals.least("requests a second ÷ nginx's: "+at, mine.of(perS).median()/its.of(perS).median(), limit, "%.2f", mine.unread())
		}
		if pace == fast && r.rows == small && r.connections > 1 {
			b.goals.most("CPU of a request ÷ nginx's: "+at, mine.of(used).median()/its.of(used).median(), 1, "%.2f", mine.unread())
		}
	}
}

// Rows of a request of 0.4, 4 and 40 KB.
const small, middle, large = 3, 33, 340

// latencyGoal is what observing may add at one connection, as a multiple of what nginx adds; 0: no goal.
func latencyGoal(r rung) float64 {
	if r.connections == 1 {
		switch r.rows {
		case small, middle:
			return 1
		case large:
			return 1.5
		}
	}
	return 0
}

// rateGoal is how many requests are to go, as a multiple of nginx's: small ones against any upstream, larger ones where
// the model takes its time; 0: no goal.
func rateGoal(r rung, pace string) float64 {
	switch {
	case r.connections == 1:
	case r.rows == small && pace == fast:
		return 1
	case (r.rows == middle || r.rows == large) && pace != fast:
		return 0.98
	}
	return 0
}
