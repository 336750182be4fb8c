package guard

import (
	"cmp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/agent/evidence"
)

const conditionOverloaded = "Overloaded"

// overload is why a controller has more to do than one machine is good for.
type overload struct{ problem, message string }

// overloadOf reads it from the alerts on the controllers themselves, so that the
// limits are written once, with the rules. Nil: there is none.
func overloadOf(alerts []evidence.Alert) *overload {
	var found []overload
	for _, a := range alerts {
		problem := a.Labels["problem"]
		if a.State != "firing" || problem != "too_many_series" && problem != "rules_slow" {
			continue
		}
		found = append(found, overload{problem, strings.Join([]string{a.Annotations["summary"], a.Annotations["description"]}, " ")})
	}
	if len(found) == 0 {
		return nil
	}
	// Too many series are why rules are slow, not the other way round.
	first := slices.MinFunc(found, func(a, b overload) int {
		return cmp.Or(-cmp.Compare(a.problem, b.problem), cmp.Compare(a.message, b.message))
	})
	return &first
}

// conditionOverloaded says on the guard that the controllers that judge it are
// beyond what they are good for. It is gone when they are not.
func (v *visit) conditionOverloaded() {
	o := v.round.overload
	if o == nil {
		if v.round.blind == nil { // else it is not known
			meta.RemoveStatusCondition(&v.guard.Status.Conditions, conditionOverloaded)
		}
		return
	}
	v.condition(conditionOverloaded, metav1.ConditionTrue, o.problem, o.message)
}
