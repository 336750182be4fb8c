package guard_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/registry"
)

// forged is a registry of which somebody has deleted version 1, and made another
// of that number.
type forged struct {
	registry.Store
	change func(*registry.Version)
}

func (f *forged) List(ctx context.Context, model string) ([]registry.Version, error) {
	all, err := f.Store.List(ctx, model)
	for i := range all {
		if all[i].Number == 1 && f.change != nil {
			f.change(&all[i])
		}
	}
	return all, err
}

// A release is bad, and what would be gone back to may not be, or is not what it
// was: it is refused, which is counted, and nothing is done.
func TestRefusedArtifacts(t *testing.T) {
	decided := func(cause, action, reason string) string {
		return fmt.Sprintf(`
# HELP leeway_decisions_total Decisions made, by what was found, what is done about it and why.
# TYPE leeway_decisions_total counter
leeway_decisions_total{action=%q,cause=%q,guard="churn",model_name="churn",namespace="ml",reason=%q} 1
`, action, cause, reason)
	}
	const reused = `
# HELP leeway_guard_refused_versions Registered versions that count as not registered, by why.
# TYPE leeway_guard_refused_versions gauge
leeway_guard_refused_versions{guard="churn",model_name="churn",namespace="ml",reason="number_reused"} 1
`
	for _, tt := range []struct {
		name   string
		guard  func(*v1alpha1.ModelGuard)
		forge  func(*registry.Version)
		metric string
		counts string
		reason string
	}{
		{"an artifact that no pattern allows", func(g *v1alpha1.ModelGuard) { g.Spec.Artifact.Allow = []string{"s3://models/other/*"} }, nil,
			"leeway_decisions_total", decided("bad_release", "rollback", "artifact_not_allowed"), "artifact_not_allowed"},
		{"an image by a tag", func(g *v1alpha1.ModelGuard) { g.Spec.Artifact.Image, g.Spec.Artifact.Env = true, "" }, nil,
			"leeway_decisions_total", decided("bad_release", "rollback", "artifact_not_allowed"), "artifact_not_allowed"},
		{"another artifact under its number", nil, func(v *registry.Version) { v.Spec.Artifact.URI = "s3://models/churn/evil.json" },
			"leeway_guard_refused_versions", reused, "first_version"},
		{"another digest under its number", nil, func(v *registry.Version) { v.Spec.Artifact.SHA256 = strings.Repeat("e", 64) },
			"leeway_guard_refused_versions", reused, "first_version"},
		{"another profile under its number", nil, func(v *registry.Version) {
			p := *v.Spec.Profile
			p.Digest = "sha256:" + strings.Repeat("e", 64)
			v.Spec.Profile = &p
		}, "leeway_guard_refused_versions", reused, "first_version"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var change []func(*v1alpha1.ModelGuard)
			if tt.guard != nil {
				change = append(change, tt.guard)
			}
			w := newWorld(t, change...)
			f := &forged{Store: w.store}
			w.store = f
			w.pass(40)
			w.wantPhase(v1alpha1.Watching, "healthy")
			two := w.register(0, "")
			w.shows[two] = shown{requests: 5000, errors: 2000, p99: 0.02}
			w.deploy(two, "kubectl-client-side-apply")
			f.change = tt.forge
			w.tick(2)
			w.alert("errors", "", "10s", two, "5xx")
			w.tick(30)
			w.wantServes(two)
			if w.changes != 0 {
				t.Errorf("%d changes", w.changes)
			}
			for _, d := range w.decisions() {
				if d.Status.Reason != tt.reason && d.Spec.Reason != tt.reason {
					t.Errorf("want %s: %s", tt.reason, describe(w.decisions()))
				}
			}
			if err := testutil.GatherAndCompare(w.loop.Registerer.(*prometheus.Registry), strings.NewReader(tt.counts), tt.metric); err != nil {
				t.Error(err, describe(w.decisions()))
			}
			told := slices.ContainsFunc(w.events, func(e string) bool { return strings.Contains(e, " Warning number_reused: version 1 ") })
			if told != (tt.forge != nil) {
				t.Errorf("events %q", w.events)
			}
		})
	}
}
