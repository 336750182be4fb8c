package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ModelDecision records one decision. Creating it is the lock, its status is
// the only journal: whoever leads next resumes from what it says.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=decision
// +kubebuilder:printcolumn:name="Guard",type=string,JSONPath=`.spec.guard`
// +kubebuilder:printcolumn:name="Cause",type=string,JSONPath=`.spec.cause`
// +kubebuilder:printcolumn:name="Action",type=string,JSONPath=`.spec.action`
// +kubebuilder:printcolumn:name="From",type=string,JSONPath=`.spec.from`
// +kubebuilder:printcolumn:name="To",type=string,JSONPath=`.spec.to`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.spec.reason`
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.status.state`
// +kubebuilder:printcolumn:name="Verified by",type=string,JSONPath=`.status.verifiedBy`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type ModelDecision struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   ModelDecisionSpec   `json:"spec"`
	Status ModelDecisionStatus `json:"status,omitempty"`
}

// ModelDecisionSpec is what was decided, and on what evidence. It never changes.
//
// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a decision is immutable"
type ModelDecisionSpec struct {
	Guard       string      `json:"guard"`
	Model       string      `json:"model"`
	Workload    WorkloadRef `json:"workload"`
	WorkloadUID string      `json:"workloadUID"`
	// DecidedAt is the time of the decision.
	DecidedAt metav1.MicroTime `json:"decidedAt"`
	// Attempt counts decisions on the same trouble, from 1.
	Attempt int32 `json:"attempt"`

	// Cause is the diagnosis.
	Cause string `json:"cause"`
	// Action is rollback, evaluate, retrain, redeploy or hold.
	Action string `json:"action"`
	// Reason is the word for why this action.
	Reason string `json:"reason"`
	// Autonomy is the level that the guard gave to this action.
	Autonomy AutonomyLevel `json:"autonomy"`
	// From is the active version, To the version chosen.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	// ToProfileDigest and the artifact of the version chosen, as they will be
	// written into the pod template.
	ToProfileDigest string `json:"toProfileDigest,omitempty"`
	ToArtifact      string `json:"toArtifact,omitempty"`
	FromArtifact    string `json:"fromArtifact,omitempty"`
	// Columns of broken input, or that drifted most.
	// +kubebuilder:validation:MaxItems=32
	Columns []string `json:"columns,omitempty"`

	// Alerts that led to it.
	// +kubebuilder:validation:MaxItems=64
	Alerts []AlertEvidence `json:"alerts,omitempty"`
	// Onsets are those of all models whose inputs changed at once, where that is
	// the cause.
	// +kubebuilder:validation:MaxItems=64
	Onsets []OnsetEvidence `json:"onsets,omitempty"`
	// Load is what was asked of the model, where that is the cause.
	Load *LoadEvidence `json:"load,omitempty"`
	// Match is the ranked list of the registry, the best first.
	Match *MatchEvidence `json:"match,omitempty"`
	// Asked are the versions that an evaluation is to measure.
	// +kubebuilder:validation:MaxItems=20
	Asked []string `json:"asked,omitempty"`
	// Evaluation is what the last one of the version in service came to, where
	// quality fell.
	Evaluation *EvaluationEvidence `json:"evaluation,omitempty"`
	// Baseline is what the active version showed before the change, for verify.
	Baseline *Baseline `json:"baseline,omitempty"`
	// Grounds are what else it rests on.
	Grounds *Grounds `json:"grounds,omitempty"`
}

// AlertEvidence is one alert as it stood.
type AlertEvidence struct {
	Name     string           `json:"name"`
	State    string           `json:"state"`
	ActiveAt metav1.MicroTime `json:"activeAt"`
	// Clock and window of the rule.
	Clock  string `json:"clock,omitempty"`
	Window string `json:"window,omitempty"`
	// Subject is the feature, output or code that the alert is about.
	Subject string `json:"subject,omitempty"`
	// Cause is what it says that it is about, its label leeway_cause.
	Cause string `json:"cause,omitempty"`
	// Value of the rule's expression, a decimal number, and the most at which the
	// rule is quiet, where the rule says it.
	Value     string `json:"value,omitempty"`
	Threshold string `json:"threshold,omitempty"`
	// Estimated says that it rests on no label but on what predictions let expect.
	Estimated bool `json:"estimated,omitempty"`
	// Summary is the alert's own sentence.
	Summary string `json:"summary,omitempty"`
}

// OnsetEvidence is when a column of a model began to drift or break.
type OnsetEvidence struct {
	// Model is a name in the decision's namespace, or a word that is the same for
	// the same model of another one.
	// +kubebuilder:validation:MaxLength=128
	Model   string           `json:"model"`
	Subject string           `json:"subject,omitempty"`
	At      metav1.MicroTime `json:"at"`
}

// LoadEvidence is what was asked of all versions of a model, and how long good
// answers took, as decimal numbers; an absent one was not known.
type LoadEvidence struct {
	// Requests per second since the trouble began, and before: the most in each.
	Requests       string `json:"requests,omitempty"`
	RequestsBefore string `json:"requestsBefore,omitempty"`
	P99Seconds     string `json:"p99Seconds,omitempty"`
	P99Before      string `json:"p99Before,omitempty"`
}

// MatchEvidence is what the registry answered.
type MatchEvidence struct {
	From metav1.MicroTime `json:"from"`
	To   metav1.MicroTime `json:"to"`
	Rows int64            `json:"rows"`
	Pods int32            `json:"pods"`
	// Rule that ranked: distance, predicted_error or labels.
	Rule string `json:"rule,omitempty"`
	// Trust says in one sentence how far that is to be trusted.
	// +kubebuilder:validation:MaxLength=512
	Trust string `json:"trust,omitempty"`
	// ProposeOnly says that by inputs alone nothing may be switched without a person.
	ProposeOnly bool `json:"proposeOnly,omitempty"`
	// Forecast is what evaluations say, absent where there are none.
	Forecast *ForecastEvidence `json:"forecast,omitempty"`
	// Candidates in the order of the rule: the nearest first, or that of the lowest
	// predicted error.
	// +kubebuilder:validation:MaxItems=20
	Candidates []CandidateEvidence `json:"candidates,omitempty"`
	// +kubebuilder:validation:MaxItems=50
	Excluded []ExcludedVersion `json:"excluded,omitempty"`
	// Shares of live and of the chosen version, for the ten worst columns.
	// +kubebuilder:validation:MaxItems=10
	Shares []ColumnShares `json:"shares,omitempty"`
}

// ForecastEvidence says whether inputs order the versions of this model.
type ForecastEvidence struct {
	// Metric that was predicted; of one that is higher for a better version, 1
	// less it.
	// +kubebuilder:validation:MaxLength=128
	Metric string `json:"metric"`
	// Gate is open, closed, or no_gate with too few data sets to tell.
	Gate string `json:"gate"`
	// Datasets that were left out and predicted, R2 what inputs explain of the
	// versions' order there, T the mean gain by that over its standard error.
	Datasets int32  `json:"datasets"`
	R2       string `json:"r2,omitempty"`
	T        string `json:"t,omitempty"`
}

// CandidateEvidence is one version as the match ranked it.
type CandidateEvidence struct {
	Version   string `json:"version"`
	Distance  string `json:"distance"`
	Tolerance string `json:"tolerance"`
	// ToleranceFrom says where the tolerances are from: given by the guard, blocks
	// of the version's training rows, or the fallback, which may only propose.
	ToleranceFrom string `json:"toleranceFrom,omitempty"`
	// Low and High bound the distance of all such rows with 95%.
	Low  string `json:"low,omitempty"`
	High string `json:"high,omitempty"`
	// Margin is the most that the distance of a better version may be, in parts of
	// live's.
	Margin string `json:"margin,omitempty"`
	// Newer is the distance to the newer half of the rows, where it was asked for
	// before a version was trained.
	Newer string `json:"newer,omitempty"`
	// PredictedError on today's rows, absent where too little was measured.
	PredictedError string `json:"predictedError,omitempty"`
	Fits           bool   `json:"fits"`
	Better         bool   `json:"better"`
	// Live marks the version in service.
	Live bool `json:"live,omitempty"`
	// Worst columns, with their distances.
	// +kubebuilder:validation:MaxItems=10
	Worst []ColumnDistance `json:"worst,omitempty"`
}

// ColumnDistance is the distance of one column.
type ColumnDistance struct {
	Name      string `json:"name"`
	Distance  string `json:"distance"`
	Tolerance string `json:"tolerance,omitempty"`
}

// ExcludedVersion is a version that was not considered, with the word why.
type ExcludedVersion struct {
	Version string `json:"version"`
	Reason  string `json:"reason"`
}

// EvaluationEvidence is what an evaluation came to. All numbers are decimal.
type EvaluationEvidence struct {
	// Decision that asked for it, when, and when it ended.
	Decision string           `json:"decision,omitempty"`
	AskedAt  metav1.MicroTime `json:"askedAt"`
	EndedAt  metav1.MicroTime `json:"endedAt"`
	// Failed is the word for why nothing was measured, and Message the sentence.
	Failed string `json:"failed,omitempty"`
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message,omitempty"`
	// Rows that all versions were measured on, and by what: mae, log_loss, error or
	// loss.
	Rows int64  `json:"rows,omitempty"`
	Loss string `json:"loss,omitempty"`
	// Live is the mean loss of the version in service.
	Live string `json:"live,omitempty"`
	// Versions that were measured beside it, the one that gains most first.
	// +kubebuilder:validation:MaxItems=20
	Versions []MeasuredVersion `json:"versions,omitempty"`
}

