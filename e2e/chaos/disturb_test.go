package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/leeway-dev/leeway/e2e/plane"
)

// disturbance is one way to disturb. It is over when it returns.
type disturbance struct {
	name string
	do   func(ctx context.Context, leader, follower *replica, r *rand.Rand) error
	// lost: the leader's memory is gone, or nobody hears of it for so long that
	// the other has to lead.
	lost bool
}

// long is a time for which the Lease does not last.
const long = lease + lease/2

// some is a time for which the Lease may last, or not.
func some(r *rand.Rand) time.Duration { return time.Second + time.Duration(r.Int64N(int64(lease))) }

// draw draws one. A disk is lost once in forty times: its 50,000 series are copied.
func draw(r *rand.Rand) disturbance {
	if r.IntN(40) == 0 {
		return disturbance{"kill -9 of the follower, and its disk is lost", func(ctx context.Context, _, follower *replica, r *rand.Rand) error {
			return follower.loses(ctx, some(r))
		}, false}
	}
	all := ways()
	return all[r.IntN(len(all))]
}

func ways() []disturbance {
	return []disturbance{
		{"kill -9 of the leader", func(ctx context.Context, leader, _ *replica, r *rand.Rand) error {
			return die(ctx, some(r), leader)
		}, true},
		{"kill -9 of the follower", func(ctx context.Context, _, follower *replica, r *rand.Rand) error {
			return die(ctx, some(r), follower)
		}, false},
		{"kill -9 of both", func(ctx context.Context, leader, follower *replica, r *rand.Rand) error {
			return die(ctx, some(r), leader, follower)
		}, false},
		{"leader stopped for longer than the Lease", func(ctx context.Context, leader, _ *replica, r *rand.Rand) error {
			leader.signal(syscall.SIGSTOP)
			defer leader.signal(syscall.SIGCONT)
			return plane.Pause(ctx, long+some(r)/2)
		}, true},
		{"leader's way to the API server stalls", func(ctx context.Context, leader, _ *replica, r *rand.Rand) error {
			return closed(ctx, long+some(r)/2, func(g *gate) { g.set(false, true, 0) }, leader.api.gate)
		}, true},
		{"leader's way to the API server is cut", func(ctx context.Context, leader, _ *replica, r *rand.Rand) error {
			return closed(ctx, some(r), func(g *gate) { g.set(true, false, 0) }, leader.api.gate)
		}, false},
		{"API server away for both", func(ctx context.Context, leader, follower *replica, r *rand.Rand) error {
			return closed(ctx, some(r), func(g *gate) { g.set(true, false, 0) }, leader.api.gate, follower.api.gate)
		}, false},
		{"API server slow for both", func(ctx context.Context, leader, follower *replica, r *rand.Rand) error {
			return closed(ctx, some(r), func(g *gate) { g.set(false, false, time.Duration(r.Int64N(int64(300*time.Millisecond)))) }, leader.api.gate, follower.api.gate)
		}, false},
		{"replicas cut off from each other", func(ctx context.Context, leader, follower *replica, r *rand.Rand) error {
			return closed(ctx, some(r), func(g *gate) { g.set(true, false, 0) }, leader.fromOut, follower.fromOut)
		}, false},
		{"node cut off from the leader", func(ctx context.Context, leader, _ *replica, r *rand.Rand) error {
			return closed(ctx, some(r), func(g *gate) { g.set(true, false, 0) }, leader.nodes)
		}, false},
	}
}

// closed sets gates for a while.
func closed(ctx context.Context, long time.Duration, set func(*gate), gates ...*gate) error {
	for _, g := range gates {
		set(g)
		defer g.open()
	}
	return plane.Pause(ctx, long)
}

