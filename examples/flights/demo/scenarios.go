package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/examples/flights/data"
	"github.com/leeway-dev/leeway/examples/flights/model"
	registryv1alpha1 "github.com/leeway-dev/leeway/registry/v1alpha1"
)

// pause waits, unless the demo is ended.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// calm waits until the guard watches, and checks that it stays so.
func (d *demo) calm(ctx context.Context, timeout, stay time.Duration) error {
	watching := func() error {
		if s, _ := d.snapshot(time.Time{}); s.Phase != v1alpha1.Watching {
			return fmt.Errorf("the guard is %s (%s): %s", s.Phase, s.Reason, s.Message)
		}
		return nil
	}
	if err := until(ctx, timeout, "the guard watches", watching); err != nil {
		return err
	}
	if err := pause(ctx, stay); err != nil {
		return err
	}
	return watching()
}

func (d *demo) healthy(ctx context.Context, s *scene, a *api) error {
	d.replay.Send(d.rows.winter)
	if err := d.calm(ctx, 40*time.Second, 30*time.Second); err != nil {
		return err
	}
	from := time.Now()
	if err := pause(ctx, 20*time.Second); err != nil {
		return err
	}
	firing, err := a.firing(ctx)
	if err != nil {
		return err
	}
	if _, decisions := d.snapshot(s.from); len(decisions)+len(firing) > 0 {
		return fmt.Errorf("%d decisions and alerts %q, want none", len(decisions), firing)
	}
	s.ErrorAfter = s.measure(from, time.Now(), d.versions["winter"].number)
	s.Detail = fmt.Sprintf("no alert, no action; the mean error is %.1f minutes", *s.ErrorAfter)
	return nil
}

func (d *demo) newRegime(ctx context.Context, s *scene, _ *api) error {
	winter := d.versions["winter"].number
	s.ErrorBefore = s.measure(s.from.Add(-20*time.Second), s.from, winter)
	start := time.Now()
	d.replay.Send(d.rows.summerFirst)
	decision, err := d.decision(ctx, start, 90*time.Second, "a retraining is decided", func(x v1alpha1.ModelDecision) bool { return x.Spec.Action == "retrain" })
	if err != nil {
		return err
	}
	s.DetectedSeconds = seconds(decision.Spec.DecidedAt.Sub(start))
	d.say("  %s", d.explain(ctx, decision.Name))
	var version registryv1alpha1.ModelVersion
	if err := until(ctx, 2*time.Minute, "the Job registers a version", func() (err error) {
		version, err = d.registered(ctx, decision.Name)
		return err
	}); err != nil {
		return err
	}
	number := fmt.Sprint(version.Spec.Version)
	d.say("  The Job registered version %s: its error on held-out rows is %s minutes.", number, version.Spec.Metrics["mae"])
	if err := until(ctx, time.Minute, "version "+number+" answers", func() error {
		if d.replay.Score(time.Now().Add(-2*time.Second), time.Now(), number).Versions[number] == 0 {
			return errors.New("it does not yet")
		}
		return nil
	}); err != nil {
		return err
	}
	s.ErrorDuring = s.measure(start, time.Now(), winter)
	d.replay.Send(d.rows.summerThen) // rows that it was not trained on
	if err := d.settle(ctx, number, time.Minute); err != nil {
		return err
	}
	settled := time.Now()
	s.RecoveredSeconds = seconds(settled.Sub(start))
	if _, err := d.decision(ctx, start, time.Minute, "the new version is verified by labels", func(x v1alpha1.ModelDecision) bool {
		return x.Spec.To == number && x.Status.State == v1alpha1.Done && x.Status.VerifiedBy == "labels" ||
			x.Name == decision.Name && x.Status.State == v1alpha1.Done && x.Status.VerifiedBy == "labels"
	}); err != nil {
		return err
	}
	// Long enough that going back to the version just left is not going to and fro
	// (returnAfter, a minute here).
	if err := d.calm(ctx, 40*time.Second, time.Until(settled.Add(65*time.Second))); err != nil {
		return err
	}
	s.ErrorAfter = s.measure(settled, time.Now(), number)
	d.versions["summer"] = release{number: number, uri: version.Spec.Artifact.URI}
	s.Detail = fmt.Sprintf("error %.1f → %.1f minutes in summer, → %.1f with version %s, trained on what had come in", *s.ErrorBefore, *s.ErrorDuring, *s.ErrorAfter, number)
	return atMost(*s.ErrorAfter, 0.5, *s.ErrorDuring)
}

