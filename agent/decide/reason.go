package decide

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
	ReasonVersionMismatch     Reason = "version_mismatch"
	ReasonRollingOut          Reason = "rolling_out"
	ReasonSettling            Reason = "settling"
	ReasonWaitsForHigherCause Reason = "waits_for_higher_cause"
	ReasonCorrelated          Reason = "correlated"
	ReasonBrokenInput         Reason = "broken_input"
	ReasonLastGood            Reason = "last_good"
	ReasonNoGoodVersion       Reason = "no_good_version"
	ReasonSaturation          Reason = "saturation"
	ReasonServing             Reason = "serving"
	ReasonInputDrift          Reason = "input_drift"
	ReasonLiveFits            Reason = "live_fits"
	ReasonFits                Reason = "fits_and_better"
	ReasonNoneFits            Reason = "none_fits"
	ReasonInputsMoving        Reason = "inputs_moving"
	ReasonPredictionDrift     Reason = "prediction_drift"
	ReasonExpectedError       Reason = "expected_error"
	ReasonConceptDrift        Reason = "concept_drift"
	ReasonCooldown            Reason = "cooldown"
	ReasonChangesPerDay       Reason = "changes_per_day"
	ReasonRetrainsPerWeek     Reason = "retrains_per_week"
	ReasonRetrainOpen         Reason = "retrain_open"
	ReasonNoRetrain           Reason = "no_retrain_configured"
	ReasonOscillation         Reason = "oscillation"
	ReasonFleetLimit          Reason = "fleet_limit"
	ReasonUnregistered        Reason = "unregistered_version"
	ReasonFirstVersion        Reason = "first_version"
	ReasonEmptyRegistry       Reason = "empty_registry"
	ReasonArtifactMissing     Reason = "artifact_missing"
	ReasonArtifactDigest      Reason = "artifact_digest"
	ReasonArtifactUnreachable Reason = "artifact_unreachable"
	ReasonNotAllowed          Reason = "artifact_not_allowed"
	ReasonToleranceAuto       Reason = "tolerance_auto_only_proposes"
	ReasonInputsSayNothing    Reason = "inputs_only_propose"
	ReasonGatePassed          Reason = "gate_passed"
	ReasonGateFailed          Reason = "gate_failed"
	ReasonNoComparison        Reason = "no_comparison"
	ReasonDriftGone           Reason = "drift_gone"
	ReasonTainted             Reason = "tainted"
	ReasonNoVersion           Reason = "no_version_registered"
	ReasonTwoVersions         Reason = "two_versions_registered"
	ReasonJobFailed           Reason = "job_failed"
	ReasonRetrainTimeout      Reason = "retrain_timeout"
	ReasonTriggerRefused      Reason = "trigger_refused"
	ReasonTriggerUnreachable  Reason = "trigger_unreachable"
	ReasonVerifying           Reason = "verifying"
	ReasonVerified            Reason = "verified"
	ReasonNotReady            Reason = "not_ready"
	ReasonWorse               Reason = "worse"
	ReasonInconclusive        Reason = "inconclusive"
)

// Passes says that a hold for this reason may end by itself, without a change of
// the guard, the registry or the workload: it is worth asking again.
func (r Reason) Passes() bool {
	switch r {
	case ReasonNoTraffic, ReasonNoData, ReasonTooFewRows, ReasonPartialProfile, ReasonSourceUnreachable, ReasonSidecarMissing,
		ReasonRollingOut, ReasonSettling, ReasonWaitsForHigherCause, ReasonCorrelated, ReasonBrokenInput, ReasonSaturation, ReasonServing, ReasonLiveFits, ReasonInputsMoving,
		ReasonPredictionDrift, ReasonExpectedError, ReasonCooldown, ReasonChangesPerDay, ReasonRetrainsPerWeek, ReasonRetrainOpen,
		ReasonOscillation, ReasonFleetLimit, ReasonArtifactUnreachable:
		return true
	}
	return false
}
