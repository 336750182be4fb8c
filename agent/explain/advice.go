package explain

import (
	"fmt"
	"strings"

	"github.com/leeway-dev/leeway/agent/decide"
)

// Advice is what a person can do about one reason.
type Advice struct {
	Reason decide.Reason
	ToDo   string
}

// Advices are of every reason for which a guard is held or blind, or an act came
// to nothing, in the order of the table in docs/operations.md, which is held
// against them. The words at the end are those of package guard.
func Advices() []Advice {
	return []Advice{
		// Nothing can be seen.
		{decide.ReasonNoTraffic, "Nothing, if the model is meant to be idle. Else look at the Service, at the client, and whether requests still pass the sidecar's port."},
		{decide.ReasonNoData, "Look at the node agents (kubectl get pods -n leeway-system -l app.kubernetes.io/name=leeway-node) and at /metrics of the sidecar on port 9095; after a start or a release it goes away within five scrapes."},
		{decide.ReasonPartialProfile, "See which pods the message names: their port 9095 must answer to the controllers. A sidecar that was restarted has lost its rows; it goes away when the window has passed."},
		{decide.ReasonSourceUnreachable, "Within five minutes of a start: wait until every rule group has been evaluated once. Else the message and the controller's log name the rule group, or the Prometheus, that does not answer."},
		{decide.ReasonSidecarMissing, "Put the sidecar back into the pod template (component sidecar)."},
		{decide.ReasonTooFewRows, "Wait for rows, or lower spec.match.minSamples."},

		// People.
		{decide.ReasonHumanChanged, "Nothing: your change stands. What was under way is superseded, and the version that serves now is judged anew."},
		{decide.ReasonRejectedReturned, "Deploy another version; or, if the rejection was wrong, take it back with leeway reject --undo. Ask the field manager that the message names; where it is a GitOps controller, change what it reads from."},
		{decide.ReasonVersionMismatch, "Set the label leeway.dev/version and the artifact of the pod template to the same version."},

		// The cause is not the model.
		{decide.ReasonCorrelated, "Look upstream of all models that the message names: a table, a unit, a join. It ends when they clear, or after 24 h."},
		{decide.ReasonBrokenInput, "Mend the columns that the message names, where they come from. It ends when the broken rows are out of the windows."},
		{decide.ReasonSaturation, "Add replicas, or limit the requests."},
		{decide.ReasonServing, "Look at what serves the model: nodes, memory, what it calls. Another version would fail as well."},
		{decide.ReasonPredictionDrift, "Compare what is predicted with labels, if there are any. A changed feature that is not observed, or a changed world, is possible; if it is wanted, register a version that predicts so."},
		{decide.ReasonExpectedError, "Send labels: they can tell. Nothing is done for an estimate."},

		// There is no version to go to.
		{decide.ReasonLiveFits, "Nothing: the version in service is at home in today's rows. If it goes on, rules.md says how to widen a floor or a budget."},
		{decide.ReasonInputsMoving, "Wait: inputs have not come to rest, or are on their way to a version that is there."},
		{decide.ReasonNoneFits, "leeway match --explain says what is nearest, and by how much it misses. What was trained and does not fit today's rows stays registered."},
		{decide.ReasonNoneBetter, "Name something to train with in spec.retrain, or train and register a version yourself: of those registered none is better on labelled rows. leeway explain has the numbers."},
		{decide.ReasonNoGoodVersion, "Deploy a version that you trust, or register one. Versions count that were live, seen to serve and clean for spec.verify.goodAfter, of the same features and compat."},
		{decide.ReasonFirstVersion, "Mend this version, or register and deploy another: there is none to go back to."},
		{decide.ReasonUnregistered, "Register the version that serves (leeway register), and set the label leeway.dev/version to its number."},
		{decide.ReasonEmptyRegistry, "Register the version that serves; check that --registry of the controllers is where you register."},
		{decide.ReasonArtifactMissing, "Put the artifact back where it was registered, or register the version anew."},
		{decide.ReasonArtifactDigest, "Somebody wrote over the artifact. Put back what was registered, or register it as a new version; find out who."},
		{decide.ReasonArtifactUnreachable, "See why the store does not answer; it is asked again in every round."},
		{decide.ReasonNotAllowed, "Approve the decision, or add a pattern to spec.artifact.allow or to the controllers' --artifact-allow. An image must be pinned by its digest."},
		{decide.ReasonToleranceAuto, "Approve it, or reject it. Profiles made with leeway profile --time learn their tolerance; a number in spec.match.tolerance acts."},
		{decide.ReasonInputsSayNothing, "Approve it, or reject it. Evaluations on eight data sets (leeway evaluate) can open the gate."},

		// Limits.
		{decide.ReasonCooldown, "Wait, or deploy yourself: a person's change ends the cooldown."},
		{decide.ReasonChangesPerDay, "Something keeps changing: look at the last decisions before you raise spec.limits.changesPerDay."},
		{decide.ReasonRetrainsPerWeek, "Look at why the last trainings did not help before you raise spec.limits.retrainsPerWeek."},
		{decide.ReasonOscillation, "Two versions take turns. Train one on rows of both times, or deploy one yourself."},
		{decide.ReasonFleetLimit, "Wait: one guard in twenty acts at once. If many want to, look for what they share."},
		{decide.ReasonNoRetrain, "Name a CronJob in spec.retrain, or train and register a version yourself."},

		// Trainings and evaluations.
		{decide.ReasonGateFailed, "The new version is worse on the same rows: see its metrics with leeway show. It stays registered and is not deployed."},
		{decide.ReasonNoComparison, "Give the guard a gate, and have the Job evaluate the version in service on its own rows (leeway register --evaluation)."},
		{decide.ReasonTainted, "Mend the input, then start a training by hand; what was trained stays registered and is not deployed."},
		{decide.ReasonNoVersion, "The Job must end with leeway register, in the pod, with LEEWAY_DECISION set: see its log."},
		{decide.ReasonTwoVersions, "Have the Job register one version; reject the one that is not meant, and deploy the other yourself."},
		{decide.ReasonJobFailed, "See the Job's log and events. It is tried again when the cooldown and the match's window have passed, within spec.limits.retrainsPerWeek."},
		{decide.ReasonEvaluationFailed, "See why the last evaluation came to nothing: the message has its reason. It is made again when spec.match.window has passed, or train and register a version yourself."},
		{decide.ReasonReportUnusable, "The Job must end with leeway evaluate FILE --report, in a container of the pod that succeeds. The message says what is wrong with its report."},
		{decide.ReasonEvaluationTimeout, "See where the Job hangs, or raise spec.evaluate.timeout."},
		{decide.ReasonTriggerRefused, "Check what the message names: that the CronJob, or the workflow at its ref, is there, and the token in its Secret valid and allowed to start it."},
		{decide.ReasonTriggerUnreachable, "Nothing, if it asked to wait: it is asked again until spec.retrain.timeout. Else see why GitHub, or --github-url, does not answer the controllers."},
		{decide.ReasonRetrainTimeout, "See where the Job hangs, or raise spec.retrain.timeout."},

		// Changes that came to nothing.
		{decide.ReasonNotReady, "See why pods of the version did not become ready (kubectl describe pod). The version before is back."},
		{decide.ReasonWorse, "The version before is back and the worse one is rejected. leeway explain has the numbers."},
		{decide.ReasonInconclusive, "Look yourself, nothing was undone: there were too few requests and labels. A longer spec.verify.for finds more."},

		{"duplicate_guard", "Delete one of the two guards that the message names."},
		{"workload_missing", "Correct spec.workload, or create the workload."},
		{"container_missing", "Correct spec.artifact.container."},
		{"artifact_field_missing", "Correct spec.artifact.env, or give the container the variable as a plain value."},
		{"version_label_missing", "Set the label leeway.dev/version in the pod template."},
		{"registry_unreachable", "See why the registry does not answer: the message has its words."},
		{"workload_paused", "Resume the Deployment (kubectl rollout resume)."},
		{"gitops_owned", "Commit the change: kubectl leeway patch GUARD -f MANIFEST prints it as a diff."},
		{"no_permission", "Bind the ClusterRole leeway-actor in the namespace, if Leeway is to act there."},
		{"proposed", "Do it or don't: the guard observes. If it is right again and again, leeway scorecard says what it has earned."},
		{"awaiting_approval", "Approve it within an hour: the annotation leeway.dev/approved-by with your own user name (kubectl auth whoami)."},
		{"approval_expired", "Nothing: if the trouble goes on, it is decided again and waits again."},
		{"decided_otherwise", "Look at the decision that came after it."},
		{"pods_pending", "Make room (nodes, quota, a surge pod), or bring back what the pod lacks; the version before is back. It is tried again after spec.limits.cooldown."},
		{"pod_stuck", "Delete the pod that the message names: kubectl delete pod POD -n NAMESPACE. The rollout then goes on by itself. With podManagementPolicy Parallel it would have."},
		{"change_refused", "The API server refused the change: the decision has its words (admission, quota, rights)."},
		{"superseded", "Nothing: the workload was deleted and made again, or the guard was deleted or names another one."},
	}
}

// ToDo says what to do about a reason, or nothing where there is nothing to say.
func ToDo(reason string) string {
	for _, a := range Advices() {
		if string(a.Reason) == reason {
			return a.ToDo
		}
	}
	return ""
}

// Advised adds to a sentence what to do about its reason, within so many bytes: of
// a long sentence the end goes first.
func Advised(message, reason string, most int) string {
	todo := ToDo(reason)
	if todo != "" {
		todo = " What to do: " + todo
		message = strings.TrimSuffix(message, ".") + "."
	}
	if room := max(most-len(todo), 0); len(message) > room {
		message = strings.ToValidUTF8(message[:max(room-len("…"), 0)], "") + "…"
	}
	return fmt.Sprint(message, todo)
}
