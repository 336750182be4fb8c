package guard

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/agent/workload"
	"github.com/leeway-dev/leeway/registry/artifact"
)

// imageGoneFor is how long a version is out whose image a node could not find.
// Nobody but a kubelet can look, so it is not asked again each round.
const imageGoneFor = time.Hour

// waitsForPerson is why a rollout can't go on before a person does something, if
// so. To undo it would not roll out either, and the version is not to blame.
func (v *visit) waitsForPerson(w *workload.Workload) *held {
	if w.Paused {
		return &held{ReasonPaused, fmt.Sprintf("%s is paused, so its rollout does not go on: resume it (kubectl rollout resume deployment %s -n %s)",
			w.Ref(), w.Name, w.Namespace)}
	}
	if t, ok := w.Stuck(slices.Concat(v.pods, v.others), v.now); ok {
		return &held{ReasonPodStuck, fmt.Sprintf("%s, and %s replaces no pod before all others are ready (OrderedReady), the broken one neither; "+
			"deleted by hand it comes back as version %s: kubectl delete pod %s -n %s",
			t.Message, w.Ref(), w.Template.Labels[v1alpha1.LabelVersion], t.Pod, w.Namespace)}
	}
	return nil
}

// hungUp says that a rollout, of which nothing is being decided, goes on only when
// a person helps it.
func (v *visit) hungUp(c choice, stands bool) *held {
	if v.progress.Complete || c.Action.Acts() && !stands {
		return nil
	}
	h := v.waitsForPerson(v.work)
	if h != nil && h.reason == ReasonPaused && (c.Cause != decide.RollingOut || !v.put()) {
		return nil // who releases step by step does so on purpose
	}
	return h
}

// hindrance is what keeps pods of the version from being rolled out, with the word
// for it: only for not_ready is the version to blame.
func (v *visit) hindrance(w *workload.Workload, version string) (decide.Reason, string) {
	troubles := workload.Troubles(v.podsOf(version))
	if t := first(troubles, func(t workload.Trouble) bool { return t.Kind == workload.Crashing }); t != nil {
		return decide.ReasonNotReady, t.Message
	}
	if t := first(troubles, func(t workload.Trouble) bool { return !t.Kind.Own() }); t != nil {
		ref := v.guard.Spec.Artifact
		switch {
		case t.Kind != workload.NoImage || !ref.Image || t.Container != ref.Container:
			return ReasonPodsPending, t.Message
		case t.Missing:
			return decide.ReasonArtifactMissing, t.Message
		}
		return decide.ReasonArtifactUnreachable, t.Message
	}
	if len(troubles) > 0 {
		return decide.ReasonNotReady, troubles[0].Message
	}
	if w.Counts.NotCreated != "" {
		return ReasonPodsPending, "pods can't be created: " + w.Counts.NotCreated
	}
	return decide.ReasonNotReady, ""
}

func first(all []workload.Trouble, is func(workload.Trouble) bool) *workload.Trouble {
	if i := slices.IndexFunc(all, is); i >= 0 {
		return &all[i]
	}
	return nil
}

// blameless are the reasons for which a change is undone that say nothing against
// the version: it is not rejected, and the decision is held, not failed.
func blameless(reason string) bool {
	switch decide.Reason(reason) {
	case ReasonPodsPending, decide.ReasonArtifactMissing, decide.ReasonArtifactUnreachable:
		return true
	}
	return false
}

// noteImage remembers that nodes don't find a version's image, so that the next
// best is taken.
func (v *visit) noteImage(version, message string) {
	if r := v.version(version); r != nil {
		v.checks.remember(r.Spec.Artifact, finding{fmt.Errorf("%w: %s", artifact.ErrMissing, message), v.now.Add(imageGoneFor)})
	}
}

// standing notes in a sample how the pods of a version that was rolled out are
// now. Pods that find no room, or whose node lacks something, say nothing about
// the version: autoscalers add them, and drained nodes send them elsewhere.
func (v *visit) standing(s *decide.Sample, version string, rolledOut time.Time) {
	s.Ready, s.ReadySince = true, rolledOut
	pods := v.podsOf(version)
	var crashing []string
	for _, t := range workload.Troubles(pods) {
		if !t.Kind.Own() {
			continue
		}
		s.Ready = false
		if s.UnreadySince.IsZero() || t.Since.Before(s.UnreadySince) {
			s.UnreadySince = t.Since
		}
		if t.Kind == workload.Crashing && t.Container == v.guard.Spec.Artifact.Container && t.Ended.After(rolledOut) {
			crashing = append(crashing, t.Message)
		}
	}
	if len(crashing) > 0 && 2*len(crashing) >= len(pods) { // one of many may be its node's fault
		s.Crashing = strings.Join(crashing[:min(len(crashing), 3)], "; ")
	}
}

// podsOf are those of a version, which need not be the one that the cache of this
// visit has as the active one.
func (v *visit) podsOf(version string) []corev1.Pod {
	var pods []corev1.Pod
	for _, p := range slices.Concat(v.pods, v.others) {
		if p.Labels[v1alpha1.LabelVersion] == version {
			pods = append(pods, p)
		}
	}
	return pods
}

// endUnrolled ends a decision whose change stays, for it can be rolled out by
// nobody but a person.
func (v *visit) endUnrolled(ctx context.Context, d *v1alpha1.ModelDecision, h *held) error {
	return v.end(ctx, d, v1alpha1.StateHeld, h.reason, string(decide.Inconclusive),
		fmt.Sprintf("%s; version %s stays in the pod template, and what comes of it is not verified", h.message, d.Spec.To))
}
