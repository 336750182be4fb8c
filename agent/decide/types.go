package decide

import "time"

// Cause is a diagnosis. The order of the constants is the order in which they
// are tried: the first that holds is the diagnosis.
type Cause string

// The causes, highest first.
const (
	None            Cause = ""
	Blind           Cause = "blind"
	HumanChanged    Cause = "human_changed"
	RollingOut      Cause = "rolling_out"
	Correlated      Cause = "correlated"
	BrokenInput     Cause = "broken_input"
	BadRelease      Cause = "bad_release"
	Saturation      Cause = "saturation"
	Serving         Cause = "serving"
	InputDrift      Cause = "input_drift"
	PredictionDrift Cause = "prediction_drift"
	ConceptDrift    Cause = "concept_drift"
)

// AlertCause is what an alert's label leeway_cause says.
type AlertCause string

// The causes that an alert may carry.
const (
	AlertInputDrift      AlertCause = "input_drift"
	AlertPredictionDrift AlertCause = "prediction_drift"
	AlertQuality         AlertCause = "quality"
	AlertErrors          AlertCause = "errors"
	AlertLatency         AlertCause = "latency"
	AlertBrokenInput     AlertCause = "broken_input"
)

// Clock says on which of the drift clocks a rule runs.
type Clock string

// The clocks. Only Act and Slow lead to acts; errors, latency, broken input
// and quality have no clock.
const (
	Page Clock = "page"
	Act  Clock = "act"
	Slow Clock = "slow"
)

// Alert is one pending or firing alert of the rules.
type Alert struct {
	Name      string
	Cause     AlertCause
	Clock     Clock
	Window    time.Duration
	Firing    bool // else pending
	ActiveAt  time.Time
	Namespace string
	Model     string
	Version   string
	// Subject is the feature, output or code class that the alert is about.
	Subject string
	Value   float64
	Summary string
}

// Action is what to do.
type Action string

// The actions.
const (
	NoAction Action = "none"
	Hold     Action = "hold"
	Wait     Action = "wait"
	Rollback Action = "rollback"
	Train    Action = "retrain"
	Redeploy Action = "redeploy"
)

// Reason is the one word for why, the same in status, event, metric and log.
type Reason string

// The reasons of holds and of actions.
const (
	ReasonHealthy             Reason = "healthy"
	ReasonNoTraffic           Reason = "no_traffic"
	ReasonNoData              Reason = "no_data"
	ReasonTooFewRows          Reason = "too_few_rows"
	ReasonPartialProfile      Reason = "partial_profile"
	ReasonSourceUnreachable   Reason = "source_unreachable"
	ReasonSidecarMissing      Reason = "sidecar_missing"
	ReasonHumanChanged        Reason = "human_changed"
	ReasonRejectedReturned    Reason = "rejected_version_returned"
	ReasonRollingOut          Reason = "rolling_out"
	ReasonSettling            Reason = "settling"
	ReasonWaitsForHigherCause Reason = "waits_for_higher_cause"
	ReasonBrokenInput         Reason = "broken_input"
	ReasonLastGood            Reason = "last_good"
	ReasonNoGoodVersion       Reason = "no_good_version"
	ReasonServing             Reason = "serving"
	ReasonLiveFits            Reason = "live_fits"
	ReasonFits                Reason = "fits_and_better"
	ReasonNoneFits            Reason = "none_fits"
	ReasonPredictionDrift     Reason = "prediction_drift"
	ReasonConceptDrift        Reason = "concept_drift"
	ReasonCooldown            Reason = "cooldown"
	ReasonChangesPerDay       Reason = "changes_per_day"
	ReasonRetrainsPerWeek     Reason = "retrains_per_week"
	ReasonRetrainOpen         Reason = "retrain_open"
	ReasonNoRetrain           Reason = "no_retrain_configured"
	ReasonOscillation         Reason = "oscillation"
	ReasonFleetLimit          Reason = "fleet_limit"
	ReasonVersionMismatch     Reason = "version_mismatch"
	ReasonUnregistered        Reason = "unregistered_version"
	ReasonFirstVersion        Reason = "first_version"
	ReasonEmptyRegistry       Reason = "empty_registry"
	ReasonArtifactMissing     Reason = "artifact_missing"
	ReasonArtifactDigest      Reason = "artifact_digest"
	ReasonNotAllowed          Reason = "artifact_not_allowed"
	ReasonToleranceAuto       Reason = "tolerance_auto_only_proposes"
	ReasonGatePassed          Reason = "gate_passed"
	ReasonGateFailed          Reason = "gate_failed"
	ReasonNoComparison        Reason = "no_comparison"
	ReasonDriftGone           Reason = "drift_gone"
	ReasonTainted             Reason = "tainted"
	ReasonNoVersion           Reason = "no_version_registered"
	ReasonTwoVersions         Reason = "two_versions_registered"
	ReasonJobFailed           Reason = "job_failed"
	ReasonRetrainTimeout      Reason = "retrain_timeout"
	ReasonWorse               Reason = "worse"
)

