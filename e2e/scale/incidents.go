package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/leeway-dev/leeway/e2e/plane"
)

// decision is what is read of a ModelDecision.
type decision struct {
	Metadata struct {
		Name, Namespace   string
		CreationTimestamp time.Time
	}
	Spec struct {
		Guard, Cause, Action, Reason string
		DecidedAt                    time.Time
		Alerts                       []struct {
			Cause    string
			ActiveAt time.Time
		}
	}
	Status struct{ State, Reason string }
}

// settled waits until every guard watches a version that is settled for so long.
func (f *fleet) settled(ctx context.Context, long, patience time.Duration) error {
	return plane.Await(ctx, patience, func() error {
		l, err := f.s.dynamic.Resource(guards).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		waits := ""
		n := 0
		for _, g := range l.Items {
			status, _, _ := unstructured.NestedMap(g.Object, "status")
			at, _ := time.Parse(time.RFC3339Nano, fmt.Sprint(status["settledAt"]))
			if status["phase"] != "Watching" || at.IsZero() || time.Since(at) < long {
				n++
				waits = fmt.Sprintf("%s is %v (%v: %v), settled %v", g.GetName(), status["phase"], status["reason"], status["message"], status["settledAt"])
			}
		}
		if n > 0 || len(l.Items) < len(f.models) {
			return fmt.Errorf("%d of %d guards are not settled: %s", n, len(l.Items), waits)
		}
		return nil
	})
}

// outcome of incidents that began at once.
type outcome struct {
	latencies []time.Duration // from the alert to the decision, with the rule's `for`
	actions   map[string]int
	acting    int // the most at once
}

// incident releases the bad version of some models at once, and waits until there
// is a decision for each.
func (f *fleet) incident(ctx context.Context, models []*model, patience time.Duration) (o outcome, err error) {
	o.actions = map[string]int{}
	byName := map[string]*model{}
	for _, m := range models {
		byName[m.namespace+"/"+m.name] = m
	}
	began := time.Now()
	if err := each(byName, func(key string) error { return f.release(ctx, byName[key], bad) }); err != nil {
		return o, err
	}
	err = plane.Await(ctx, patience, func() error {
		acting, err := f.acting(ctx)
		if err != nil {
			return err
		}
		o.acting = max(o.acting, acting)
		all, err := f.s.decided(ctx)
		if err != nil {
			return err
		}
		first := map[string]decision{}
		for _, d := range all {
			key := d.Metadata.Namespace + "/" + d.Spec.Guard
			if was, ok := first[key]; byName[key] != nil && d.Spec.DecidedAt.After(began) && (!ok || d.Spec.DecidedAt.Before(was.Spec.DecidedAt)) {
				first[key] = d
			}
		}
		if len(first) < len(models) {
			return fmt.Errorf("%d decisions of %d incidents", len(first), len(models))
		}
		o.latencies = nil
		clear(o.actions)
		for _, d := range first {
			for _, a := range d.Spec.Alerts {
				if a.Cause == "errors" {
					o.latencies = append(o.latencies, d.Spec.DecidedAt.Sub(a.ActiveAt))
					break
				}
			}
			o.actions[d.Spec.Cause+" "+d.Spec.Action+" "+d.Spec.Reason]++
		}
		return nil
	})
	slices.Sort(o.latencies)
	return o, err
}

// acting counts the guards that act or verify.
func (f *fleet) acting(ctx context.Context) (n int, err error) {
	l, err := f.s.dynamic.Resource(guards).List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		return 0, err
	}
	for _, g := range l.Items {
		if phase, _, _ := unstructured.NestedString(g.Object, "status", "phase"); phase == "Acting" || phase == "Verifying" {
			n++
		}
	}
	return n, nil
}
