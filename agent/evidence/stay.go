package evidence

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/registry"
)

// historyLimit is how many stays are kept.
const historyLimit = 20

// Change begins a new stay of a version.
func Change(s *v1alpha1.ModelGuardStatus, version, leftFor string, at time.Time) {
	now := metav1.NewMicroTime(at)
	if len(s.History) > 0 && s.History[0].ReplacedAt == nil {
		s.History[0].ReplacedAt = &now
		s.History[0].LeftFor = leftFor
	}
	s.History = append([]v1alpha1.ServedVersion{{Version: version, BeganAt: &now}}, s.History...)
	s.History = s.History[:min(len(s.History), historyLimit)]
	s.ActiveVersion, s.SettledAt = version, nil
}

// Reopen goes on with the last stay but one, where the one after it never came to
// serve: a change that was undone before it was rolled out has ended no stay. It
// says whether that was so. Alerts that were there when it was left are taken to have
// gone on: nobody has asked for them meanwhile, and that is no clean window.
func Reopen(s *v1alpha1.ModelGuardStatus, version string, now time.Time) bool {
	if len(s.History) < 2 {
		return false
	}
	failed, before := &s.History[0], &s.History[1]
	if failed.SettledAt != nil || len(failed.LastAlert) > 0 || before.Version != version {
		return false
	}
	for cause, last := range before.LastAlert {
		if Time(before.ReplacedAt).Sub(last.Time) <= decide.GoesOn {
			put(&before.LastAlert, cause, metav1.NewMicroTime(now))
		}
	}
	before.ReplacedAt, before.LeftFor = nil, ""
	s.History = s.History[1:]
	s.ActiveVersion, s.SettledAt = version, before.SettledAt
	return true
}

// Settle marks the stay settled, if it is not yet.
func Settle(s *v1alpha1.ModelGuardStatus, at time.Time) {
	if stay := &s.History[0]; stay.SettledAt == nil {
		now := metav1.NewMicroTime(at)
		stay.SettledAt = &now
		s.SettledAt = stay.SettledAt
	}
}

// maxGrain is how much later an alert may have been seen than is kept: less
// than the shortest window of the rules, or an alert that comes and goes would
// leave what looks like a clean window.
const maxGrain = 15 * time.Second

// Note keeps when alerts of the active stay were last seen, in the stay and in
// the evidence. A time that moves on by little is not worth a write each round.
func Note(stay *v1alpha1.ServedVersion, e *decide.Evidence, p decide.Policy, now time.Time) {
	tracked := decide.Track(*e, now)
	grain := min(max(p.GoodAfter/20, time.Second), maxGrain)
	for cause, at := range tracked.LastAlert {
		old, ok := stay.LastAlert[string(cause)]
		if ok && at.Sub(old.Time) < grain && e.Unwatched.IsZero() {
			continue
		}
		put(&stay.LastAlert, string(cause), metav1.NewMicroTime(at))
	}
	for cause, quiet := range tracked.LongestQuiet {
		if old, ok := stay.LongestQuiet[string(cause)]; !ok || old.Duration != quiet { // none at all is kept as well
			put(&stay.LongestQuiet, string(cause), metav1.Duration{Duration: quiet})
		}
	}
	for cause, at := range tracked.SeenSince {
		if old := stay.SeenSince[string(cause)]; !old.Time.Equal(at) {
			put(&stay.SeenSince, string(cause), metav1.NewMicroTime(at))
		}
	}
	e.History[0] = Served(*stay)
}

// Registered tells what a registry holds for a version from anything else that it
// may come to hold under that number.
func Registered(r *registry.Version) string {
	digest := ""
	if r.Spec.Profile != nil {
		digest = r.Spec.Profile.Digest
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{r.Spec.Artifact.URI, r.Spec.Artifact.SHA256, digest}, "\x00")))
	return hex.EncodeToString(sum[:8])
}

// Reused says that a number was that of something else while it served: who could
// delete a version has made another of its name. What the history says of the
// number is not true of that.
func Reused(s *v1alpha1.ModelGuardStatus, r *registry.Version) bool {
	number := strconv.FormatInt(r.Number, 10)
	return slices.ContainsFunc(s.History, func(stay v1alpha1.ServedVersion) bool {
		return stay.Version == number && stay.Registered != "" && stay.Registered != Registered(r)
	})
}

// Want keeps since when a version is wanted back that was left for drift.
func Want(s *v1alpha1.ModelGuardStatus, d decide.Decision) {
	version, since, ok := decide.WantedBack(d)
	if !ok {
		return
	}
	for i := range s.History {
		if stay := &s.History[i]; stay.Version == version && stay.SettledAt != nil {
			if at := metav1.NewMicroTime(since); !stay.WantedSince.Equal(&at) {
				stay.WantedSince = &at
			}
			return // the latest stay decides
		}
	}
}

func put[V any](m *map[string]V, key string, value V) {
	if *m == nil {
		*m = map[string]V{}
	} else {
		*m = maps.Clone(*m)
	}
	(*m)[key] = value
}

// Served is a stay in plain types.
func Served(s v1alpha1.ServedVersion) decide.Served {
	out := decide.Served{Version: s.Version, LeftFor: decide.Cause(s.LeftFor), SettledAt: Time(s.SettledAt), ReplacedAt: Time(s.ReplacedAt),
		WantedSince: Time(s.WantedSince)}
	for c, t := range s.LastAlert {
		if out.LastAlert == nil {
			out.LastAlert = map[decide.AlertCause]time.Time{}
		}
		out.LastAlert[decide.AlertCause(c)] = t.Time
	}
	for c, t := range s.SeenSince {
		if out.SeenSince == nil {
			out.SeenSince = map[decide.AlertCause]time.Time{}
		}
		out.SeenSince[decide.AlertCause(c)] = t.Time
	}
	for c, d := range s.LongestQuiet {
		if out.LongestQuiet == nil {
			out.LongestQuiet = map[decide.AlertCause]time.Duration{}
		}
		out.LongestQuiet[decide.AlertCause(c)] = d.Duration
	}
	return out
}

// Time of a status, zero when it is not there.
func Time(t *metav1.MicroTime) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.Time
}
