package decide

import "time"

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
	// RolloutSince is when the latest rollout began, RolloutRequests were
	// answered by the active version since then. Both stay after it has settled.
	RolloutRequests float64
	RolloutSince    time.Time
	// Blind is the reason why nothing can be seen, or empty; BlindDetail says
	// the rest in a few words, such as the pods whose profile is missing.
	Blind       Reason
	BlindDetail string
	// Human says that somebody else changed the model's fields, by HumanManager
	// at HumanAt, since Leeway last did.
	Human        bool
	HumanManager string
	HumanAt      time.Time
	// OpenSince is when the open decision or training was begun, zero without
	// one. A person's later change supersedes it.
	OpenSince time.Time
	// Mismatch says what the artifact field names, where that is not the
	// artifact of the active version; else empty.
	Mismatch string
	// Load is known while an alert on latency is pending or firing, else zero.
	Load Load
	// Onsets of trouble with the inputs of all guarded models, this one's too.
	Onsets []Onset
	// Alerts of the whole cluster, pending and firing.
	Alerts []Alert
	// History of the workload, newest first; the first entry is the active stay.
	History []Served
	// Versions of the model in the registry.
	Versions []Known
	// Evaluation is the last that ended of the version in service since its rollout
	// began, nil without one.
	Evaluation *Evaluation
	// Past decisions on this workload that were acted on, newest first.
	Past []Past
	// RetrainOpen says that a training or an evaluation is under way.
	RetrainOpen bool
	// Unwatched is since when nobody has looked until now: both controllers were away,
	// or one took over from the other. Zero where a look follows another.
	Unwatched time.Time
	// RulesSince is since when the rules are evaluated that Alerts are of: an alert
	// that began before is not known. Zero: all the time.
	RulesSince time.Time
	// FleetGuards are all guards of the cluster, FleetActing those of the others
	// that are acting now.
	FleetGuards, FleetActing int
}

// Load is what was asked of all versions of a model together, and how long good
// answers took. Zero is not known.
type Load struct {
	// Requests per second: the most since the window of the alerts on latency
	// began (of the last hour, if that is longer ago), and the most of the hour
	// before that.
	Requests, RequestsBefore float64
	// P99 in seconds, over the window of the alerts now, and over one that ended
	// when that of the first of them began.
	P99, P99Before float64
}

// Served is one stay of a version in the workload, newest first in a history.
type Served struct {
	Version string
	// SettledAt is zero when it was never wholly rolled out.
	SettledAt time.Time
	// ReplacedAt is zero while it is active.
	ReplacedAt time.Time
	// SeenSince is, by cause, when there first was something to judge by, the first
	// labels for quality and the first requests for errors and latency; or when
	// somebody looked again, after nobody had. Without that of errors nothing was seen.
	SeenSince map[AlertCause]time.Time
	// LastAlert is when a firing alert of a cause was last seen that was eligible, or
	// would have been had the version been settled for longer.
	LastAlert map[AlertCause]time.Time
	// LongestQuiet is, by cause, the longest time without such an alert that one
	// then ended, or that nobody looked any more. Track keeps both.
	LongestQuiet map[AlertCause]time.Duration
	// LeftFor is the cause that Leeway left it for.
	LeftFor Cause
	// WantedSince is when inputs last began to be those of this version again, and
	// it was not returned to because it had been left for drift.
	WantedSince time.Time
}

// Known is what the registry knows of a version, as far as judging needs it.
type Known struct {
	Version string
	// Rejected or retired versions are never gone back to. RejectedAt may be
	// zero where it is not known.
	Rejected   bool
	RejectedAt time.Time
	Retired    bool
	// Gated says that it passed the gate of a retraining, or of a person.
	Gated bool
	// Compat and Schema must agree with the active version's.
	Compat string
	Schema string
}

// Past is one decision that changed the workload, or started a training.
type Past struct {
	At     time.Time
	Action Action
	From   string
	To     string
	Cause  Cause
}

// Candidate is a version as the match ranked it.
type Candidate struct {
	Version   string
	Distance  float64
	Tolerance float64
	// Calibrated says that the tolerance was learned from its own training rows.
	Calibrated bool
	Fits       bool
	Better     bool
	// Predicted error on today's rows, 0 where none was.
	Predicted float64
}

// Match is the registry's answer on today's rows.
type Match struct {
	// Rows matched on; fewer than the guard's minSamples answer nothing.
	Rows int64
	// Live is the version in service, nil when it has no profile.
	Live *Candidate
	// Candidates, the best first, without the version in service: the nearest,
	// or that of the lowest predicted error.
	Candidates []Candidate
	// Newer are versions as they rank on the newer half of the rows, the one in
	// service among them, asked for before one is trained because none fits all.
	Newer []Candidate
	// ProposeOnly says that by inputs alone nothing may be switched without a
	// person: they are known not to predict this model's quality, or that is not
	// known and no tolerance was given. Trust says in words what is known.
	ProposeOnly bool
	Trust       string
}

// Policy is the guard's, in plain types.
type Policy struct {
	// MatchWindow bounds how far back rows are matched; zero: no bound.
	MatchWindow     time.Duration
	MinSamples      int64
	ToleranceAuto   bool
	GoodAfter       time.Duration
	VerifyFor       time.Duration
	Cooldown        time.Duration
	ChangesPerDay   int
	RetrainsPerWeek int
	ReturnAfter     time.Duration
	CanRetrain      bool
	CanEvaluate     bool
	// ReadyWithin is how long a rollout may take. Zero: ten minutes, which is
	// the progress deadline of a Deployment, or VerifyFor if that is longer.
	ReadyWithin time.Duration
}
