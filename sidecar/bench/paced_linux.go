package main

import (
	"context"
	"fmt"
	"math/rand/v2"
)

const pacedConnections = 32

// paced measures at half of what the sidecar can do: requests are due at a constant rate, and latency counts from then.
func (b *bench) paced(ctx context.Context) error {
	var undo stops
	defer undo.all()
	list, err := targets(fast, []string{nginxName, followed, observed}, &undo)
	if err != nil {
		return err
	}
	header(b.out, fmt.Sprintf("### At half of the most that goes observed, %d connections", pacedConnections),
		"request, req/s", "", "p50 µs", "p99 µs", "p99 ÷ loop's", "CPU µs/req", "observed", "dropped")
	for _, p := range b.wires {
		for _, rows := range b.pacedRows {
			if err := b.half(ctx, rung{p, pacedConnections, rows}, list); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) half(ctx context.Context, r rung, list []target) error {
	b.progress("paced, %s, %v", r.wire, r)
	load := r.wire.traffic(r.connections, r.rows)
	var most series
	for range 3 {
		m, err := list[len(list)-1].measure(ctx, r.wire, load, b.length)
		if err != nil {
			return err
		}
		most = append(most, m)
	}
	load.perS = most.of(perS).median() / 2
	f := map[string]series{}
	defer func() { b.printPaced(r, load.perS, f, list) }()
	for range b.rounds {
		for _, i := range rand.Perm(len(list)) {
			t := list[i]
			if t.addr[r.wire] == "" {
				continue
			}
			m, err := t.measure(ctx, r.wire, load, b.pacedFor)
			if err != nil {
				return err
			}
			f[t.name] = append(f[t.name], m)
		}
	}
	return nil
}

func (b *bench) printPaced(r rung, rate float64, f map[string]series, list []target) {
	at := fmt.Sprintf("%s, %s, %.0f", r.wire, r.size(), rate)
	for _, t := range list {
		s := f[t.name]
		if len(s) == 0 {
			continue
		}
		row(b.out, at, t.name, s.of(p50).spread("%.0f", 1), s.of(p99).spread("%.0f", 1),
			s.of(p99).over(f[followed].of(p99)).spread("%.2f", 1), s.usedText(), number("%.0f", s.of(seen).sum()), number("%.0f", s.of(dropped).sum()))
	}
	if ratio := f[observed].of(p99).over(f[followed].of(p99)); len(ratio) > 0 {
		b.goals.most("p99 at half load, observed ÷ followed: "+at+" req/s", ratio.median(), 1.1, "%.2f", f[observed].unread())
	}
}
