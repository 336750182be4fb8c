package evidence

import (
	"cmp"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/registry"
)

// Record is what a decision is written down from.
type Record struct {
	Guard *v1alpha1.ModelGuard
	decide.Decision
	Match *Match // nil: none was asked for
	// Evidence and Policy that were judged, without the versions whose artifact is
	// unusable.
	Evidence decide.Evidence
	Policy   decide.Policy
	// Level is how far Leeway may go with it.
	Level v1alpha1.AutonomyLevel
	// From and FromArtifact are in service, on the workload with the UID.
	From, FromArtifact, WorkloadUID string
	// Target is the version to deploy, nil without one.
	To *registry.Version
	// Before is what the version in service showed.
	Before decide.Sample
	// Since is when the version settled, or its rollout began.
	Since   time.Time
	Attempt int
	Now     time.Time
}

// Document writes down everything that the decision rests on: it has to be
// explained from this record alone.
func (r Record) Document() *v1alpha1.ModelDecision {
	g := r.Guard
	d := &v1alpha1.ModelDecision{
		ObjectMeta: metav1.ObjectMeta{Namespace: g.Namespace, Name: decide.Name(g.Name, r.Cause, r.From, r.Since, r.Attempt)},
		Spec: v1alpha1.ModelDecisionSpec{
			Guard: g.Name, Model: g.Spec.Model,
			Workload: g.Spec.Workload, WorkloadUID: r.WorkloadUID,
			DecidedAt: metav1.NewMicroTime(r.Now), Attempt: int32(r.Attempt),
			Cause: string(r.Cause), Action: string(r.Action), Reason: string(r.Reason), Autonomy: cmp.Or(r.Level, v1alpha1.Observe),
			From: r.From, FromArtifact: r.FromArtifact, To: r.Target,
			Columns: r.Columns, Onsets: recordedOnsets(r.Onsets, g.Namespace), Load: recordedLoad(r.Load), Match: r.Match.Recorded(r.To), Baseline: Baseline(r.Before),
			Asked: r.Asked, Evaluation: r.evaluation(),
			Grounds: recordedGrounds(decide.Case{Evidence: r.Evidence, Match: r.Match.Judged(), Policy: r.Policy}, r.Alerts),
		},
	}
	if r.To != nil {
		d.Spec.ToArtifact = r.To.Spec.Artifact.URI
		if r.To.Spec.Profile != nil {
			d.Spec.ToProfileDigest = r.To.Spec.Profile.Digest
		}
	}
	for _, a := range r.Alerts {
		d.Spec.Alerts = append(d.Spec.Alerts, recordedAlert(a))
	}
	return d
}

// evaluation is what the last one came to, where it had a say.
func (r Record) evaluation() *v1alpha1.EvaluationEvidence {
	if r.Cause != decide.ConceptDrift || !r.Policy.CanEvaluate {
		return nil
	}
	return RecordedEvaluation(r.Evidence.Evaluation)
}

// Kind is the field of spec.autonomy that an act is under.
func Kind(cause decide.Cause, action decide.Action) string {
	switch {
	case action == decide.Train || action == decide.Redeploy:
		return "retrain"
	case cause == decide.BadRelease:
		return "badRelease"
	case cause == decide.InputDrift:
		return "inputDrift"
	case cause == decide.ConceptDrift:
		return "conceptDrift"
	}
	return "default"
}

// Level is the guard's for the kind of act.
func Level(a v1alpha1.Autonomy, cause decide.Cause, action decide.Action) v1alpha1.AutonomyLevel {
	own := map[string]v1alpha1.AutonomyLevel{"retrain": a.Retrain, "badRelease": a.BadRelease, "inputDrift": a.InputDrift, "conceptDrift": a.ConceptDrift}
	return cmp.Or(own[Kind(cause, action)], a.Default, v1alpha1.Observe)
}

// Alone says that an act at a level is begun without asking a person. An evaluation
// changes nothing in service, so there is nothing to agree to before its result.
func Alone(level v1alpha1.AutonomyLevel, action decide.Action) bool {
	return level == v1alpha1.Auto || level == v1alpha1.Approve && action == decide.Evaluate
}
