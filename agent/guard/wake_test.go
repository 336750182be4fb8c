package guard_test

import (
	"context"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// Whoever is woken is looked at before the next round, and by what the source
// says: where that says nothing, nothing happens.
func TestWake(t *testing.T) {
	w := newWorld(t)
	w.interval = time.Hour
	w.loop = w.newLoop(w.client)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.loop.Run(ctx) }()
	looked := func(what string) {
		t.Helper()
		for range 500 {
			if w.guard().Status.Phase == v1alpha1.Watching {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Fatalf("%s: not looked at", what)
	}
	looked("the first round")
	forget := func() {
		g := w.guard()
		g.Status = v1alpha1.ModelGuardStatus{}
		if err := w.client.Status().Update(t.Context(), g); err != nil {
			t.Fatal(err)
		}
	}
	forget()
	w.loop.Wake(ns, "another")
	time.Sleep(1500 * time.Millisecond)
	if p := w.guard().Status.Phase; p != "" {
		t.Errorf("the wake of another model led to a look: %s", p)
	}
	w.loop.Wake(ns, name)
	looked("woken")
	if ds := w.decisions(); len(ds) != 0 {
		t.Error(describe(ds))
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
