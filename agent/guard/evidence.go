package guard

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/journal"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/registry"
	registryv1 "github.com/leeway-dev/leeway/registry/v1alpha1"
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
	v.policy = policyOf(v.guard)
	key := keyOf(v.guard)
	stays := v.guard.Status.History
	e := decide.Evidence{
		Namespace: v.guard.Namespace, Model: v.guard.Spec.Model, Active: v.fields.Version,
		SettledAt: timeOf(v.guard.Status.SettledAt), RollingOut: v.guard.Status.SettledAt == nil,
		RolloutSince: timeOf(stays[0].BeganAt),
		Mismatch:     v.mismatch(),
		Past:         pastOf(v.all, string(v.work.UID)),
	}
	e.FleetGuards, e.FleetActing = v.fleet.others(key)
	for _, s := range stays {
		e.History = append(e.History, servedOf(s))
	}
	for i := range v.versions {
		e.Versions = append(e.Versions, v.known(&v.versions[i]))
	}
	e.Human, e.HumanManager, e.HumanAt = v.human(e.RolloutSince)
	for i := range v.decisions {
		if d := &v.decisions[i]; journal.Open(d) {
			e.RetrainOpen = e.RetrainOpen || journal.Has(d, journal.JobStart)
			if t := d.Spec.DecidedAt.Time; e.OpenSince.IsZero() || t.Before(e.OpenSince) {
				e.OpenSince = t
			}
		}
	}
	for _, a := range v.round.alerts {
		if alert, ok := alertOf(a); ok {
			e.Alerts = append(e.Alerts, alert)
		}
	}
	v.evidence = e
	if err := v.measure(ctx); err != nil {
		return err
	}
	v.note()
	return nil
}

// human says whether somebody else wrote the artifact last, and when. The time
// that the API server keeps is that of the manager's last change of anything,
// so it counts only where it is before the change was seen. It has no fractions
// of a second: the end of that second is nearer, unless it was seen within it.
func (v *visit) human(seen time.Time) (bool, string, time.Time) {
	o, ok := v.work.ChangedBy(v.guard.Spec.Artifact)
	switch {
	case !ok:
		return false, "", time.Time{}
	case o.Time.IsZero() || o.Time.After(seen):
		return true, o.Manager, seen
	}
	return true, o.Manager, o.Time.Add(min(seen.Sub(o.Time), time.Second-time.Microsecond))
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

func (v *visit) known(r *registry.Version) decide.Known {
	k := decide.Known{
		Version:  strconv.FormatInt(r.Number, 10),
		Rejected: r.Lifecycle == registryv1.Rejected,
		Retired:  r.Lifecycle == registryv1.Retired,
		Gated:    v.gated(r),
		Compat:   r.Spec.Compat,
		Schema:   v.schemas.of(r),
	}
	if k.Rejected {
		for _, line := range r.Audit {
			if line.To == registryv1.Rejected {
				k.RejectedAt = line.Time.Time
			}
		}
	}
	return k
}

// pastOf are the decisions that changed the workload, or started a training,
// by whichever guard: the limits count by the workload's UID.
func pastOf(decisions []v1alpha1.ModelDecision, uid string) []decide.Past {
	var past []decide.Past
	for i := range decisions {
		d := &decisions[i]
		if d.Spec.WorkloadUID != uid {
			continue
		}
		at := journal.At(d, journal.Applied)
		if d.Spec.Action == string(decide.Train) {
			at = journal.At(d, journal.JobStarted)
		}
		if undone := journal.At(d, journal.Undone); !undone.IsZero() {
			at = undone
		}
		if at.IsZero() {
			continue
		}
		past = append(past, decide.Past{
			At: at, Action: decide.Action(d.Spec.Action), From: d.Spec.From, To: d.Spec.To, Cause: decide.Cause(d.Spec.Cause),
		})
	}
	return past
}

func policyOf(g *v1alpha1.ModelGuard) decide.Policy {
	s := g.Spec
	return decide.Policy{
		MatchWindow: s.Match.Window.Duration, MinSamples: s.Match.MinSamples,
		ToleranceAuto: s.Match.Tolerance == "" || s.Match.Tolerance == "auto",
		GoodAfter:     s.Verify.GoodAfter.Duration, VerifyFor: s.Verify.For.Duration,
		Cooldown: s.Limits.Cooldown.Duration, ChangesPerDay: int(s.Limits.ChangesPerDay),
		RetrainsPerWeek: int(s.Limits.RetrainsPerWeek), ReturnAfter: s.Limits.ReturnAfter.Duration,
		CanRetrain: s.Retrain != nil,
	}
}

// alertOf reads an alert of ours; others have no cause.
func alertOf(a Alert) (decide.Alert, bool) {
	cause := a.Labels["leeway_cause"]
	if cause == "" {
		return decide.Alert{}, false
	}
	out := decide.Alert{
		Name: a.Labels["alertname"], Cause: decide.AlertCause(cause), Clock: decide.Clock(a.Labels["leeway_clock"]),
		Firing: a.State == "firing", ActiveAt: a.ActiveAt,
		Namespace: a.Labels["namespace"], Model: a.Labels["model_name"], Version: a.Labels["model_version"],
		Value: a.Value, Summary: a.Annotations["summary"], Estimated: a.Labels["leeway_basis"] == "expected",
	}
	for _, label := range []string{"feature", "output", "code"} {
		if s := a.Labels[label]; s != "" {
			out.Subject = s
			break
		}
	}
	// A window that can't be read counts as endless: the alert never becomes
	// eligible, rather than always.
	out.Window = math.MaxInt64
	if w, err := model.ParseDuration(strings.TrimSpace(a.Labels["leeway_window"])); err == nil {
		out.Window = time.Duration(w)
	}
	return out, true
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
