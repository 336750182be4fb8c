package guard

import (
	"slices"
	"strings"

	"github.com/leeway-dev/leeway/agent/evidence"
	"github.com/leeway-dev/leeway/agent/journal"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// keepHistory begins a new stay when the model's fields have changed, and marks
// the stay settled when its template is first wholly rolled out. Scaling and
// restarts change no model field, so they end no stay and unsettle none.
func (v *visit) keepHistory() {
	s := &v.guard.Status
	if hash := v.fields.Hash(); s.TemplateHash != hash || len(s.History) == 0 {
		if !v.undone() || !evidence.Reopen(s, v.fields.Version, v.now) {
			evidence.Change(s, v.fields.Version, v.leftFor(), v.now)
		}
		s.TemplateHash = hash
	}
	s.ActiveVersion = v.fields.Version
	if v.progress.Complete {
		evidence.Settle(s, v.now)
	}
	s.SettledAt = s.History[0].SettledAt
}

// undone says that Leeway itself has put back the version that serves now.
func (v *visit) undone() bool {
	name, step, _ := strings.Cut(v.work.Annotations[v1alpha1.AnnotationDecision], "/")
	if _, human := v.work.ChangedBy(v.guard.Spec.Artifact); human || step != journal.Undoing {
		return false
	}
	return slices.ContainsFunc(v.decisions, func(d v1alpha1.ModelDecision) bool {
		return d.Name == name && d.Spec.From == v.fields.Version
	})
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