// MeasuredVersion is what one version showed.
type MeasuredVersion struct {
	Version string `json:"version"`
	// Mean loss, and by how much less it is than that of the version in service: the
	// mean over the rows, with its standard error.
	Mean          string `json:"mean"`
	Gain          string `json:"gain"`
	StandardError string `json:"standardError"`
}

// ColumnShares compares the bins of one column: today, the version in service
// and the version chosen are each on the bins of the version chosen.
type ColumnShares struct {
	Name   string   `json:"name"`
	Bins   []string `json:"bins"`
	Today  []string `json:"today"`
	Chosen []string `json:"chosen"`
}

// Baseline is what the active version showed, to compare the next one with.
// All numbers are decimal; an absent one was not known.
type Baseline struct {
	ErrorRatio string `json:"errorRatio,omitempty"`
	Requests   string `json:"requests,omitempty"`
	P99Seconds string `json:"p99Seconds,omitempty"`
	// Error is the mean absolute error (regression) or the share of wrong
	// answers (classification), from Labels labelled rows.
	Error  string `json:"error,omitempty"`
	Labels string `json:"labels,omitempty"`
	// ErrorSquares is the mean of the squared error, for its spread.
	ErrorSquares string `json:"errorSquares,omitempty"`
	// PredictionZ and PredictionDistance hold the predictions against the version's
	// own reference; PredictionThreshold is the z of the rule.
	PredictionZ         string `json:"predictionZ,omitempty"`
	PredictionThreshold string `json:"predictionThreshold,omitempty"`
	PredictionDistance  string `json:"predictionDistance,omitempty"`
}

