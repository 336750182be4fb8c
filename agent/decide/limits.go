package decide

import "time"

// limited holds an act that the limits forbid.
func limited(r Decision, e Evidence, p Policy, now time.Time) Decision {
	standing, message := Standing(e)
	switch {
	case !r.Action.Acts():
		return r
	case standing != "":
		return r.hold(standing, "; held: %s", message)
	case e.Blind != "":
		return r.hold(e.Blind, "; held: nothing can be seen")
	case r.Action == Evaluate:
		return limitedEvaluation(r, e)
	case r.Action == Train:
		return limitedTraining(r, e, p, now)
	}
	return limitedChange(r, e, p, now)
}

// limitedEvaluation counts nothing but the fleet: an evaluation changes nothing in
// service.
func limitedEvaluation(r Decision, e Evidence) Decision {
	if e.RetrainOpen {
		return r.hold(ReasonRetrainOpen, "; held: a training or an evaluation is under way already")
	}
	return limitedFleet(r, e)
}

func limitedTraining(r Decision, e Evidence, p Policy, now time.Time) Decision {
	week := 7 * 24 * time.Hour
	trained := since(e.Past, now.Add(-week), Train)
	switch {
	case !p.CanRetrain:
		return r.hold(ReasonNoRetrain, "; held: the guard names nothing to train with")
	case e.RetrainOpen:
		return r.hold(ReasonRetrainOpen, "; held: a training or an evaluation is under way already")
	case trained >= p.RetrainsPerWeek:
		return r.hold(ReasonRetrainsPerWeek, "; held: %s within a week, and the limit is %d", count(trained, "training"), p.RetrainsPerWeek)
	}
	return limitedFleet(r, e)
}

func limitedChange(r Decision, e Evidence, p Policy, now time.Time) Decision {
	if r.Target == "" || r.Target == e.Active {
		return r.hold(ReasonNoGoodVersion, "; held: there is no other version to deploy")
	}
	if r, oscillates := oscillation(r, e, p, now); oscillates {
		return r
	}
	if last := lastChange(e); !last.IsZero() && now.Sub(last) < p.Cooldown {
		return r.hold(ReasonCooldown, "; held: the last change was %s ago, and the cooldown is %s", span(now.Sub(last)), span(p.Cooldown))
	}
	day := 24 * time.Hour
	if n := since(e.Past, now.Add(-day), Rollback, Redeploy); n >= p.ChangesPerDay {
		return r.hold(ReasonChangesPerDay, "; held: %s within a day, and the limit is %d", count(n, "change"), p.ChangesPerDay)
	}
	return limitedFleet(r, e)
}

// oscillation holds a return to a version that was left for drift. Inputs that go
// back and forth are away for less than ReturnAfter each time, however long ago the
// version was left: so it counts anew from when they last came back, as long as
// they had not been away for that long. A season that stays is returned to.
func oscillation(r Decision, e Evidence, p Policy, now time.Time) (Decision, bool) {
	left, wanted := leftForDrift(e, r.Target)
	switch {
	case left.IsZero():
		return r, false
	case now.Sub(left) < p.ReturnAfter:
		return r.hold(ReasonOscillation, "; held: version %s was left for drift %s ago, and is not returned to within %s",
			r.Target, span(now.Sub(left)), span(p.ReturnAfter)), true
	case wanted.After(left) && now.Sub(wanted) < p.ReturnAfter:
		return r.hold(ReasonOscillation, "; held: version %s was left for drift %s ago, and inputs have gone back and forth since, last %s ago: it is returned to when they have stayed for %s",
			r.Target, span(now.Sub(left)), span(now.Sub(wanted)), span(p.ReturnAfter)), true
	}
	return r, false
}

// WantedBack says of a hold for oscillation which version inputs are those of,
// and since when.
func WantedBack(r Decision) (version string, since time.Time, ok bool) {
	if r.Reason != ReasonOscillation || len(r.Alerts) == 0 {
		return "", time.Time{}, false
	}
	return r.Target, earliest(r.Alerts), true
}

// limitedFleet lets one guard in twenty act at once, and always one.
func limitedFleet(r Decision, e Evidence) Decision {
	if allowed := max(1, e.FleetGuards/20); e.FleetActing >= allowed {
		return r.hold(ReasonFleetLimit, "; held: %s acting now, and of %d at most %d may at once",
			count(e.FleetActing, "other guard"), e.FleetGuards, allowed)
	}
	return r
}

// lastChange is when Leeway last changed the workload, zero when a person has
// changed the version since: what a person put there is judged anew.
func lastChange(e Evidence) time.Time {
	var last time.Time
	for _, d := range e.Past {
		if (d.Action == Rollback || d.Action == Redeploy) && d.At.After(last) {
			last = d.At
		}
	}
	if e.Human && e.HumanAt.After(last) {
		return time.Time{}
	}
	return last
}

// leftForDrift is when Leeway last left a version for drift, zero when it never
// did or when the version has served again since; and since when it was last
// wanted back. Past decisions are asked too: they outlive the guard that holds the
// history.
func leftForDrift(e Evidence, version string) (left, wanted time.Time) {
	var settled time.Time
	for _, s := range e.History {
		if s.Version != version || s.SettledAt.IsZero() {
			continue
		}
		settled = s.SettledAt
		if drift(s.LeftFor) {
			left, wanted = s.ReplacedAt, s.WantedSince
		}
		break // the latest stay decides
	}
	for _, d := range e.Past {
		if d.From == version && (d.Action == Rollback || d.Action == Redeploy) && drift(d.Cause) &&
			d.At.After(settled) && d.At.After(left) {
			left = d.At
		}
	}
	return left, wanted
}

func drift(c Cause) bool {
	return c == InputDrift || c == PredictionDrift || c == ConceptDrift
}

// since counts past decisions with one of the actions, made after a time.
func since(past []Past, after time.Time, actions ...Action) int {
	n := 0
	for _, d := range past {
		for _, a := range actions {
			if d.Action == a && d.At.After(after) {
				n++
			}
		}
	}
	return n
}