// Candidate is a version as the match ranked it.
type Candidate struct {
	Version   string
	Distance  float64
	Tolerance float64
	Fits      bool
	Better    bool
}

// Match is the registry's answer on today's rows.
type Match struct {
	// Rows matched on; fewer than the guard's minSamples answer nothing.
	Rows int64
	// Live is the version in service, nil when it has no profile.
	Live *Candidate
	// Candidates, nearest first, without the version in service.
	Candidates []Candidate
}

// Served is one stay of a version in the workload, newest first in a history.
type Served struct {
	Version string
	// SettledAt is zero when it was never wholly rolled out.
	SettledAt time.Time
	// ReplacedAt is zero while it is active.
	ReplacedAt time.Time
	// LastAlert is when an eligible alert of a cause was last seen.
	LastAlert map[AlertCause]time.Time
	// LeftFor is the cause that Leeway left it for.
	LeftFor Cause
}

// Known is what the registry knows of a version, as far as judging needs it.
type Known struct {
	Version string
	// Rejected or retired versions are never gone back to.
	Rejected bool
	Retired  bool
	// Gated says that it passed the gate of a retraining, or of a person.
	Gated bool
	// Compat and Schema must agree with the active version's.
	Compat string
	Schema string
}

// Policy is the guard's, in plain types.
type Policy struct {
	MinSamples      int64
	ToleranceAuto   bool
	GoodAfter       time.Duration
	VerifyFor       time.Duration
	Cooldown        time.Duration
	ChangesPerDay   int
	RetrainsPerWeek int
	ReturnAfter     time.Duration
	CanRetrain      bool
}

// Past is one decision that changed the workload, or started a training.
type Past struct {
	At     time.Time
	Action Action
	From   string
	To     string
	Cause  Cause
}

// Evidence is everything that a diagnosis rests on.
type Evidence struct {
	Namespace string
	Model     string
	// Active is the version that the pod template names.
	Active string
	// SettledAt is when the current pod template was first wholly rolled out,
	// zero while it has not been.
	SettledAt time.Time
	// RollingOut says that a rollout is under way.
	RollingOut bool
	// RolloutRequests were answered by the new version since its rollout began,
	// RolloutSince is when that was.
	RolloutRequests float64
	RolloutSince    time.Time
	// Blind is the reason why nothing can be seen, or empty.
	Blind Reason
	// Human says that somebody else changed the model's fields, by HumanManager
	// at HumanAt, since Leeway last did.
	Human        bool
	HumanManager string
	HumanAt      time.Time
	// Requests per second now, and when the active version settled.
	Load, LoadBefore float64
	// Alerts of the whole cluster, pending and firing.
	Alerts []Alert
	// History of the workload, newest first; the first entry is the active stay.
	History []Served
	// Versions of the model in the registry.
	Versions []Known
	// Past decisions on this workload, newest first.
	Past []Past
	// RetrainOpen says that a training is under way.
	RetrainOpen bool
}