// disturb does one of the ways to disturb, and waits until somebody leads again.
func (w *world) disturb(disturbing, ctx context.Context, r *rand.Rand, sum *tally) {
	way := draw(r)
	leader := w.leader(ctx)
	if leader == nil {
		leader = w.replicas[r.IntN(2)]
	}
	follower := w.other(leader)
	before := w.forStates(ctx, leader)
	w.say("disturbance %d: %s (%s leads)", sum.count(way.name), way.name, leader.name)
	began := time.Now()
	_ = way.do(disturbing, leader, follower, r) // it ends early with the last story
	if err := plane.Await(ctx, 8*lease, func() error {
		if now := w.leader(ctx); now == nil || way.lost && now == leader && time.Since(began) < lease {
			return fmt.Errorf("nobody leads")
		}
		return nil
	}); err != nil {
		sum.wrong("after %s %v", way.name, err)
		return
	}
	sum.led(time.Since(began))
	if now := w.leader(ctx); now != nil && now != leader {
		// A replica that was not there when an alert began knows it since later.
		maps.DeleteFunc(before, func(_ string, was float64) bool { return !now.sinceBefore(was) })
		w.compareForStates(before, w.forStates(ctx, now), sum)
	}
}

// dieWhileApproved kills the leader about when it sees an approval.
func (w *world) dieWhileApproved(ctx context.Context, m *scene, wait time.Duration, sum *tally) {
	leader := w.leader(ctx)
	if leader == nil {
		return
	}
	w.say("disturbance %d: kill -9 of the leader, %s after an approval in %s", sum.count("kill -9 of the leader after an approval"), wait.Round(time.Millisecond), m.namespace)
	if plane.Pause(ctx, wait) == nil {
		_ = die(ctx, time.Second, leader)
	}
}

// forStates is since when each alert of the stories is active, as a replica knows
// it. What can't be asked is left out.
func (w *world) forStates(ctx context.Context, r *replica) map[string]float64 {
	all, err := w.query(ctx, r, `ALERTS_FOR_STATE{leeway_cause=~"errors|input_drift", leeway_clock!="page"}`)
	if err != nil {
		return nil
	}
	states := map[string]float64{}
	for _, s := range all {
		var key strings.Builder
		for _, name := range slices.Sorted(maps.Keys(s.Metric)) {
			fmt.Fprintf(&key, "%s=%s ", name, s.Metric[name])
		}
		states[key.String()] = s.number()
	}
	return states
}

// compareForStates looks for alerts that have been active for less long on who
// leads now than on who led before.
func (w *world) compareForStates(before, after map[string]float64, sum *tally) {
	for key, was := range before {
		is, there := after[key]
		if !there {
			continue // it is over
		}
		sum.forState(is-was > 3)
		if is-was > 3 {
			w.say("for state: %swas active since %.0f, is since %.0f", key, was, is)
		}
	}
}

// compareSamples asks both replicas for the same samples: none may be missing
// from one that the other has.
func (w *world) compareSamples(ctx context.Context, told []*scene, began time.Time, sum *tally) error {
	end := time.Now().Add(-2 * time.Second)
	return plane.Await(ctx, 30*time.Second, func() error { // what was buffered has to arrive
		total := 0
		var missing []string
		for _, m := range told {
			expr := fmt.Sprintf(`leeway_model_info{namespace="%s"}[%ds] @ %d`, m.namespace, int(end.Sub(began).Seconds()), end.Unix())
			var seen [2]map[string][]float64
			for i, r := range w.replicas {
				series, err := w.query(ctx, r, expr)
				if err != nil {
					return err
				}
				seen[i] = map[string][]float64{}
				for _, s := range series {
					for _, v := range s.Values {
						seen[i][s.Metric["pod"]] = append(seen[i][s.Metric["pod"]], v[0].(float64))
					}
				}
			}
			for i, other := range []int{1, 0} {
				for pod, times := range seen[other] {
					lacks := slices.DeleteFunc(slices.Clone(times), func(t float64) bool { return slices.Contains(seen[i][pod], t) })
					if total += len(times); len(lacks) > 0 {
						missing = append(missing, fmt.Sprintf("replica %s lacks %d of the %d samples of pod %s/%s, %.3f to %.3f",
							w.replicas[i].name, len(lacks), len(times), m.namespace, pod, slices.Min(lacks), slices.Max(lacks)))
					}
				}
			}
		}
		if len(missing) > 0 {
			return errors.New(strings.Join(missing, "; "))
		}
		if total == 0 {
			return errors.New("there are no samples")
		}
		sum.samples(total / 2)
		return nil
	})
}
