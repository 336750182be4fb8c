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

// correlatedAlert stands in a stay for the alerts on inputs that came upon several
// models at once.
const correlatedAlert = AlertCause(Correlated)

// Clock says on which of the drift clocks a rule runs.
type Clock string

// The clocks. Page feeds the diagnosis and never leads to an act alone; errors,
// latency and broken input have no clock, quality only where the error of a
// classification was registered with its hold-out rows.
const (
	Page Clock = "page"
	Act  Clock = "act"
	Slow Clock = "slow"
)

// Alert is one pending or firing alert of the rules.
type Alert struct {
	Name   string
	Cause  AlertCause
	Clock  Clock
	Window time.Duration
	Firing bool // else pending
	// ActiveAt is when the rule's expression first held, so before its "for".
	ActiveAt  time.Time
	Namespace string
	Model     string
	Version   string
	// Subject is the feature, output or code class that the alert is about.
	Subject string
	Value   float64
	// Threshold is the most that the value may be for the rule to be quiet, NaN or
	// zero where the rule does not say it. Nothing is decided by it.
	Threshold float64
	Summary   string
	// Estimated says that the alert rests on no label but on what the predictions
	// let expect. No act rests on it.
	Estimated bool
}

// Action is what to do.
type Action string

// The actions.
const (
	NoAction Action = "none"
	Hold     Action = "hold"
	Wait     Action = "wait"
	Rollback Action = "rollback"
	Evaluate Action = "evaluate"
	Train    Action = "retrain"
	Redeploy Action = "redeploy"
)

// Acts says whether the action changes the workload, or starts a training or an
// evaluation.
func (a Action) Acts() bool {
	return a == Rollback || a == Evaluate || a == Train || a == Redeploy
}
