package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ModelGuard says which workload serves a model, and what Leeway may do when
// the model goes wrong.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=guard
// +kubebuilder:printcolumn:name="Model",type=string,JSONPath=`.spec.model`
// +kubebuilder:printcolumn:name="Workload",type=string,JSONPath=`.spec.workload.name`
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.status.activeVersion`
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.reason`
// +kubebuilder:printcolumn:name="Retrain",type=string,JSONPath=`.status.retrain.phase`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type ModelGuard struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   ModelGuardSpec   `json:"spec"`
	Status ModelGuardStatus `json:"status,omitempty"`
}

// ModelGuardSpec is the policy.
type ModelGuardSpec struct {
	// Model is the name in the registry, in this namespace.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Model    string      `json:"model"`
	Workload WorkloadRef `json:"workload"`
	Artifact ArtifactRef `json:"artifact"`
	// +kubebuilder:default={}
	Autonomy Autonomy `json:"autonomy,omitempty"`
	// +kubebuilder:default={}
	Match Match `json:"match,omitempty"`
	// +kubebuilder:default={}
	Verify Verify `json:"verify,omitempty"`
	// +kubebuilder:default={}
	Limits  Limits   `json:"limits,omitempty"`
	Retrain *Retrain `json:"retrain,omitempty"`
	// Evaluate says how other versions are measured when quality fell and inputs did
	// not change. Without it a version is trained at once.
	Evaluate *Evaluate `json:"evaluate,omitempty"`
	// Gate holds what a retrained version must show before it is deployed.
	// +kubebuilder:validation:MaxItems=16
	Gate []GateRule `json:"gate,omitempty"`
}

// WorkloadRef names a Deployment or StatefulSet in the guard's namespace.
type WorkloadRef struct {
	// +kubebuilder:default="apps/v1"
	// +kubebuilder:validation:Enum=apps/v1
	APIVersion string `json:"apiVersion,omitempty"`
	// +kubebuilder:default=Deployment
	// +kubebuilder:validation:Enum=Deployment;StatefulSet
	Kind string `json:"kind,omitempty"`
	// +kubebuilder:validation:MinLength=1
	Name string `json:"name"`
}

// ArtifactRef says where a version shows in the pod template.
//
// +kubebuilder:validation:XValidation:rule="has(self.env) != (has(self.image) && self.image)",message="give exactly one of env and image: true"
type ArtifactRef struct {
	// Container of the pod template that loads the artifact.
	// +kubebuilder:validation:MinLength=1
	Container string `json:"container"`
	// Env is the variable whose value is the artifact's URI.
	Env string `json:"env,omitempty"`
	// Image says that the container's image is the artifact.
	Image bool `json:"image,omitempty"`
	// Allow lists patterns of URIs that may be deployed without a person; "*"
	// matches any run of characters. Needed for Auto.
	// +kubebuilder:validation:MaxItems=64
	Allow []string `json:"allow,omitempty"`
}

// AutonomyLevel says how far Leeway may go by itself.
//
// +kubebuilder:validation:Enum=Observe;Approve;Auto
type AutonomyLevel string

// Observe says what it would do, Approve waits for a person, Auto acts.
const (
	Observe AutonomyLevel = "Observe"
	Approve AutonomyLevel = "Approve"
	Auto    AutonomyLevel = "Auto"
)

// Autonomy is a level for each kind of act.
type Autonomy struct {
	// +kubebuilder:default=Observe
	Default    AutonomyLevel `json:"default,omitempty"`
	BadRelease AutonomyLevel `json:"badRelease,omitempty"`
	InputDrift AutonomyLevel `json:"inputDrift,omitempty"`
	Retrain    AutonomyLevel `json:"retrain,omitempty"`
	// ConceptDrift is about evaluations, and about going back to a version that one
	// found better. An evaluation changes nothing in service, so under Approve nobody
	// is asked to start it.
	ConceptDrift AutonomyLevel `json:"conceptDrift,omitempty"`
}

// Match says which live rows the registry is asked about, and how near is near.
type Match struct {
	// Window of live rows to match, at most.
	// +kubebuilder:default="24h"
	Window metav1.Duration `json:"window,omitempty"`
	// MinSamples is the fewest rows to match on.
	// +kubebuilder:default=1000
	// +kubebuilder:validation:Minimum=1
	MinSamples int64 `json:"minSamples,omitempty"`
	// Tolerance is "auto", or the distance from 0 to 1 within which a version
	// fits (2.5 times as much for a single column).
	// +kubebuilder:default=auto
	// +kubebuilder:validation:Pattern=`^(auto|0\.[0-9]*[1-9][0-9]*|1(\.0+)?)$`
	Tolerance string `json:"tolerance,omitempty"`
}

