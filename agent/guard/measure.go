package guard

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/agent/decide"
)

const requestCount = "leeway_request_duration_seconds_count"

// measure reads the numbers that the diagnosis needs. What can't be read makes
// the guard blind, never healthy.
func (v *visit) measure(ctx context.Context) error {
	e := &v.evidence
	if v.round.blind != nil {
		e.Blind, e.BlindDetail = decide.ReasonSourceUnreachable, v.round.blind.Error()
		v.conditionBlind()
		return nil
	}
	if err := v.see(ctx); err != nil {
		e.Blind, e.BlindDetail = decide.ReasonSourceUnreachable, err.Error()
	}
	v.conditionBlind()
	return nil
}

func (v *visit) see(ctx context.Context) error {
	e := &v.evidence
	var err error
	if e.Blind, e.BlindDetail, err = v.blind(ctx); err != nil || e.Blind != "" {
		return err
	}
	since := min(max(v.now.Sub(e.RolloutSince), time.Second), time.Hour)
	if e.RolloutRequests, _, err = v.number(ctx, "sum(increase(%s{%s}[%s]))", requestCount, v.series(e.Active), promDuration(since)); err != nil {
		return err
	}
	if e.Load, _, err = v.number(ctx, "sum(rate(%s{%s}[%s]))", requestCount, v.series(e.Active), promDuration(v.TrafficWindow)); err != nil {
		return err
	}
	if at := e.SettledAt.Add(v.TrafficWindow); !e.SettledAt.IsZero() && at.Before(v.now) && v.alerted(decide.AlertLatency) {
		e.LoadBefore, _, err = v.numberAt(ctx, at, "sum(rate(%s{%s}[%s]))", requestCount, v.series(e.Active), promDuration(v.TrafficWindow))
		if err != nil {
			return err
		}
	}
	return v.firstLabels(ctx)
}

// firstLabels notes when the active version had its first labels: before that
// its quality was not good but unknown.
func (v *visit) firstLabels(ctx context.Context) error {
	stay := &v.guard.Status.History[0]
	if _, ok := stay.SeenSince[string(decide.AlertQuality)]; ok {
		return nil
	}
	s := v.series(v.evidence.Active)
	n, ok, err := v.number(ctx, "sum(increase(leeway_feedback_rows_total{%s}[%s]) or increase(leeway_feedback_outcomes_total{%s}[%s]))",
		s, promDuration(v.Stale), s, promDuration(v.Stale))
	if err != nil || !ok || n <= 0 {
		return err
	}
	put(&stay.SeenSince, string(decide.AlertQuality), metav1.NewMicroTime(v.now))
	v.evidence.History[0] = servedOf(*stay)
	return nil
}

// blind looks whether there is anything to see at all: pods, their sidecars'
// metrics, requests. While a version is new, its metrics are given time.
func (v *visit) blind(ctx context.Context) (decide.Reason, string, error) {
	settled := v.evidence.SettledAt
	if settled.IsZero() || v.now.Sub(settled) < v.Stale {
		return "", "", nil
	}
	due := v.due()
	if len(v.pods) == 0 {
		return decide.ReasonNoTraffic, "no pod of version " + v.evidence.Active + " runs", nil
	}
	vector, err := v.Source.Query(ctx, fmt.Sprintf("count by (pod) (count_over_time(leeway_model_info{%s}[%s]))",
		v.series(v.evidence.Active), promDuration(v.Stale)), v.now)
	if err != nil {
		return "", "", err
	}
	seen := map[string]bool{}
	for _, s := range vector {
		seen[s.Metric.Get("pod")] = true
	}
	var unseen []string
	for _, p := range due {
		if !seen[p.Name] {
			unseen = append(unseen, p.Name)
		}
	}
	if len(unseen)*10 > len(due) {
		detail := fmt.Sprintf("%d of %d pods: %s", len(unseen), len(due), strings.Join(unseen[:min(3, len(unseen))], ", "))
		if !v.work.HasContainer(SidecarContainer) {
			return decide.ReasonSidecarMissing, detail, nil
		}
		return decide.ReasonNoData, detail, nil
	}
	if v.now.Sub(settled) < v.TrafficWindow {
		return "", "", nil
	}
	n, ok, err := v.number(ctx, "sum(increase(%s{%s}[%s]))", requestCount, v.series(v.evidence.Active), promDuration(v.TrafficWindow))
	switch {
	case err != nil:
		return "", "", err
	case !ok: // fewer than two samples: they have just begun to arrive
		return decide.ReasonNoData, "nothing to count requests by in " + promDuration(v.TrafficWindow), nil
	case n <= 0:
		return decide.ReasonNoTraffic, "no request in " + promDuration(v.TrafficWindow), nil
	}
	return "", "", nil
}

// due are the pods that have been ready for long enough to have been scraped.
func (v *visit) due() []corev1.Pod {
	var due []corev1.Pod
	for _, p := range v.pods {
		for _, c := range p.Status.Conditions {
			if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue && v.now.Sub(c.LastTransitionTime.Time) >= v.Stale {
				due = append(due, p)
			}
		}
	}
	return due
}

func (v *visit) alerted(cause decide.AlertCause) bool {
	for _, a := range v.evidence.Alerts {
		if a.Cause == cause && a.Namespace == v.evidence.Namespace && a.Model == v.evidence.Model {
			return true
		}
	}
	return false
}

// series selects what a version of the guard's model shows.
func (v *visit) series(version string) string {
	return fmt.Sprintf("namespace=%q,model_name=%q,model_version=%q", v.guard.Namespace, v.guard.Spec.Model, version)
}

func (v *visit) number(ctx context.Context, format string, args ...any) (float64, bool, error) {
	return v.numberAt(ctx, v.now, format, args...)
}

// numberAt evaluates an expression that has one value or none. Several are an
// error: reading one of them is how others got it wrong.
func (v *visit) numberAt(ctx context.Context, at time.Time, format string, args ...any) (float64, bool, error) {
	expr := fmt.Sprintf(format, args...)
	vector, err := v.Source.Query(ctx, expr, at)
	if err != nil {
		return 0, false, fmt.Errorf("query %s: %w", expr, err)
	}
	switch {
	case len(vector) == 0:
		return 0, false, nil
	case len(vector) > 1:
		return 0, false, fmt.Errorf("query %s: %d series where one is expected", expr, len(vector))
	case math.IsNaN(vector[0].F) || math.IsInf(vector[0].F, 0):
		return 0, false, nil
	}
	return vector[0].F, true, nil
}

// promDuration spells a duration for PromQL, in whole milliseconds.
func promDuration(d time.Duration) string {
	return model.Duration(max(d.Truncate(time.Millisecond), time.Millisecond)).String()
}
