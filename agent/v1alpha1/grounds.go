package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Grounds are what a judgement rests on beside the alerts that led to it and the
// match: with them it can be made again from the record alone, and asked what
// would have changed it. Where a record has no room for all of them, making it
// again says so.
type Grounds struct {
	// SettledAt is absent while a rollout was under way.
	SettledAt    *metav1.MicroTime `json:"settledAt,omitempty"`
	RolloutSince *metav1.MicroTime `json:"rolloutSince,omitempty"`
	// RolloutRequests were answered since then, a decimal number.
	RolloutRequests string `json:"rolloutRequests,omitempty"`
	// Human is who else changed the model's fields since Leeway last did.
	Human *HumanEvidence `json:"human,omitempty"`
	// Load is what was asked of the model while latency was alerted on.
	Load *LoadEvidence `json:"load,omitempty"`
	// Alerts on the version that did not lead to it: pending, of the page clock, or
	// not counting yet.
	// +kubebuilder:validation:MaxItems=64
	Alerts []AlertEvidence `json:"alerts,omitempty"`
	// History of the workload, newest first.
	// +kubebuilder:validation:MaxItems=20
	History []ServedVersion `json:"history,omitempty"`
	// Versions in the registry that could matter.
	// +kubebuilder:validation:MaxItems=48
	Versions []KnownVersion `json:"versions,omitempty"`
	// Past changes and trainings that limits count.
	// +kubebuilder:validation:MaxItems=32
	Past        []PastDecision `json:"past,omitempty"`
	RetrainOpen bool           `json:"retrainOpen,omitempty"`
	// FleetGuards are all guards, FleetActing the others that acted.
	FleetGuards int32 `json:"fleetGuards,omitempty"`
	FleetActing int32 `json:"fleetActing,omitempty"`
	// Policy is the guard's, as it was.
	Policy PolicyEvidence `json:"policy"`
}

// HumanEvidence is a change by somebody else.
type HumanEvidence struct {
	Manager string           `json:"manager,omitempty"`
	At      metav1.MicroTime `json:"at"`
}

// KnownVersion is what the registry knew of a version.
type KnownVersion struct {
	Version  string `json:"version"`
	Rejected bool   `json:"rejected,omitempty"`
	// Retired, or out because its artifact is unusable.
	Retired bool `json:"retired,omitempty"`
	Gated   bool `json:"gated,omitempty"`
	// Differs in compat or schema from the active version, so it may not stand in.
	Differs bool `json:"differs,omitempty"`
}

// PastDecision is one that changed the workload, or started a training.
type PastDecision struct {
	At     metav1.MicroTime `json:"at"`
	Action string           `json:"action"`
	From   string           `json:"from,omitempty"`
	To     string           `json:"to,omitempty"`
	Cause  string           `json:"cause,omitempty"`
}

// PolicyEvidence is what the guard allowed.
type PolicyEvidence struct {
	MatchWindow     metav1.Duration `json:"matchWindow"`
	MinSamples      int64           `json:"minSamples"`
	ToleranceAuto   bool            `json:"toleranceAuto,omitempty"`
	GoodAfter       metav1.Duration `json:"goodAfter"`
	Cooldown        metav1.Duration `json:"cooldown"`
	ChangesPerDay   int32           `json:"changesPerDay"`
	RetrainsPerWeek int32           `json:"retrainsPerWeek"`
	ReturnAfter     metav1.Duration `json:"returnAfter"`
	CanRetrain      bool            `json:"canRetrain,omitempty"`
	CanEvaluate     bool            `json:"canEvaluate,omitempty"`
}