// Verify says how long a change is watched.
type Verify struct {
	// For is how long a new version is compared with the one before.
	// +kubebuilder:default="5m"
	For metav1.Duration `json:"for,omitempty"`
	// GoodAfter is how long a version must be live and clean, to be gone back to.
	// +kubebuilder:default="1h"
	GoodAfter metav1.Duration `json:"goodAfter,omitempty"`
}

// Limits bound how often Leeway changes a workload.
type Limits struct {
	// +kubebuilder:default="30m"
	Cooldown metav1.Duration `json:"cooldown,omitempty"`
	// +kubebuilder:default=4
	// +kubebuilder:validation:Minimum=0
	ChangesPerDay int32 `json:"changesPerDay,omitempty"`
	// +kubebuilder:default=2
	// +kubebuilder:validation:Minimum=0
	RetrainsPerWeek int32 `json:"retrainsPerWeek,omitempty"`
	// ReturnAfter is how long a version that was left for drift stays left.
	// +kubebuilder:default="168h"
	ReturnAfter metav1.Duration `json:"returnAfter,omitempty"`
}

// Retrain says how a new version is trained: by a Job, or by a workflow.
//
// +kubebuilder:validation:XValidation:rule="has(self.from) != has(self.github)",message="give exactly one of from and github"
type Retrain struct {
	From   *JobSource      `json:"from,omitempty"`
	GitHub *GitHubWorkflow `json:"github,omitempty"`
	// Timeout of one training.
	// +kubebuilder:default="6h"
	Timeout metav1.Duration `json:"timeout,omitempty"`
}

// Evaluate says how versions are measured on rows whose truth is known: by a Job.
type Evaluate struct {
	From JobSource `json:"from"`
	// Timeout of one evaluation.
	// +kubebuilder:default="1h"
	Timeout metav1.Duration `json:"timeout,omitempty"`
}

// JobSource is what a Job is made from.
type JobSource struct {
	// CronJob is the name of a suspended CronJob, started as
	// "kubectl create job --from" does.
	// +kubebuilder:validation:MinLength=1
	CronJob string `json:"cronJob"`
}

// GitHubWorkflow is a workflow of GitHub Actions that a workflow_dispatch starts.
// On which server is for the controller to say, by --github-url.
type GitHubWorkflow struct {
	// Repository is OWNER/NAME.
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9][A-Za-z0-9_-]*/[A-Za-z0-9._-]*[A-Za-z0-9_-][A-Za-z0-9._-]*$`
	// +kubebuilder:validation:MaxLength=140
	Repository string `json:"repository"`
	// Workflow is the name of its file in .github/workflows, or its number.
	// +kubebuilder:validation:Pattern=`^([A-Za-z0-9._-]+\.ya?ml|[0-9]+)$`
	// +kubebuilder:validation:MaxLength=100
	Workflow string `json:"workflow"`
	// Ref is the branch or tag that it runs on.
	// +kubebuilder:default=main
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=250
	Ref string `json:"ref,omitempty"`
	// TokenSecret holds the token that starts it and looks at it.
	// +kubebuilder:default={}
	TokenSecret SecretKey `json:"tokenSecret,omitempty"`
}

// SecretKey names a key of a Secret in the guard's namespace.
type SecretKey struct {
	// Name of the Secret. Another one than leeway-github has to be opened to
	// Leeway by a Role.
	// +kubebuilder:default=leeway-github
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`
	// +kubebuilder:default=token
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key,omitempty"`
}

// GateRule is one metric that a new version must reach.
type GateRule struct {
	// +kubebuilder:validation:MinLength=1
	Metric string `json:"metric"`
	// Max is the largest value allowed, as a decimal number; with relativeTo
	// it is a factor.
	// +kubebuilder:validation:Pattern=`^[0-9]+(\.[0-9]+)?$`
	Max string `json:"max,omitempty"`
	// Min is the smallest value allowed, likewise.
	// +kubebuilder:validation:Pattern=`^[0-9]+(\.[0-9]+)?$`
	Min string `json:"min,omitempty"`
	// RelativeTo compares with the live version on the same rows.
	// +kubebuilder:validation:Enum=live
	RelativeTo string `json:"relativeTo,omitempty"`
}

