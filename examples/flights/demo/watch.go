package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// watcher follows the guard and its decisions, and tells what is new.
type watcher struct {
	mu        sync.Mutex
	guard     v1alpha1.ModelGuard
	decisions []v1alpha1.ModelDecision // oldest first
	told      map[string]int           // steps told, by decision
	phase     string
}

// follow looks four times a second, until ctx ends.
func (d *demo) follow(ctx context.Context) {
	d.watch.told = map[string]int{}
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		d.look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (d *demo) look(ctx context.Context) {
	var guard v1alpha1.ModelGuard
	var list v1alpha1.ModelDecisionList
	if d.kube.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "flights"}, &guard) != nil ||
		d.kube.List(ctx, &list, client.InNamespace(namespace)) != nil {
		return
	}
	slices.SortFunc(list.Items, func(a, b v1alpha1.ModelDecision) int {
		return cmp.Or(a.Spec.DecidedAt.Compare(b.Spec.DecidedAt.Time), cmp.Compare(a.Name, b.Name))
	})
	d.watch.mu.Lock()
	defer d.watch.mu.Unlock()
	d.watch.guard, d.watch.decisions = guard, list.Items
	for _, x := range list.Items {
		d.tell(x)
	}
	phase := fmt.Sprint(guard.Status.Phase, " ", guard.Status.Reason)
	if phase != d.watch.phase && (guard.Status.Phase == v1alpha1.Held || guard.Status.Phase == v1alpha1.Watching) {
		d.say("    guard: %s  %s", phase, guard.Status.Message)
	}
	d.watch.phase = phase
}

// tell says what a decision is, once, and each new step of its journal.
func (d *demo) tell(x v1alpha1.ModelDecision) {
	if _, ok := d.watch.told[x.Name]; !ok {
		to := ""
		if x.Spec.To != "" {
			to = " → " + x.Spec.To
		}
		d.say("    decision %s: %s, so %s%s (%s)", x.Name, x.Spec.Cause, x.Spec.Action, to, x.Spec.Reason)
		d.watch.told[x.Name] = 0
	}
	for _, s := range x.Status.Steps[min(d.watch.told[x.Name], len(x.Status.Steps)):] {
		d.say("      %s %s %s", s.Time.Format("15:04:05.0"), s.Name, s.Message)
	}
	d.watch.told[x.Name] = len(x.Status.Steps)
}

// snapshot of the guard and of the decisions made at or after from.
func (d *demo) snapshot(from time.Time) (v1alpha1.ModelGuardStatus, []v1alpha1.ModelDecision) {
	d.watch.mu.Lock()
	defer d.watch.mu.Unlock()
	var since []v1alpha1.ModelDecision
	for _, x := range d.watch.decisions {
		if !x.Spec.DecidedAt.Time.Before(from) {
			since = append(since, x)
		}
	}
	return d.watch.guard.Status, since
}

// decision waits for one made since from that ok likes.
func (d *demo) decision(ctx context.Context, from time.Time, timeout time.Duration, what string, ok func(v1alpha1.ModelDecision) bool) (found v1alpha1.ModelDecision, err error) {
	err = until(ctx, timeout, what, func() error {
		guard, since := d.snapshot(from)
		for _, x := range since {
			if ok(x) {
				found = x
				return nil
			}
		}
		return fmt.Errorf("the guard is %s (%s): %s; %d other decisions", guard.Phase, guard.Reason, guard.Message, len(since))
	})
	return found, err
}

// held waits until the guard holds for a reason.
func (d *demo) held(ctx context.Context, timeout time.Duration, reasons ...string) (status v1alpha1.ModelGuardStatus, err error) {
	err = until(ctx, timeout, fmt.Sprintf("the guard holds for %q", reasons), func() error {
		status, _ = d.snapshot(time.Time{})
		if status.Phase != v1alpha1.Held || !slices.Contains(reasons, status.Reason) {
			return fmt.Errorf("it is %s (%s): %s", status.Phase, status.Reason, status.Message)
		}
		return nil
	})
	return status, err
}

// changes are the decisions among some that touched the workload or trained.
func changes(decisions []v1alpha1.ModelDecision) (acts []string) {
	for _, x := range decisions {
		if x.Spec.Action == "rollback" || x.Spec.Action == "redeploy" || x.Spec.Action == "retrain" {
			acts = append(acts, x.Name+" "+x.Spec.Action)
		}
	}
	return acts
}

// step is when the journal of a decision noted a step, or zero.
func step(x v1alpha1.ModelDecision, name string) time.Time {
	for _, s := range x.Status.Steps {
		if s.Name == name {
			return s.Time.Time
		}
	}
	return time.Time{}
}
