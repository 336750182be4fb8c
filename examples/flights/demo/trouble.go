package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/examples/flights/data"
	"github.com/leeway-dev/leeway/examples/flights/model"
	registryv1alpha1 "github.com/leeway-dev/leeway/registry/v1alpha1"
)

// breakRelease registers and deploys a version that answers 20 % errors.
func (d *demo) breakRelease(ctx context.Context, name string) (release, error) {
	spoil := func(m *model.Model) {
		m.FailRatio = 0.2
		m.Intercept += float64(len(d.versions)) / 1e6 // each release is a file of its own
	}
	if err := d.register(ctx, name, data.Winter, spoil, nil); err != nil {
		return release{}, err
	}
	return d.versions[name], d.deploy(ctx, d.versions[name])
}

func (d *demo) badRelease(ctx context.Context, s *scene, _ *api) error {
	winter := d.versions["winter"].number
	start := time.Now()
	bad, err := d.breakRelease(ctx, "bad")
	if err != nil {
		return err
	}
	decision, err := d.decision(ctx, start, time.Minute, "a rollback is decided", func(x v1alpha1.ModelDecision) bool { return x.Spec.Action == "rollback" })
	if err != nil {
		return err
	}
	first := d.replay.FirstFault(start)
	s.DetectedSeconds = seconds(decision.Spec.DecidedAt.Sub(first))
	d.say("  %s", d.explain(ctx, decision.Name))
	if decision.Spec.To != winter {
		return fmt.Errorf("it goes to version %s, want the last good one, %s", decision.Spec.To, winter)
	}
	if err := d.settle(ctx, winter, time.Minute); err != nil {
		return err
	}
	s.RecoveredSeconds = seconds(time.Since(first))
	if err := until(ctx, time.Minute, "the bad version is rejected", func() error { return d.lifecycle(ctx, bad, registryv1alpha1.Rejected) }); err != nil {
		return err
	}
	if err := d.calm(ctx, time.Minute, time.Second); err != nil {
		return err
	}
	d.say("  Somebody applies the bad version's manifest again.")
	again := time.Now()
	if err := d.deploy(ctx, bad); err != nil {
		return err
	}
	status, err := d.held(ctx, 20*time.Second, "rejected_version_returned")
	if err != nil {
		return err
	}
	if !strings.Contains(status.Message, "kubectl-client-side-apply") {
		return fmt.Errorf("the guard does not name the field manager: %s", status.Message)
	}
	if err := pause(ctx, 15*time.Second); err != nil {
		return err
	}
	_, decisions := d.snapshot(again)
	if v, _, err := d.serving(ctx); err != nil || v != bad.number || len(changes(decisions)) > 0 {
		return errors.Join(err, fmt.Errorf("version %s is in the template after %q: a person was fought", v, changes(decisions)))
	}
	d.say("  Not fought. The person sees it, and puts the winter version back.")
	if err := d.deploy(ctx, d.versions["winter"]); err != nil {
		return err
	}
	if err := d.settle(ctx, winter, time.Minute); err != nil {
		return err
	}
	s.Detail = fmt.Sprintf("decided %.1f s after the first bad answer, all pods on version %s after %.1f s; version %s is rejected, and held when a person brings it back", *s.DetectedSeconds, winter, *s.RecoveredSeconds, bad.number)
	if *s.DetectedSeconds > 5 || *s.RecoveredSeconds > 15 {
		return errors.New("too slow, want 5 s and 15 s: " + s.Detail)
	}
	return nil
}

func (d *demo) lifecycle(ctx context.Context, r release, want registryv1alpha1.Lifecycle) error {
	var v registryv1alpha1.ModelVersion
	if err := d.kube.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "flights-" + r.number}, &v); err != nil {
		return err
	}
	if v.Status.Lifecycle != want {
		return fmt.Errorf("version %s is %s", r.number, v.Status.Lifecycle)
	}
	return nil
}

func (d *demo) brokenInput(ctx context.Context, s *scene, _ *api) error {
	const column = "temp"
	if err := d.calm(ctx, 90*time.Second, 25*time.Second); err != nil {
		return err
	}
	start := time.Now()
	d.replay.Without(column)
	decision, err := d.decision(ctx, start, time.Minute, "broken input is held", func(x v1alpha1.ModelDecision) bool { return x.Spec.Cause == "broken_input" })
	if err != nil {
		return err
	}
	s.DetectedSeconds = seconds(decision.Spec.DecidedAt.Sub(start))
	d.say("  %s", d.explain(ctx, decision.Name))
	if !slices.Contains(decision.Spec.Columns, column) || decision.Spec.Action != "hold" {
		return fmt.Errorf("the decision is %s for columns %q, want hold for %q", decision.Spec.Action, decision.Spec.Columns, column)
	}
	if err := pause(ctx, 35*time.Second); err != nil { // the act clock sees it too by now
		return err
	}
	if _, err := d.held(ctx, time.Second, "broken_input"); err != nil {
		return err
	}
	d.say("  The pipeline is mended.")
	d.replay.Without("")
	mended := time.Now()
	if err := d.calm(ctx, 90*time.Second, 5*time.Second); err != nil {
		return err
	}
	s.RecoveredSeconds = seconds(time.Since(mended))
	if _, decisions := d.snapshot(start); len(changes(decisions)) > 0 {
		return fmt.Errorf("something was done on garbage: %q", changes(decisions))
	}
	s.Detail = fmt.Sprintf("held after %.1f s, and %q named; nothing rolled back or retrained", *s.DetectedSeconds, column)
	return nil
}

