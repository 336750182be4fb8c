package decide

import (
	"fmt"
	"slices"
)

// The rows that tell a bad release from bad serving.

// badRelease holds when the active version never had a clean window of the
// cause since it settled, and its predecessor's last had: then it is the
// release, however long ago it was.
func badRelease(v view) (Diagnosis, found) {
	causes := []AlertCause{AlertErrors, AlertLatency, AlertQuality, AlertPredictionDrift}
	for _, cause := range causes {
		if alerts := v.released(v.firing[cause]); len(alerts) > 0 {
			return v.goBack(cause, alerts), holds
		}
	}
	for _, cause := range causes {
		if alerts := v.released(v.pending[cause]); len(alerts) > 0 {
			return Diagnosis{Cause: BadRelease, Alerts: alerts}, pending
		}
	}
	return Diagnosis{}, absent
}

// released keeps the alerts that came with the release. A page alert on the
// same subject sees more sharply when it began, so it has a say.
func (v view) released(alerts []Alert) []Alert {
	before, ok := predecessor(v.Evidence)
	if !ok || before.Version == v.Active {
		return nil
	}
	var kept []Alert
	for _, a := range alerts {
		if neverClean(v.stay, a) && v.pageAgrees(a) && lastWindowClean(before, a.Cause, a.Window) {
			kept = append(kept, a)
		}
	}
	return kept
}

// pageAgrees asks the page alert that was first: of a ladder of windows it is
// the one that fits the size of the change, and shorter ones come and go.
func (v view) pageAgrees(a Alert) bool {
	var first *Alert
	for i, page := range v.page[a.Cause] {
		if page.Subject == a.Subject && (first == nil || page.ActiveAt.Before(first.ActiveAt)) {
			first = &v.page[a.Cause][i]
		}
	}
	return first == nil || neverClean(v.stay, *first)
}

func (v view) goBack(cause AlertCause, alerts []Alert) Diagnosis {
	before, _ := predecessor(v.Evidence)
	a := alerts[0]
	d := Diagnosis{Cause: BadRelease, Action: Rollback, Alerts: alerts, Columns: subjects(alerts)}
	evidence := fmt.Sprintf("version %s ended with a clean %s, and version %s had none since %s (%s)",
		before.Version, span(a.Window), v.Active, v.since(), shown(a))
	d.Target, d.Reason = LastGood(v.Evidence, v.policy, cause, v.now)
	if d.Reason == ReasonLastGood {
		d.Message = fmt.Sprintf("%s; go back to version %s", evidence, d.Target)
		return d
	}
	d.Action = Hold
	d.Message = fmt.Sprintf("%s; but no other version was live and clean for %s, so there is none to go back to",
		evidence, span(v.policy.GoodAfter))
	return d
}

// since says since when the active version serves.
func (v view) since() string {
	if !v.stay.SettledAt.IsZero() {
		return fmt.Sprintf("it settled %s ago", span(v.now.Sub(v.stay.SettledAt)))
	}
	if !v.RolloutSince.IsZero() {
		return fmt.Sprintf("its rollout began %s ago", span(v.now.Sub(v.RolloutSince)))
	}
	return "its rollout began"
}

// LoadRise is by how much more must be asked of a model than at any time of the
// hour before, for that to be why it is slow. Servers that are half idle grow
// noticeably slower from there on: with 1/(1-u) for the share u that they are busy,
// by a half at u = 0.57. It is measured against the most of an hour, which chance,
// a daily cycle and batches that come every few minutes have all gone into: they
// don't go a quarter beyond it.
const LoadRise = 1.25

// saturation holds on latency that rose with the load. That it is not the release
// was asked before.
func saturation(v view) (Diagnosis, found) {
	l := v.Load
	if !(l.RequestsBefore > 0) || !(l.Requests >= LoadRise*l.RequestsBefore) {
		return Diagnosis{}, absent
	}
	firing := v.firing[AlertLatency]
	if len(firing) == 0 {
		if waiting := v.pending[AlertLatency]; len(waiting) > 0 {
			return Diagnosis{Cause: Saturation, Alerts: waiting}, pending
		}
		return Diagnosis{}, absent
	}
	alerts := slices.Concat(firing, v.firing[AlertErrors])
	return Diagnosis{
		Cause: Saturation, Action: Hold, Reason: ReasonSaturation, Alerts: alerts, Columns: subjects(alerts), Load: &l,
		Message: fmt.Sprintf("version %s is slow since %s requests/s are asked, where %s were the most of the hour before, %.1f times as many; p99 %s, before %s: it is the load, not the model (%s)",
			v.Active, number(l.Requests), number(l.RequestsBefore), l.Requests/l.RequestsBefore, seconds(l.P99), seconds(l.P99Before), shown(firing[0])),
	}, holds
}

// serving holds on errors and latency that no release explains. They keep what
// stands lower from acting: a model that can't be reached is not drifting.
func serving(v view) (Diagnosis, found) {
	firing := append(append([]Alert{}, v.firing[AlertErrors]...), v.firing[AlertLatency]...)
	if len(firing) == 0 {
		waiting := append(append([]Alert{}, v.pending[AlertErrors]...), v.pending[AlertLatency]...)
		if len(waiting) == 0 {
			return Diagnosis{}, absent
		}
		return Diagnosis{Cause: Serving, Alerts: waiting}, pending
	}
	a := firing[0]
	d := Diagnosis{Cause: Serving, Action: Hold, Reason: ReasonServing, Alerts: firing, Columns: subjects(firing)}
	before, follows := predecessor(v.Evidence)
	switch {
	case !neverClean(v.stay, a):
		d.Message = fmt.Sprintf("version %s was clean for %s before its %s: it is not the release, look at what serves it (%s)",
			v.Active, span(longestQuiet(v.stay, a.Cause, a.ActiveAt)), a.Cause, shown(a))
	case !follows && len(v.Versions) <= 1:
		d.Reason = ReasonFirstVersion
		d.Message = fmt.Sprintf("version %s is the first and has had %s since %s: there is none to go back to (%s)",
			v.Active, a.Cause, v.since(), shown(a))
	case !follows:
		d.Reason = ReasonNoGoodVersion
		d.Message = fmt.Sprintf("version %s has had %s since %s, and no version was seen in service before it: there is none known to be better (%s)",
			v.Active, a.Cause, v.since(), shown(a))
	case before.Version == v.Active:
		d.Message = fmt.Sprintf("version %s has had %s since %s, and was in service before that as well: it is not the release (%s)",
			v.Active, a.Cause, v.since(), shown(a))
	case !before.SettledAt.IsZero() && !showed(before, a.Cause):
		d.Reason = ReasonNoGoodVersion
		d.Message = fmt.Sprintf("version %s has had %s since %s, and of version %s before it no request was ever counted: it is not known to be better (%s)",
			v.Active, a.Cause, v.since(), before.Version, shown(a))
	default:
		d.Message = fmt.Sprintf("version %s has had %s since %s, and version %s before it did not end with a clean %s either: it is not the release (%s)",
			v.Active, a.Cause, v.since(), before.Version, span(a.Window), shown(a))
	}
	return d, holds
}
