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
	case r.Action == Train:
		return limitedTraining(r, e, p, now)
	}
	return limitedChange(r, e, p, now)
}

func limitedTraining(r Decision, e Evidence, p Policy, now time.Time) Decision {
	week := 7 * 24 * time.Hour
	trained := since(e.Past, now.Add(-week), Train)
	switch {
	case !p.CanRetrain:
		return r.hold(ReasonNoRetrain, "; held: the guard names nothing to train with")
	case e.RetrainOpen:
		return r.hold(ReasonRetrainOpen, "; held: a training is under way already")
	case trained >= p.RetrainsPerWeek:
		return r.hold(ReasonRetrainsPerWeek, "; held: %s within a week, and the limit is %d", count(trained, "training"), p.RetrainsPerWeek)
	}
	return limitedFleet(r, e)
}

func limitedChange(r Decision, e Evidence, p Policy, now time.Time) Decision {
	if r.Target == "" || r.Target == e.Active {
		return r.hold(ReasonNoGoodVersion, "; held: there is no other version to deploy")
	}
	if left := leftForDrift(e, r.Target); !left.IsZero() && now.Sub(left) < p.ReturnAfter {
		return r.hold(ReasonOscillation, "; held: version %s was left for drift %s ago, and is not returned to within %s",
			r.Target, span(now.Sub(left)), span(p.ReturnAfter))
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
// did or when the version has served again since. Past decisions are asked too:
// they outlive the guard that holds the history.
func leftForDrift(e Evidence, version string) time.Time {
	var left, settled time.Time
	for _, s := range e.History {
		if s.Version != version || s.SettledAt.IsZero() {
			continue
		}
		settled = s.SettledAt
		if drift(s.LeftFor) {
			left = s.ReplacedAt
		}
		break // the latest stay decides
	}
	for _, d := range e.Past {
		if d.From == version && (d.Action == Rollback || d.Action == Redeploy) && drift(d.Cause) &&
			d.At.After(settled) && d.At.After(left) {
			left = d.At
		}
	}
	return left
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
