package chaos_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

var (
	disturbances = flag.Int("disturbances", 8, "how many kills, stops and cuts there are at random moments")
	seed         = flag.Uint64("seed", 1, "of the random moments")
)

const (
	// atOnce is how many disturbances one telling of the stories has at most: it
	// has to come to its end some time.
	atOnce = 12
	// bound is within which every decision ends, from the last disturbance.
	bound = 2 * time.Minute
)

// TestChaos tells all stories side by side, again and again, and disturbs the
// controllers at random moments from when the trouble begins.
func TestChaos(t *testing.T) {
	w := newWorld(t)
	tally := &tally{}
	r := rand.New(rand.NewPCG(*seed, 0))
	w.say("seed %d, %d disturbances", *seed, *disturbances)
	for round := 1; round == 1 || tally.disturbances() < *disturbances; round++ {
		if err := w.tell(t.Context(), round, r, tally); err != nil {
			t.Error(err)
			break
		}
	}
	for _, wrong := range tally.judge(w) {
		t.Error(wrong)
	}
	w.say("seed %d\n%s", *seed, tally)
}

// tell tells every story once.
func (w *world) tell(ctx context.Context, round int, r *rand.Rand, sum *tally) error {
	var told []*scene
	var all sync.WaitGroup
	errs := make(chan error, 10)
	var mu sync.Mutex
	for _, s := range stories() {
		all.Go(func() {
			m, err := w.stage(ctx, s, fmt.Sprintf("%s-%d", s.name, round))
			if err != nil {
				errs <- err
				return
			}
			mu.Lock()
			defer mu.Unlock()
			told = append(told, m)
		})
	}
	all.Wait()
	select {
	case err := <-errs:
		return fmt.Errorf("before any disturbance: %w", err)
	default:
	}
	w.say("round %d: the trouble begins", round)
	began := time.Now()
	for _, m := range told {
		if err := w.upset(ctx, m); err != nil {
			return err
		}
	}
	disturbing, stop := context.WithCancel(ctx)
	var disturbed sync.WaitGroup
	left := min(atOnce, *disturbances-sum.disturbances())
	disturbed.Go(func() {
		defer stop()
		for range left {
			if pause(disturbing, time.Duration(r.Int64N(int64(4*time.Second)))) != nil {
				return
			}
			w.disturb(disturbing, ctx, r, sum)
		}
	})
	for _, m := range told {
		all.Go(func() {
			if err := w.untilFinished(ctx, disturbing, m, sum); err != nil {
				sum.wrong("%s does not end: %v", m.namespace, err)
			}
			m.ended = time.Now()
			w.say("%s is over after %.1fs", m.namespace, m.ended.Sub(m.began).Seconds())
		})
	}
	all.Wait()
	stop()
	disturbed.Wait()
	return w.conclude(ctx, told, began, sum)
}

// conclude judges the scenes, and clears them away.
func (w *world) conclude(ctx context.Context, told []*scene, began time.Time, sum *tally) error {
	if err := pause(ctx, 2*time.Second); err != nil { // so that who was to act once more has
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
func (w *world) untilFinished(ctx, disturbing context.Context, m *scene, sum *tally) error {
	var quiet time.Time
	approved := false
	for {
		err := w.finished(ctx, m)
		if err == nil {
			return nil
		}
		if m.autonomy == "Approve" && !approved {
			if approved, _ = w.approve(ctx, m); approved {
				w.dieWhileApproved(ctx, m, sum)
			}
		}
		if disturbing.Err() != nil && quiet.IsZero() {
			quiet = time.Now()
		}
		if !quiet.IsZero() && time.Since(quiet) > bound {
			return err
		}
		if err := pause(ctx, 250*time.Millisecond); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
