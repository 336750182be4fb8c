package guard

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/evidence"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// measure reads the numbers that the diagnosis needs. What can't be read makes
// the guard blind, never healthy.
func (v *visit) measure(ctx context.Context) error {
	e := &v.evidence
	if v.round.blind != nil {
		e.Blind, e.BlindDetail = decide.ReasonSourceUnreachable, v.round.blind.Error()
		v.conditionBlind()
		return nil
	}
	if err := v.see(ctx); err != nil {
		e.Blind, e.BlindDetail = decide.ReasonSourceUnreachable, err.Error()
	}
	v.conditionBlind()
	return nil
}

// blind looks whether there is anything to see at all: pods, their sidecars'
// metrics, requests. While a version is new, its metrics are given time.
func (v *visit) blind(ctx context.Context) (decide.Reason, string, error) {
	settled := v.evidence.SettledAt
	if settled.IsZero() || v.now.Sub(settled) < v.Stale {
		return "", "", nil
	}
	due := v.due()
	if len(v.pods) == 0 {
		return decide.ReasonNoTraffic, "no pod of version " + v.evidence.Active + " runs", nil
	}
	vector, err := v.Source.Query(ctx, fmt.Sprintf("count by (pod, reference) (count_over_time(leeway_model_info{%s}[%s]))",
		v.reads().Selector(v.evidence.Active), evidence.Duration(v.Stale)), v.now)
	if err != nil {
		return "", "", err
	}
	seen := map[string]bool{}
	for _, s := range vector {
		seen[s.Metric.Get("pod")] = true
		if detail := v.strange(s.Metric.Get("pod"), s.Metric.Get("reference")); detail != "" {
			return decide.ReasonNoData, detail, nil
		}
	}
	var unseen []string
	for _, p := range due {
		if !seen[p.Name] {
			unseen = append(unseen, p.Name)
		}
	}
	if len(unseen)*10 > len(due) {
		detail := fmt.Sprintf("%d of %d pods: %s", len(unseen), len(due), strings.Join(unseen[:min(3, len(unseen))], ", "))
		if !v.work.HasContainer(SidecarContainer) {
			return decide.ReasonSidecarMissing, detail, nil
		}
		return decide.ReasonNoData, detail, nil
	}
	if v.now.Sub(settled) < v.TrafficWindow {
		return "", "", nil
	}
	return v.reads().Traffic(ctx, v.evidence.Active)
}

// strange says that a pod counts by another profile than the registered one. Its
// bins are not those that the rules compare with, so its counts say nothing of the
// model: whoever reaches the port of a sidecar whose pod is not stamped may have
// given it one.
func (v *visit) strange(pod, reference string) string {
	r := v.version(v.evidence.Active)
	if reference == "" || reference == "none" || r == nil || r.Spec.Profile == nil || strings.HasPrefix(r.Spec.Profile.Digest, reference) {
		return ""
	}
	return fmt.Sprintf("pod %s counts by the profile %s, and version %s was registered with %.19s: restart the pod, and stamp the pod template with %s",
		pod, reference, v.evidence.Active, r.Spec.Profile.Digest, v1alpha1.AnnotationProfileDigest)
}

// due are the pods that have been ready for long enough to have been scraped.
func (v *visit) due() []corev1.Pod {
	var due []corev1.Pod
	for _, p := range v.pods {
		for _, c := range p.Status.Conditions {
			if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue && v.now.Sub(c.LastTransitionTime.Time) >= v.Stale {
				due = append(due, p)
			}
		}
	}
	return due
}

// see reads what there is to see.
func (v *visit) see(ctx context.Context) error {
	e := &v.evidence
	var err error
	if e.Blind, e.BlindDetail, err = v.blind(ctx); err != nil || e.Blind != "" {
		return err
	}
	return v.reads().Measure(ctx, e, &v.guard.Status.History[0])
}

// reads reads the numbers of the guard's model now.
func (v *visit) reads() evidence.Reader {
	return evidence.Reader{
		Source: v.Source, Namespace: v.guard.Namespace, Model: v.guard.Spec.Model, Now: v.now,
		Stale: v.Stale, TrafficWindow: v.TrafficWindow, PageWindow: cmp.Or(v.round.verdicts.PageWindow, "1h"),
	}
}
