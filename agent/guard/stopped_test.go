package guard_test

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// sleeper is a process that is stopped at its n-th write, just before it reaches
// the API server or with the answer on its way, and wakes later. It doesn't know
// that it has slept, and goes on.
type sleeper struct {
	mu     sync.Mutex
	left   int
	after  bool
	asleep chan struct{} // closed when it is stopped
	wake   chan struct{} // closed when it is woken
}

func (s *sleeper) write(do func() error) error {
	s.mu.Lock()
	s.left--
	now := s.left == 0
	s.mu.Unlock()
	if !now {
		return do()
	}
	if s.after {
		err := do()
		s.sleep()
		return err
	}
	s.sleep()
	return do()
}

func (s *sleeper) sleep() {
	close(s.asleep)
	<-s.wake
}

// TestStoppedAtEveryWrite stops the leader at each of its writes, for longer than
// the Lease: another leads. A round later, or some, or when all is done, the first
// wakes and goes on with what it was about to write. The outcome is that of a
// leader that lives.
func TestStoppedAtEveryWrite(t *testing.T) {
	for name, story := range stories() {
		if story.github != nil {
			continue // its dispatches go another way, and whoever leads looks for them first
		}
		sleeps := []int{1, 2, 4, story.rounds}
		if testing.Short() {
			sleeps = []int{1, story.rounds}
		}
		for _, after := range []bool{false, true} {
			for n := 1; ; n++ {
				slept := false
				for _, rounds := range sleeps {
					s := &sleeper{left: n, after: after, asleep: make(chan struct{}), wake: make(chan struct{})}
					t.Run(fmt.Sprintf("%s/write %d, after %v, for %d rounds", name, n, after, rounds), func(t *testing.T) {
						w := story.begin(t)
						story.tell(t, w, func() { slept = w.stop(s, rounds) })
						if w.ticked != nil {
							t.Error("the story was over before the leader woke")
						}
					})
				}
				if !slept {
					if n < 4 {
						t.Errorf("%s: the leader was never stopped", name)
					}
					break
				}
			}
		}
	}
}

// stop lets a leader work until it is stopped, and another go on, and wakes the
// first after so many rounds. It reports whether it came to that.
func (w *world) stop(s *sleeper, rounds int) bool {
	old := w.newLoop(writing(w.client, s.write))
	for range 3 {
		done := make(chan struct{})
		w.now = w.now.Add(time.Second)
		go func() {
			defer close(done)
			old.Round(w.t.Context())
		}()
		select {
		case <-done:
			continue
		case <-s.asleep:
		}
		w.loop = w.newLoop(w.client)
		w.ticked = func() {
			if rounds--; rounds == 0 {
				w.ticked = nil
				close(s.wake)
				<-done
			}
		}
		return true
	}
	w.loop = w.newLoop(w.client)
	return false
}
