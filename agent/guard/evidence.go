package guard

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/evidence"
	"github.com/leeway-dev/leeway/agent/journal"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/registry"
)

// gather puts together what the judgement rests on.
func (v *visit) gather(ctx context.Context) error {
	store, err := v.Store(v.guard.Namespace)
	if err == nil {
		v.store = store
		v.versions, err = store.List(ctx, v.guard.Spec.Model)
	}
	if err != nil {
		v.hold(held{ReasonRegistryUnread, err.Error()})
		return fmt.Errorf("list the versions of %s: %w", v.guard.Spec.Model, err)
	}
	v.refuseReused()
	v.policy = evidence.Policy(v.guard)
	key := keyOf(v.guard)
	stays := v.guard.Status.History
	e := decide.Evidence{
		Namespace: v.guard.Namespace, Model: v.guard.Spec.Model, Active: v.fields.Version,
		SettledAt: evidence.Time(v.guard.Status.SettledAt), RollingOut: v.guard.Status.SettledAt == nil,
		RolloutSince: evidence.Time(stays[0].BeganAt),
		Mismatch:     v.mismatch(),
		Past:         evidence.Past(v.all, string(v.work.UID)),
	}
	e.FleetGuards, e.FleetActing = v.fleet.others(key)
	for _, s := range stays {
		e.History = append(e.History, evidence.Served(s))
	}
	known := evidence.Versions{Guard: v.guard, Active: v.fields.Version, Decisions: v.all, Schemas: v.schemas}
	for i := range v.versions {
		e.Versions = append(e.Versions, known.Known(&v.versions[i]))
	}
	e.Human, e.HumanManager, e.HumanAt = v.human(e.RolloutSince)
	for i := range v.decisions {
		if d := &v.decisions[i]; journal.Open(d) {
			e.RetrainOpen = e.RetrainOpen || inTraining(d) || journal.Has(d, journal.JobStart)
			if t := d.Spec.DecidedAt.Time; e.OpenSince.IsZero() || t.Before(e.OpenSince) {
				e.OpenSince = t
			}
		}
	}
	e.Alerts, e.Onsets = v.round.alerts, v.round.onsets
	v.evidence = e
	v.evidence.Evaluation = evidence.Evaluation(v.decisions, v.trouble())
	if err := v.measure(ctx); err != nil {
		return err
	}
	v.evidence.Unwatched, v.evidence.RulesSince = v.looked.before(client.ObjectKeyFromObject(v.guard), v.now), v.RulesSince
	evidence.Note(&v.guard.Status.History[0], &v.evidence, v.policy, v.now)
	return nil
}

// numberReused is why a registered version counts as none, in an event and a metric.
const numberReused = "number_reused"

// refuseReused leaves out versions whose number was another's while it served: by
// its history alone such a one would be gone back to. It notes what is registered
// for the version in service.
func (v *visit) refuseReused() {
	s := &v.guard.Status
	var refused []string
	v.versions = slices.DeleteFunc(v.versions, func(r registry.Version) bool {
		reused := evidence.Reused(s, &r)
		if reused {
			refused = append(refused, strconv.FormatInt(r.Number, 10))
		}
		return reused
	})
	if stay := &s.History[0]; stay.Registered == "" {
		if r := v.version(stay.Version); r != nil {
			stay.Registered = evidence.Registered(r)
		}
	}
	if v.metrics.refuse(keyOf(v.guard), len(refused)) {
		v.Event(v.guard, corev1.EventTypeWarning, numberReused, fmt.Sprintf(
			"version %s of %s is not what was registered under that number when it served, so it counts as not registered: delete it, and register it anew",
			strings.Join(refused, ", "), v.guard.Spec.Model))
	}
}

// human says whether somebody else wrote the artifact last, and when. The time
// that the API server keeps is that of the manager's last change of anything,
// so it counts only where it is before the change was seen. It has no fractions
// of a second: the end of that second is nearer, unless it was seen within it. One
// from before the stay that it ended is another clock's.
func (v *visit) human(seen time.Time) (bool, string, time.Time) {
	o, ok := v.work.ChangedBy(v.guard.Spec.Artifact)
	switch stays := v.guard.Status.History; {
	case !ok && (v.work.OwnsArtifact(v.guard.Spec.Artifact, v1alpha1.FieldManager) || v.put()):
		return false, "", time.Time{}
	case !ok: // nobody is recorded: the fields' managers were cleared
		return true, "", seen
	case o.Time.IsZero() || o.Time.After(seen), len(stays) > 1 && o.Time.Before(evidence.Time(stays[1].BeganAt).Truncate(time.Second)):
		return true, o.Manager, seen
	}
	return true, o.Manager, o.Time.Add(min(seen.Sub(o.Time), time.Second-time.Microsecond))
}

// put says that the version in service was put there by the decision that the
// workload is marked with.
func (v *visit) put() bool {
	name, step, _ := strings.Cut(v.work.Annotations[v1alpha1.AnnotationDecision], "/")
	for i := range v.decisions {
		if d := &v.decisions[i]; d.Name == name {
			return d.Spec.To == v.fields.Version || step == journal.Undoing && d.Spec.From == v.fields.Version
		}
	}
	return false
}

// mismatch is what the artifact field names, if that is not what the registry
// has for the version of the label.
func (v *visit) mismatch() string {
	if r := v.version(v.fields.Version); r != nil && r.Spec.Artifact.URI != v.fields.Artifact {
		return v.fields.Artifact
	}
	return ""
}

func (v *visit) version(number string) *registry.Version {
	for i := range v.versions {
		if strconv.FormatInt(v.versions[i].Number, 10) == number {
			return &v.versions[i]
		}
	}
	return nil
}

// conditionBlind tells on the guard whether anything can be seen.
func (v *visit) conditionBlind() {
	if v.evidence.Blind == "" {
		v.condition(conditionObserved, metav1.ConditionTrue, "Observed", "the metrics of the pods arrive")
		return
	}
	message := "the model can't be judged: " + string(v.evidence.Blind)
	if v.evidence.BlindDetail != "" {
		message += ", " + v.evidence.BlindDetail
	}
	v.condition(conditionObserved, metav1.ConditionFalse, string(v.evidence.Blind), message)
}