func atMost(after, factor, during float64) error {
	if after > factor*during {
		return fmt.Errorf("the error afterwards is %.2f, want at most %.1f x %.2f", after, factor, during)
	}
	return nil
}

// registered finds the version that a decision's training registered.
func (d *demo) registered(ctx context.Context, decision string) (v registryv1alpha1.ModelVersion, err error) {
	var list registryv1alpha1.ModelVersionList
	if err := d.kube.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return v, err
	}
	for _, v := range list.Items {
		if v.Spec.Lineage.Decision == decision {
			return v, nil
		}
	}
	return v, fmt.Errorf("%d versions, none of decision %s", len(list.Items), decision)
}

// explain is what the CLI says of a decision: what the registry answered, and
// what was decided. All of it is a command away.
func (d *demo) explain(ctx context.Context, decision string) string {
	out, err := d.leeway(ctx, "explain", "--namespace", namespace, decision)
	if err != nil {
		d.report.note("explain: %v", err)
	}
	lines := []string{"$ kubectl leeway explain " + decision}
	for section := range strings.SplitSeq(out, "\n\n") {
		title, text, _ := strings.Cut(section, "\n")
		if title == "What it was taken for" || title == "What the registry answered" || title == "What was decided" {
			lines = append(lines, strings.Split(text, "\n")...)
		}
	}
	return strings.Join(lines, "\n            ")
}

func (d *demo) seasonReturns(ctx context.Context, s *scene, _ *api) error {
	winter, summer := d.versions["winter"].number, d.versions["summer"].number
	artifact, err := d.store.Get(ctx, d.versions["summer"].uri)
	if err != nil {
		return err
	}
	inService, err := model.Parse(artifact)
	if err != nil {
		return err
	}
	if err := d.register(ctx, "autumn", data.Autumn, nil, inService); err != nil {
		return err
	}
	d.say("  Meanwhile the team has registered an autumn version, %s.", d.versions["autumn"].number)
	s.ErrorBefore = s.measure(time.Now().Add(-20*time.Second), time.Now(), summer)
	start := time.Now()
	d.replay.Send(d.rows.december)
	decision, err := d.decision(ctx, start, 90*time.Second, "a rollback is decided", func(x v1alpha1.ModelDecision) bool { return x.Spec.Action == "rollback" })
	if err != nil {
		return err
	}
	s.DetectedSeconds = seconds(decision.Spec.DecidedAt.Sub(start))
	d.say("  %s", d.explain(ctx, decision.Name))
	if decision.Spec.To != winter {
		return fmt.Errorf("it goes to version %s, want winter's, %s", decision.Spec.To, winter)
	}
	if err := d.settle(ctx, winter, time.Minute); err != nil {
		return err
	}
	settled := time.Now()
	s.RecoveredSeconds = seconds(settled.Sub(start))
	if _, err := d.decision(ctx, start, time.Minute, "the rollback is verified", func(x v1alpha1.ModelDecision) bool {
		return x.Name == decision.Name && x.Status.State == v1alpha1.Done
	}); err != nil {
		return err
	}
	s.ErrorDuring = s.measure(start, settled, summer)
	s.ErrorAfter = s.measure(settled, time.Now(), winter)
	d.say("  The error fell from %.1f to %.1f minutes. December stays a while, then January and February go on.", *s.ErrorDuring, *s.ErrorAfter)
	quiet := time.Now()
	if err := pause(ctx, 20*time.Second); err != nil {
		return err
	}
	d.replay.Send(d.rows.winter)
	if err := d.calm(ctx, 75*time.Second, 10*time.Second); err != nil {
		return err
	}
	if _, decisions := d.snapshot(quiet); len(changes(decisions)) > 0 {
		return fmt.Errorf("something was done afterwards: %q", changes(decisions))
	}
	s.Detail = fmt.Sprintf("back to version %s, not the newest (%s), not the one before: error %.1f → %.1f minutes", winter, d.versions["autumn"].number, *s.ErrorDuring, *s.ErrorAfter)
	return atMost(*s.ErrorAfter, 0.8, *s.ErrorDuring)
}
