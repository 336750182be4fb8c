package guard

import (
	"maps"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// keepHistory begins a new stay when the model's fields have changed, and marks
// the stay settled when its template is first wholly rolled out. Scaling and
// restarts change no model field, so they end no stay and unsettle none.
func (v *visit) keepHistory() {
	s := &v.guard.Status
	hash := v.fields.Hash()
	now := metav1.NewMicroTime(v.now)
	if s.TemplateHash != hash || len(s.History) == 0 {
		if len(s.History) > 0 && s.History[0].ReplacedAt == nil {
			s.History[0].ReplacedAt = &now
			s.History[0].LeftFor = v.leftFor()
		}
		s.History = append([]v1alpha1.ServedVersion{{Version: v.fields.Version, BeganAt: &now}}, s.History...)
		if len(s.History) > historyLimit {
			s.History = s.History[:historyLimit]
		}
		s.TemplateHash, s.SettledAt = hash, nil
	}
	s.ActiveVersion = v.fields.Version
	stay := &s.History[0]
	if stay.SettledAt == nil && v.progress.Complete {
		stay.SettledAt = &now
	}
	s.SettledAt = stay.SettledAt
}

// leftFor is the cause of the decision that made the change now seen, empty
// when a person made it.
func (v *visit) leftFor() string {
	name, _, _ := strings.Cut(v.work.Annotations[v1alpha1.AnnotationDecision], "/")
	if _, human := v.work.ChangedBy(v.guard.Spec.Artifact); human {
		return ""
	}
	for i := range v.decisions {
		if d := &v.decisions[i]; d.Name == name && d.Spec.To == v.fields.Version {
			return d.Spec.Cause
		}
	}
	return ""
}

// maxGrain is how much later an alert may have been seen than is kept: less
// than the shortest window of the rules, or an alert that comes and goes would
// leave what looks like a clean window.
const maxGrain = 15 * time.Second

// note keeps when alerts of the active stay were last seen. A time that moves
// on by little is not worth a write each round.
func (v *visit) note() {
	stay := &v.guard.Status.History[0]
	tracked := decide.Track(v.evidence, v.now)
	grain := min(max(v.policy.GoodAfter/20, time.Second), maxGrain)
	for cause, at := range tracked.LastAlert {
		old, ok := stay.LastAlert[string(cause)]
		if ok && at.Sub(old.Time) < grain {
			continue
		}
		put(&stay.LastAlert, string(cause), metav1.NewMicroTime(at))
	}
	for cause, quiet := range tracked.LongestQuiet {
		if stay.LongestQuiet[string(cause)].Duration != quiet {
			put(&stay.LongestQuiet, string(cause), metav1.Duration{Duration: quiet})
		}
	}
	v.evidence.History[0] = servedOf(*stay)
}

func put[V any](m *map[string]V, key string, value V) {
	if *m == nil {
		*m = map[string]V{}
	} else {
		*m = maps.Clone(*m)
	}
	(*m)[key] = value
}

func servedOf(s v1alpha1.ServedVersion) decide.Served {
	out := decide.Served{Version: s.Version, LeftFor: decide.Cause(s.LeftFor), SettledAt: timeOf(s.SettledAt), ReplacedAt: timeOf(s.ReplacedAt)}
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

func timeOf(t *metav1.MicroTime) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.Time
}
