package evidence

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

type modelName struct{ namespace, model string }

// Onsets are when trouble with the inputs of guarded models began. Guards are as
// they were last seen, so whoever leads comes to the same.
func Onsets(guards []v1alpha1.ModelGuard, alerts []decide.Alert, now time.Time) []decide.Onset {
	of := map[modelName][]decide.Alert{}
	for _, a := range alerts {
		if a.Cause == decide.AlertInputDrift || a.Cause == decide.AlertBrokenInput {
			of[modelName{a.Namespace, a.Model}] = append(of[modelName{a.Namespace, a.Model}], a)
		}
	}
	var onsets []decide.Onset
	for i := range guards {
		g := &guards[i]
		name := modelName{g.Namespace, g.Spec.Model}
		list := of[name]
		if len(list) == 0 {
			continue
		}
		delete(of, name) // of two guards on one model the second does nothing
		e := decide.Evidence{
			Namespace: g.Namespace, Model: g.Spec.Model, Active: g.Status.ActiveVersion,
			SettledAt: Time(g.Status.SettledAt), RollingOut: g.Status.SettledAt == nil,
		}
		onsets = append(onsets, decide.Onsets(list, e, now)...)
	}
	return decide.SortOnsets(onsets)
}

// maxOnsets are kept in a record.
const maxOnsets = 64

// recordedOnsets tells models of other namespaces apart and keeps their names to
// these: who may read a decision need not know who else is there.
func recordedOnsets(onsets []decide.Onset, namespace string) []v1alpha1.OnsetEvidence {
	others := map[modelName]string{}
	var out []v1alpha1.OnsetEvidence
	for _, o := range onsets[:min(len(onsets), maxOnsets)] {
		e := v1alpha1.OnsetEvidence{Model: o.Model, Subject: o.Subject, At: metav1.NewMicroTime(o.At)}
		if o.Namespace != namespace {
			name := modelName{o.Namespace, o.Model}
			if others[name] == "" {
				others[name] = fmt.Sprintf("another namespace's %d", len(others)+1)
			}
			e.Model, e.Subject = others[name], ""
		}
		out = append(out, e)
	}
	return out
}

func recordedLoad(l *decide.Load) *v1alpha1.LoadEvidence {
	if l == nil {
		return nil
	}
	return &v1alpha1.LoadEvidence{
		Requests: decimal(l.Requests), RequestsBefore: decimal(l.RequestsBefore), P99Seconds: decimal(l.P99), P99Before: decimal(l.P99Before),
	}
}
