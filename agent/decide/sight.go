package decide

import "fmt"

// The rows on what can be seen, and on who changed what: no act comes of them.

func blind(v view) (Diagnosis, found) {
	if v.Blind == "" {
		return Diagnosis{}, absent
	}
	message := "model " + v.Model + " can't be judged: "
	switch v.Blind {
	case ReasonNoTraffic:
		message += "it gets no requests"
	case ReasonNoData:
		message += "its metrics do not arrive"
	case ReasonPartialProfile:
		message += "the live profile lacks rows that the counters have"
	case ReasonSourceUnreachable:
		message += "the source of its metrics can't be reached"
	case ReasonSidecarMissing:
		message += "pods have no sidecar"
	default:
		message += string(v.Blind)
	}
	if v.BlindDetail != "" {
		message += " (" + v.BlindDetail + ")"
	}
	return Diagnosis{Cause: Blind, Action: Hold, Reason: v.Blind, Message: message}, holds
}

// humanChanged holds on a rejected version that came back, on a label that
// disagrees with the artifact, and on an open decision that a person overruled.
// A change that overrules nothing is the new state of things, and is judged
// like any other.
func humanChanged(v view) (Diagnosis, found) {
	d := Diagnosis{Cause: HumanChanged, Action: Hold}
	who := v.HumanManager
	if who == "" {
		who = "somebody"
	}
	if k, ok := v.known(v.Active); ok && k.Rejected && v.Human && !v.HumanAt.Before(k.RejectedAt) {
		d.Reason = ReasonRejectedReturned
		rejected := "was rejected"
		if !k.RejectedAt.IsZero() {
			rejected += " at " + clock(k.RejectedAt)
		}
		d.Message = fmt.Sprintf("version %s %s, and %s put it back at %s: not fought, replace it or take the rejection back",
			v.Active, rejected, who, clock(v.HumanAt))
		return d, holds
	}
	if v.Mismatch != "" {
		d.Reason = ReasonVersionMismatch
		d.Message = fmt.Sprintf("the pod template says version %s, but its artifact is %s: set both to the same version",
			v.Active, v.Mismatch)
		return d, holds
	}
	if v.Human && !v.OpenSince.IsZero() && v.HumanAt.After(v.OpenSince) {
		d.Reason = ReasonHumanChanged
		d.Message = fmt.Sprintf("%s changed the model to version %s at %s, %s after what Leeway had begun: that is superseded",
			who, v.Active, clock(v.HumanAt), span(v.HumanAt.Sub(v.OpenSince)))
		return d, holds
	}
	return Diagnosis{}, absent
}

// rollingOut waits, but for errors and latency of the new version: only those
// are eligible while a rollout is under way.
func rollingOut(v view) (Diagnosis, found) {
	if !v.RollingOut || len(v.firing[AlertErrors])+len(v.firing[AlertLatency]) > 0 {
		return Diagnosis{}, absent
	}
	message := fmt.Sprintf("version %s is being rolled out", v.Active)
	if !v.RolloutSince.IsZero() {
		message += fmt.Sprintf(", %s so far and %.0f requests", span(v.now.Sub(v.RolloutSince)), v.RolloutRequests)
	}
	return Diagnosis{Cause: RollingOut, Action: Wait, Reason: ReasonRollingOut, Message: message}, holds
}
