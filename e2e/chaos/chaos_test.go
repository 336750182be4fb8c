package chaos_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/e2e/plane"
)

var (
	disturbances = flag.Int("disturbances", 8, "how many kills, stops and cuts there are at random moments")
	seed         = flag.Uint64("seed", 1, "of the random moments")
	programs     = flag.String("programs", "", "folder of leeway, leeway-agent, leeway-sidecar and kube; empty: they are built")
)

const (
	// atOnce is how many disturbances one telling of the stories has at most: it
	// has to come to its end some time.
	atOnce = 12
	// inWorld is how many there are before all begins anew: series of pods that are
	// gone stay in memory for hours, and rules of every second read past them.
	inWorld = 60
	// bound is within which every decision ends, from the last disturbance.
	bound = 2 * time.Minute
)

// TestChaos tells all stories side by side, again and again, and disturbs the
// controllers at random moments from when the trouble begins.
func TestChaos(t *testing.T) {
	sum, r := &tally{}, rand.New(rand.NewPCG(*seed, 0))
	for n, ok := 1, true; ok && (n == 1 || sum.disturbances() < *disturbances); n++ {
		ok = t.Run(fmt.Sprintf("world %d", n), func(t *testing.T) {
			w := newWorld(t)
			w.say("seed %d, %d disturbances", *seed, *disturbances)
			until := min(*disturbances, sum.disturbances()+inWorld)
			for round := 1; round == 1 || sum.disturbances() < until; round++ {
				if err := w.disturbed(t.Context(), round, until, r, sum); err != nil {
					t.Error(err)
					break
				}
			}
			w.report(t, sum)
		})
	}
}

// disturbed tells the stories once, with no more disturbances than there are to be
// in all.
func (w *world) disturbed(ctx context.Context, round, until int, r *rand.Rand, sum *tally) error {
	left := min(atOnce, until-sum.disturbances())
	_, err := w.tell(ctx, round, sum, plot{
		during: func(ctx, whole context.Context) {
			for range left {
				if plane.Pause(ctx, time.Duration(r.Int64N(int64(4*time.Second)))) != nil {
					return
				}
				w.disturb(ctx, whole, r, sum)
			}
		},
		approved: func(ctx context.Context, m *scene) {
			if left > 0 {
				w.dieWhileApproved(ctx, m, time.Duration(rand.N(int64(1500*time.Millisecond))), sum)
			}
		},
	})
	return err
}

func (w *world) report(t *testing.T, sum *tally) {
	for _, wrong := range sum.judge(w) {
		t.Error(wrong)
	}
	w.say("seed %d\n%s", *seed, sum)
}

// plot is what happens while the stories are told, beside what they tell.
// Any may be nil.
type plot struct {
	before   func(told []*scene)                 // the trouble begins
	during   func(ctx, whole context.Context)    // until it returns, or ctx ends with the last story
	approved func(ctx context.Context, m *scene) // a decision of the scene has just been approved
}

// tell tells every story once.
func (w *world) tell(ctx context.Context, round int, sum *tally, p plot) (told []*scene, err error) {
	if told, err = w.stageAll(ctx, round); err != nil {
		return nil, fmt.Errorf("before any disturbance: %w", err)
	}
	w.say("round %d: the trouble begins", round)
	if p.before != nil {
		p.before(told)
	}
	began := time.Now()
	for _, m := range told {
		if err := w.upset(ctx, m); err != nil {
			return nil, err
		}
	}
	disturbing, stop := context.WithCancel(ctx)
	var disturbed, all sync.WaitGroup
	disturbed.Go(func() {
		defer stop()
		if p.during != nil {
			p.during(disturbing, ctx)
		}
	})
	for _, m := range told {
		all.Go(func() {
			if err := w.untilFinished(ctx, disturbing, m, p.approved); err != nil {
				sum.wrong("%s does not end: %v", m.namespace, err)
			}
			m.ended = time.Now()
			w.say("%s is over after %.1fs", m.namespace, m.ended.Sub(m.began).Seconds())
		})
	}
	all.Wait()
	stop()
	disturbed.Wait()
	return told, w.conclude(ctx, told, began, sum)
}

// stageAll tells the beginning of every story.
func (w *world) stageAll(ctx context.Context, round int) ([]*scene, error) {
	told := make([]*scene, len(stories()))
	errs := make([]error, len(told))
	var all sync.WaitGroup
	for i, s := range stories() {
		all.Go(func() { told[i], errs[i] = w.stage(ctx, s, fmt.Sprintf("%s-%d", s.name, round)) })
	}
	all.Wait()
	return told, errors.Join(errs...)
}

// conclude judges the scenes, and clears them away.
func (w *world) conclude(ctx context.Context, told []*scene, began time.Time, sum *tally) error {
	if err := plane.Pause(ctx, 2*time.Second); err != nil { // so that who was to act once more has
		return err
	}
	if err := w.audit.read(); err != nil {
		return err
	}
	for _, m := range told {
		all, err := w.decided(ctx, m.namespace)
		if err != nil {
			return err
		}
		wrong := w.audit.judge(m, all, func(version string) string { return "file://" + w.artifact(m, version) })
		for _, s := range wrong {
			sum.wrong("%s: %s", m.namespace, s)
		}
		if len(wrong) > 0 {
			for _, d := range all {
				w.say("%s: %s", m.namespace, d)
			}
		}
		sum.told(m, all)
	}
	if err := w.compareSamples(ctx, told, began, sum); err != nil {
		return err
	}
	for _, m := range told {
		if err := w.strike(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// untilFinished waits for the end of a story: for as long as it is disturbed, and
// then for the bound.
func (w *world) untilFinished(ctx, disturbing context.Context, m *scene, approved func(context.Context, *scene)) error {
	var quiet time.Time
	first := true
	for {
		err := w.finished(ctx, m)
		if err == nil {
			return nil
		}
		if m.autonomy == "Approve" {
			given, err := w.approve(ctx, m)
			if err != nil {
				w.say("approve in %s: %v", m.namespace, err)
			}
			if given && first && approved != nil {
				first = false
				approved(ctx, m)
			}
		}
		if disturbing.Err() != nil && quiet.IsZero() {
			quiet = time.Now()
		}
		if !quiet.IsZero() && time.Since(quiet) > bound {
			return err
		}
		if err := plane.Pause(ctx, 250*time.Millisecond); err != nil {
			return err
		}
	}
}