func (d *demo) silence(ctx context.Context, s *scene, _ *api) error {
	start := time.Now()
	d.replay.Pause()
	if _, err := d.held(ctx, time.Minute, "no_traffic"); err != nil {
		return err
	}
	s.DetectedSeconds = seconds(time.Since(start))
	d.replay.Send(d.rows.winter)
	if err := d.calm(ctx, time.Minute, 3*time.Second); err != nil {
		return err
	}
	d.say("  Now the node agents are taken away; traffic goes on.")
	selector := func(value string) error {
		_, err := d.kubectl(ctx, "patch", "-n", system, "daemonset/leeway-node", "--type=merge", "-p", `{"spec":{"template":{"spec":{"nodeSelector":{"leeway.dev/nowhere":`+value+`}}}}}`)
		return err
	}
	if err := selector(`"yes"`); err != nil {
		return err
	}
	status, err := d.held(ctx, time.Minute, "no_data", "sidecar_missing", "source_unreachable")
	if err != nil {
		return err
	}
	if err := pause(ctx, 10*time.Second); err != nil {
		return err
	}
	if err := selector("null"); err != nil {
		return err
	}
	if err := d.calm(ctx, 90*time.Second, 10*time.Second); err != nil {
		return err
	}
	s.RecoveredSeconds = seconds(time.Since(start))
	if _, decisions := d.snapshot(start); len(changes(decisions)) > 0 {
		return fmt.Errorf("something was done while blind: %q", changes(decisions))
	}
	s.Detail = fmt.Sprintf("held for no_traffic after %.1f s, then for %s; nothing done", *s.DetectedSeconds, status.Reason)
	return nil
}

func (d *demo) leaderKilled(ctx context.Context, s *scene, _ *api) error {
	winter := d.versions["winter"].number
	if err := d.calm(ctx, 90*time.Second, 25*time.Second); err != nil {
		return err
	}
	start := time.Now()
	if _, err := d.breakRelease(ctx, "bad again"); err != nil {
		return err
	}
	generation, err := d.generation(ctx)
	if err != nil {
		return err
	}
	decision, err := d.decision(ctx, start, time.Minute, "the journal says applied", func(x v1alpha1.ModelDecision) bool {
		return x.Spec.Action == "rollback" && !step(x, "applied").IsZero()
	})
	if err != nil {
		return err
	}
	first := d.replay.FirstFault(start)
	s.DetectedSeconds = seconds(decision.Spec.DecidedAt.Sub(first))
	leader, err := d.leader(ctx)
	if err != nil {
		return err
	}
	if _, err := d.kubectl(ctx, "delete", "pod", "-n", system, leader, "--grace-period=0", "--force"); err != nil {
		return err
	}
	d.say("  %s is killed, right after it applied the change.", leader)
	if err := d.settle(ctx, winter, time.Minute); err != nil {
		return err
	}
	s.RecoveredSeconds = seconds(time.Since(first))
	if _, err := d.decision(ctx, start, 90*time.Second, "the decision is finished", func(x v1alpha1.ModelDecision) bool {
		return x.Name == decision.Name && x.Status.State == v1alpha1.Done
	}); err != nil {
		return err
	}
	next, err := d.leader(ctx)
	if err != nil {
		return err
	}
	after, err := d.generation(ctx)
	if err != nil {
		return err
	}
	if after != generation+1 || next == leader {
		return fmt.Errorf("the template changed %d times, want once; the leader is %s, was %s", after-generation, next, leader)
	}
	s.Detail = fmt.Sprintf("%s finished what %s had begun; the template changed exactly once", next, leader)
	return nil
}

// leader is the pod that holds the Lease.
func (d *demo) leader(ctx context.Context) (string, error) {
	var lease coordinationv1.Lease
	if err := d.kube.Get(ctx, client.ObjectKey{Namespace: system, Name: "leeway-controller"}, &lease); err != nil {
		return "", err
	}
	if lease.Spec.HolderIdentity == nil {
		return "", errors.New("nobody leads")
	}
	name, _, _ := strings.Cut(*lease.Spec.HolderIdentity, "_")
	return name, nil
}

// generation counts the changes of the workload's spec, as the API server does.
func (d *demo) generation(ctx context.Context) (int64, error) {
	var w appsv1.Deployment
	err := d.kube.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "flights"}, &w)
	return w.Generation, err
}