// DecisionState is where a decision stands.
//
// +kubebuilder:validation:Enum=Proposed;AwaitingApproval;Acting;Verifying;Training;Evaluating;Done;Held;Superseded;Failed
type DecisionState string

// The states of a decision. Done, Held, Superseded and Failed are final;
// Proposed is what Observe ends with.
const (
	Proposed         DecisionState = "Proposed"
	AwaitingApproval DecisionState = "AwaitingApproval"
	StateActing      DecisionState = "Acting"
	StateVerifying   DecisionState = "Verifying"
	StateTraining    DecisionState = "Training"
	StateEvaluating  DecisionState = "Evaluating"
	Done             DecisionState = "Done"
	StateHeld        DecisionState = "Held"
	Superseded       DecisionState = "Superseded"
	Failed           DecisionState = "Failed"
)

// ModelDecisionStatus is the journal.
type ModelDecisionStatus struct {
	State DecisionState `json:"state,omitempty"`
	// Reason is the word for the state.
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
	// Steps with their times, oldest first. A step is written before it is
	// taken (…ing) and after (…ed).
	// +kubebuilder:validation:MaxItems=64
	Steps []Step `json:"steps,omitempty"`
	// Outcome is ok, worse, inconclusive, undone or superseded.
	Outcome string `json:"outcome,omitempty"`
	// VerifiedBy is labels, predictions or traffic.
	VerifiedBy string `json:"verifiedBy,omitempty"`
	// ApprovedBy is the name of who approved it.
	ApprovedBy string `json:"approvedBy,omitempty"`
	// Job started by a retraining or an evaluation, or the run of a workflow
	// (OWNER/NAME/actions/runs/NUMBER), and the version that it registered.
	Job     string `json:"job,omitempty"`
	Version string `json:"version,omitempty"`
	// Evaluation is what an evaluation measured.
	Evaluation *EvaluationEvidence `json:"evaluation,omitempty"`
	// Before is what the verdict compared with: the baseline, after a drift with
	// the error of labels that came in since the change.
	Before *Baseline `json:"before,omitempty"`
	// After is what the version chosen showed while it was verified.
	After *Baseline `json:"after,omitempty"`
	// Generation of the workload that the patch returned.
	Generation int64 `json:"generation,omitempty"`
}

// Step is one line of the journal.
type Step struct {
	Name    string           `json:"name"`
	Time    metav1.MicroTime `json:"time"`
	Message string           `json:"message,omitempty"`
}

// ModelDecisionList is a list of decisions.
//
// +kubebuilder:object:root=true
type ModelDecisionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ModelDecision `json:"items"`
}
