package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
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

// feed sends what the pods say to both controllers, as the agents of their nodes
// do, until ctx ends.
func (f *fleet) feed(ctx context.Context, urls []string, every func() time.Duration, failed *atomic.Pointer[error], sent *atomic.Int64) {
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	defer client.CloseIdleConnections()
	began := time.Now()
	work := make(chan string)
	var senders sync.WaitGroup
	for range 8 {
		senders.Go(func() {
			for node := range work {
				r := f.scrape(node, time.Since(began).Seconds())
				for _, url := range urls {
					if err := r.send(ctx, client, url, f.tokens[node]); err != nil && ctx.Err() == nil {
						failed.Store(&err)
						continue
					}
					sent.Add(int64(r.samples))
				}
			}
		})
	}
	defer senders.Wait()
	defer close(work)
	var names []string
	for node := range f.nodes {
		names = append(names, node)
	}
	slices.Sort(names)
	for round := time.Now(); ctx.Err() == nil; {
		for i, node := range names {
			due := round.Add(every() * time.Duration(i) / time.Duration(len(names)))
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Until(due)):
			}
			select {
			case <-ctx.Done():
				return
			case work <- node:
			}
		}
		round = round.Add(every())
		if late := time.Since(round); late > 0 {
			round = round.Add(late)
		}
		time.Sleep(time.Until(round))
	}
}

// scrape is what a node's pods say now.
func (f *fleet) scrape(node string, seconds float64) *request {
	f.mu.Lock()
	defer f.mu.Unlock()
	now, r := time.Now(), newRequest()
	for _, p := range f.nodes[node] {
		p.serves.advance(seconds)
		i := 0
		p.serves.each(func(_ string, value float64) {
			if p.labels[i] != nil {
				r.add(p.labels[i], value, now)
			}
			i++
		})
	}
	return r
}

// release deploys a version as a person would, and plays the rollout.
func (f *fleet) release(ctx context.Context, m *model, version string) error {
	deployments := f.s.kube.AppsV1().Deployments(m.namespace)
	for {
		d, err := deployments.Get(ctx, m.name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		d.Spec.Template = f.deployment(m, version).Spec.Template
		_, err = deployments.Update(ctx, d, metav1.UpdateOptions{FieldManager: releaseManager})
		if !apierrors.IsConflict(err) {
			return err
		}
	}
}

// roll plays the controller of Deployments: pods are relabelled, not made anew. It
// looks at changes until ctx ends.
func (f *fleet) roll(ctx context.Context) error {
	byName := map[string]*model{}
	for _, m := range f.models {
		byName[m.namespace+"/"+m.name] = m
	}
	w, err := f.s.kube.AppsV1().Deployments("").Watch(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	defer w.Stop()
	var rolls sync.WaitGroup
	defer rolls.Wait()
	for event := range w.ResultChan() {
		d, ok := event.Object.(*appsv1.Deployment)
		if !ok || d.Status.ObservedGeneration >= d.Generation {
			continue
		}
		rolls.Go(func() {
			if err := f.rollOne(ctx, byName[d.Namespace+"/"+d.Name], d); err != nil && ctx.Err() == nil && !apierrors.IsConflict(err) {
				f.s.say("rollout of %s: %v", d.Name, err)
			}
		})
	}
	return ctx.Err()
}

func (f *fleet) rollOne(ctx context.Context, m *model, d *appsv1.Deployment) error {
	version := d.Spec.Template.Labels[versionLabel]
	f.mu.Lock()
	changed := m.version != version
	if changed {
		m.version = version
		for i, p := range m.pods {
			f.play(p, uint64(i)+uint64(d.Generation)<<32)
			p.serves.at = f.sinceStart()
		}
	}
	f.mu.Unlock()
	if changed {
		for _, p := range m.pods {
			pod, err := f.s.kube.CoreV1().Pods(m.namespace).Get(ctx, p.name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			pod.Labels = podLabels(m, version)
			if pod, err = f.s.kube.CoreV1().Pods(m.namespace).Update(ctx, pod, metav1.UpdateOptions{}); err != nil {
				return err
			}
			for i := range pod.Status.Conditions {
				pod.Status.Conditions[i].LastTransitionTime = metav1.Now()
			}
			if _, err = f.s.kube.CoreV1().Pods(m.namespace).UpdateStatus(ctx, pod, metav1.UpdateOptions{}); err != nil {
				return err
			}
		}
	}
	now, err := f.s.kube.AppsV1().Deployments(m.namespace).Get(ctx, m.name, metav1.GetOptions{})
	if err != nil || now.Generation != d.Generation {
		return err
	}
	return f.rolledOut(ctx, m, now)
}

// sinceStart is the time that sidecars have, of the first pod; f.mu is held.
func (f *fleet) sinceStart() float64 {
	most := 0.0
	for _, pods := range f.nodes {
		for _, p := range pods {
			most = max(most, p.serves.at)
		}
	}
	return most
}

// settled waits until every guard watches a version that is settled for so long.
func (f *fleet) settled(ctx context.Context, long, patience time.Duration) error {
	return await(ctx, patience, func() error {
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
	err = await(ctx, patience, func() error {
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
