package evidence

import (
	"math"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// Alert is one alert as the rule engine shows it.
type Alert struct {
	Labels, Annotations map[string]string
	State               string // "pending" or "firing"
	ActiveAt            time.Time
	Value               float64
}

// Judged reads an alert of ours; others have no cause.
func (a Alert) Judged() (decide.Alert, bool) {
	cause := a.Labels["leeway_cause"]
	if cause == "" {
		return decide.Alert{}, false
	}
	out := decide.Alert{
		Name: a.Labels["alertname"], Cause: decide.AlertCause(cause), Clock: decide.Clock(a.Labels["leeway_clock"]),
		Firing: a.State == "firing", ActiveAt: a.ActiveAt,
		Namespace: a.Labels["namespace"], Model: a.Labels["model_name"], Version: a.Labels["model_version"],
		Value: a.Value, Threshold: zero(parse(a.Annotations["threshold"])), Summary: a.Annotations["summary"], Estimated: a.Labels["leeway_basis"] == "expected",
	}
	for _, label := range []string{"feature", "output", "code"} {
		if s := a.Labels[label]; s != "" {
			out.Subject = s
			break
		}
	}
	// A window that can't be read counts as endless: the alert never becomes
	// eligible, rather than always.
	out.Window = math.MaxInt64
	if w, err := model.ParseDuration(strings.TrimSpace(a.Labels["leeway_window"])); err == nil {
		out.Window = time.Duration(w)
	}
	return out, true
}

func recordedAlert(a decide.Alert) v1alpha1.AlertEvidence {
	e := v1alpha1.AlertEvidence{
		Name: a.Name, State: "pending", ActiveAt: metav1.NewMicroTime(a.ActiveAt), Clock: string(a.Clock),
		Window: Duration(a.Window), Subject: a.Subject, Cause: string(a.Cause), Value: decimal(a.Value), Summary: a.Summary, Estimated: a.Estimated,
	}
	if a.Threshold > 0 {
		e.Threshold = decimal(a.Threshold)
	}
	if a.Firing {
		e.State = "firing"
	}
	return e
}

// Policy is the guard's, in plain types.
func Policy(g *v1alpha1.ModelGuard) decide.Policy {
	s := g.Spec
	return decide.Policy{
		MatchWindow: s.Match.Window.Duration, MinSamples: s.Match.MinSamples,
		ToleranceAuto: s.Match.Tolerance == "" || s.Match.Tolerance == "auto",
		GoodAfter:     s.Verify.GoodAfter.Duration, VerifyFor: s.Verify.For.Duration,
		Cooldown: s.Limits.Cooldown.Duration, ChangesPerDay: int(s.Limits.ChangesPerDay),
		RetrainsPerWeek: int(s.Limits.RetrainsPerWeek), ReturnAfter: s.Limits.ReturnAfter.Duration,
		CanRetrain: s.Retrain != nil, CanEvaluate: s.Evaluate != nil,
	}
}