// Phase is where the rollback track of a guard stands.
//
// +kubebuilder:validation:Enum=Watching;Deciding;Acting;Verifying;Held
type Phase string

// The phases of the rollback track.
const (
	Watching  Phase = "Watching"
	Deciding  Phase = "Deciding"
	Acting    Phase = "Acting"
	Verifying Phase = "Verifying"
	Held      Phase = "Held"
)

// ModelGuardStatus is a projection of the decisions, and what was seen of the
// workload.
type ModelGuardStatus struct {
	Phase Phase `json:"phase,omitempty"`
	// Reason is the word for why the phase is what it is.
	Reason string `json:"reason,omitempty"`
	// Message says it in a sentence.
	Message string `json:"message,omitempty"`
	// ActiveVersion is the version that the pod template names.
	ActiveVersion string `json:"activeVersion,omitempty"`
	// SettledAt is when the current pod template was first wholly rolled out.
	SettledAt *metav1.MicroTime `json:"settledAt,omitempty"`
	// TemplateHash tells one pod template's model fields from another's.
	TemplateHash string `json:"templateHash,omitempty"`
	// History of versions that this workload served, newest first.
	// +kubebuilder:validation:MaxItems=20
	History []ServedVersion `json:"history,omitempty"`
	// Decision names the open or the last decision.
	Decision *DecisionRef `json:"decision,omitempty"`
	// Retrain is the second track.
	Retrain *RetrainStatus `json:"retrain,omitempty"`
	// +listType=map
	// +listMapKey=type
	Conditions         []metav1.Condition `json:"conditions,omitempty"`
	ObservedGeneration int64              `json:"observedGeneration,omitempty"`
}

// ServedVersion is one stay of a version in a workload.
type ServedVersion struct {
	Version string `json:"version"`
	// BeganAt is when its rollout was first seen.
	BeganAt *metav1.MicroTime `json:"beganAt,omitempty"`
	// SettledAt is when it was wholly rolled out; absent if it never was.
	SettledAt *metav1.MicroTime `json:"settledAt,omitempty"`
	// ReplacedAt is when another version's rollout began; absent while active.
	ReplacedAt *metav1.MicroTime `json:"replacedAt,omitempty"`
	// LastAlert is, by cause, when an eligible alert was last seen.
	LastAlert map[string]metav1.MicroTime `json:"lastAlert,omitempty"`
	// LongestQuiet is, by cause, the longest time without such an alert that one
	// then ended, or that nobody looked any more.
	LongestQuiet map[string]metav1.Duration `json:"longestQuiet,omitempty"`
	// SeenSince is, by cause, when there first was something to judge by, or when
	// somebody looked again after nobody had. Without that of errors nothing was seen.
	SeenSince map[string]metav1.MicroTime `json:"seenSince,omitempty"`
	// LeftFor is the cause that it was left for by a decision of Leeway's.
	LeftFor string `json:"leftFor,omitempty"`
	// WantedSince is when inputs last began to be its own again, while it was not
	// returned to because it had been left for drift.
	WantedSince *metav1.MicroTime `json:"wantedSince,omitempty"`
	// Registered tells what the registry held for the version while it served.
	Registered string `json:"registered,omitempty"`
}

// DecisionRef names a decision.
type DecisionRef struct {
	Name string `json:"name"`
}

// RetrainStatus is where the retrain track stands. Evaluations are on it, too.
type RetrainStatus struct {
	// Decision that asked for it.
	Decision string `json:"decision,omitempty"`
	// Phase is Evaluating, Training, Gating, Done or Held.
	Phase string `json:"phase,omitempty"`
	// Reason is the word for why it is held, how it was done, or, while it goes on,
	// why it can't be started or looked at.
	Reason string `json:"reason,omitempty"`
	// Message is what was last heard of it.
	Message string `json:"message,omitempty"`
	// Job that trains or evaluates, or the run of a workflow:
	// OWNER/NAME/actions/runs/NUMBER.
	Job       string            `json:"job,omitempty"`
	StartedAt *metav1.MicroTime `json:"startedAt,omitempty"`
	// Version that the training registered.
	Version string `json:"version,omitempty"`
	// Tainted says that broken input was seen while it ran.
	Tainted bool `json:"tainted,omitempty"`
}

// ModelGuardList is a list of guards.
//
// +kubebuilder:object:root=true
type ModelGuardList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ModelGuard `json:"items"`
}
