package guard

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/evidence"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/agent/workload"
	"github.com/leeway-dev/leeway/registry/artifact"
)

// choice is what is to be done, and what it rests on.
type choice struct {
	decide.Decision
	match *matched
	// judged is the evidence that it was judged by.
	judged decide.Evidence
	// level is how far Leeway may go with it.
	level v1alpha1.AutonomyLevel
}

// choose judges the evidence of now. It has no effect but on the evidence, so a
// decision that waited can be made again by it.
func (v *visit) choose(ctx context.Context) (choice, error) {
	var m *matched
	_, decided, err := evidence.Judge(&v.evidence, v.policy, v.now, func(from time.Time, newer bool) (*evidence.Match, decide.Reason, string, error) {
		found, reason, detail, err := v.match(ctx, from, newer)
		if !newer {
			m = found
		}
		return found.answer(), reason, detail, err
	})
	if err != nil {
		return choice{}, err
	}
	v.conditionBlind()
	r, judged, err := v.usableTarget(ctx, m, decided)
	if err != nil {
		return choice{}, err
	}
	c := v.allowed(r, m)
	c.judged = judged
	v.conditionArtifact(c)
	v.conditionHealthy(c)
	return c, nil
}

// usableTarget decides, and decides again without a version whose artifact is
// gone or is not the one that was registered, until one is usable or none is left.
// It returns the evidence that this was decided on, too.
// A version that can't be looked at now is none of these: then it is held, for
// the next best would be worse, and later nobody would know why it was taken.
func (v *visit) usableTarget(ctx context.Context, m *matched, judge func(decide.Evidence) decide.Decision) (decide.Decision, decide.Evidence, error) {
	e := v.evidence
	e.Versions = slices.Clone(e.Versions)
	lost := map[string]decide.Reason{}
	if m != nil {
		for _, x := range m.lost() {
			lost[x.Version] = decide.Reason(x.Reason)
		}
		e.Versions = without(e.Versions, lost)
	}
	var last decide.Reason
	for range len(e.Versions) + 1 {
		r := judge(e)
		if r.Target == "" || !r.Action.Acts() && r.Proposed == "" {
			if why := cmp.Or(lost[r.Target], last); why != "" && r.Action == decide.Hold && r.Reason == decide.ReasonNoGoodVersion {
				r.Reason = why
			}
			r.Message += out(lost)
			return r, e, nil
		}
		reason, detail, err := v.artifactState(ctx, r.Target)
		switch {
		case err != nil:
			return r, e, err
		case reason == decide.ReasonArtifactUnreachable:
			r.Action, r.Proposed, r.Reason = decide.Hold, "", reason
			r.Message += fmt.Sprintf("; but its artifact can't be looked at now (%s), and no other version is taken instead", detail)
			fallthrough
		case reason == "":
			r.Message += out(lost)
			return r, e, nil
		}
		last, lost[r.Target] = reason, reason
		e.Versions = without(e.Versions, lost)
		if m != nil {
			if err := v.rank(m); err != nil {
				return r, e, err
			}
		}
	}
	return decide.Decision{}, e, fmt.Errorf("no end of versions whose artifact is unusable")
}

// without marks versions as none that can be gone back to.
func without(versions []decide.Known, lost map[string]decide.Reason) []decide.Known {
	for i := range versions {
		if lost[versions[i].Version] != "" {
			versions[i].Retired = true
		}
	}
	return versions
}

// out says which versions are out for their artifacts.
func out(lost map[string]decide.Reason) string {
	var b strings.Builder
	for _, version := range slices.Sorted(maps.Keys(lost)) {
		fmt.Fprintf(&b, " (version %s is out: %s)", version, lost[version])
	}
	return b.String()
}

// artifactState is why an artifact can't be deployed, with the details, or empty.
// An image whose registry can't be asked is no obstacle: its pin says what it is,
// and the kubelet asks with credentials of its own.
func (v *visit) artifactState(ctx context.Context, version string) (decide.Reason, string, error) {
	r := v.version(version)
	if r == nil {
		return decide.ReasonUnregistered, "", nil
	}
	_, isPinned := artifact.Pin(r.Spec.Artifact.URI)
	if v.guard.Spec.Artifact.Image && !isPinned { // which Auto does not deploy
		if err := v.checks.lost(v.now, r.Spec.Artifact); err != nil {
			return decide.Reason(artifact.Reason(err)), err.Error(), nil
		}
		return "", "", nil
	}
	err := v.checks.do(v.leading, v.Now, r.Spec.Artifact, v.CheckArtifact)
	if ctx.Err() != nil { // a long check outlives its visit, and serves the next
		return "", "", fmt.Errorf("check the artifact of version %s: %w", version, ctx.Err())
	}
	if err == nil {
		return "", "", nil
	}
	reason := decide.Reason(artifact.Reason(err))
	if reason == decide.ReasonArtifactUnreachable && isPinned {
		v.checks.hold(v.Now(), r.Spec.Artifact)
		return "", "", nil
	}
	return reason, err.Error(), nil
}

// allowed says how far Leeway may go with a decision, and holds it when
// something stands in its way that the judgement does not know of.
func (v *visit) allowed(r decide.Decision, m *matched) choice {
	c := choice{Decision: r, match: m}
	action := r.Action
	if r.Proposed != "" {
		action = r.Proposed
	}
	if !action.Acts() {
		return c
	}
	c.level = v.level(r.Cause, action)
	if action == decide.Rollback || action == decide.Redeploy {
		v.obstacles(&c)
	}
	evidence.Approvable(&c.Decision, &c.level)
	return c
}

// obstacles are looked at only where Leeway would act: what it would do under
// Observe is no less worth knowing.
func (v *visit) obstacles(c *choice) {
	if c.level == v1alpha1.Observe {
		return
	}
	target := v.version(c.Target)
	if owner, ok := v.work.GitOpsOwner(v.guard.Spec.Artifact); ok {
		c.Action, c.Proposed, c.Reason = decide.Hold, "", ReasonGitOpsOwned
		c.Message += fmt.Sprintf("; but %s owns the model's fields of %s and would put them back: commit version %s (%s) where it reads from, as \"kubectl leeway patch %s -n %s\" prints it",
			owner, v.work.Ref(), c.Target, target.Spec.Artifact.URI, v.guard.Name, v.guard.Namespace)
		return
	}
	if v.work.Paused {
		c.Action, c.Proposed, c.Reason = decide.Hold, "", ReasonPaused
		c.Message += fmt.Sprintf("; but %s is paused and would not roll out: resume it", v.work.Ref())
		return
	}
	if c.level == v1alpha1.Auto && !workload.Allowed(v.guard.Spec.Artifact, target.Spec.Artifact.URI) {
		c.Proposed, c.Action, c.Reason = c.Action, decide.Hold, decide.ReasonNotAllowed
		c.Message += fmt.Sprintf("; but %s matches no pattern of spec.artifact.allow%s, so a person has to approve it",
			target.Spec.Artifact.URI, pinned(v.guard))
	}
}

func pinned(g *v1alpha1.ModelGuard) string {
	if g.Spec.Artifact.Image {
		return " (an image must be pinned by its digest too)"
	}
	return ""
}

// level is the guard's for the kind of act. Without the right to act every
// guard observes.
func (v *visit) level(cause decide.Cause, action decide.Action) v1alpha1.AutonomyLevel {
	if !v.permitted {
		return v1alpha1.Observe
	}
	return evidence.Level(v.guard.Spec.Autonomy, cause, action)
}
