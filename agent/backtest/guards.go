package backtest

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// DefaultGuard is the guard of a model for which none is given: with the
// defaults of a ModelGuard, and something to train with, so that what would be
// done is not held for want of it. It observes.
func DefaultGuard(namespace, model string) v1alpha1.ModelGuard {
	g := v1alpha1.ModelGuard{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: model}}
	g.Spec.Model = model
	g.Spec.Workload.Name = model
	g.Spec.Limits = v1alpha1.Limits{ChangesPerDay: 4, RetrainsPerWeek: 2}
	g.Spec.Retrain = &v1alpha1.Retrain{From: &v1alpha1.JobSource{CronJob: "retrain"}}
	fill(&g)
	return g
}

// ParseGuard reads a ModelGuard as it would be applied to a cluster.
func ParseGuard(b []byte) (v1alpha1.ModelGuard, error) {
	var g v1alpha1.ModelGuard
	// The defaults of limits that may be 0 are there before the file is read.
	g.Spec.Limits = v1alpha1.Limits{ChangesPerDay: 4, RetrainsPerWeek: 2}
	if err := yaml.UnmarshalStrict(b, &g); err != nil {
		return g, fmt.Errorf("not a ModelGuard: %w", err)
	}
	switch {
	case g.Kind != "ModelGuard":
		return g, fmt.Errorf("kind is %q, want ModelGuard", g.Kind)
	case g.Spec.Model == "":
		return g, fmt.Errorf("spec.model is empty: name the model in the registry")
	}
	if g.Name == "" {
		g.Name = g.Spec.Model
	}
	g.Status = v1alpha1.ModelGuardStatus{}
	fill(&g)
	return g, nil
}

// fill sets the defaults that the API server would.
func fill(g *v1alpha1.ModelGuard) {
	s := &g.Spec
	or := func(d *metav1.Duration, def time.Duration) {
		if d.Duration == 0 {
			d.Duration = def
		}
	}
	or(&s.Match.Window, 24*time.Hour)
	or(&s.Verify.For, 5*time.Minute)
	or(&s.Verify.GoodAfter, time.Hour)
	or(&s.Limits.Cooldown, 30*time.Minute)
	or(&s.Limits.ReturnAfter, 7*24*time.Hour)
	if s.Match.MinSamples == 0 {
		s.Match.MinSamples = 1000
	}
	if s.Match.Tolerance == "" {
		s.Match.Tolerance = "auto"
	}
	if s.Autonomy.Default == "" {
		s.Autonomy.Default = v1alpha1.Observe
	}
}
