package incidents

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/agent/backtest"
	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/rules"
)

//go:embed values.yaml
var values []byte

// Rules are the rule files that scenes are judged by: those that ship, with
// short windows.
func Rules() (map[string][]byte, error) {
	v, err := rules.ParseValues(values)
	if err != nil {
		return nil, err
	}
	files, err := rules.Render(v)
	delete(files, "alert-budget.yaml") // evaluated by the minute, it has every selector look back for minutes
	return files, err
}

// step is how far apart evaluations are.
const step = 5 * time.Second

// begin is when every scene does.
var begin = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// Look is what one look at a model came to, where it is another than before.
type Look struct {
	// Second since the incident began; before it, less than 0.
	Second int
	Model  string
	decide.Decision
}

// Outcome is what was said about a scene.
type Outcome struct {
	*Scene
	Looks []Look // by time
	Took  time.Duration
}

// Run plays a scene; dir is for scratch files.
func (s *Scene) Run(ctx context.Context, files map[string][]byte, dir string) (*Outcome, error) {
	began := time.Now()
	out := &Outcome{Scene: s}
	cfg := backtest.Config{
		History: &traffic{models: s.models, begin: begin}, Rules: files,
		From: begin, To: begin.Add(time.Duration(s.End) * time.Second), ScrapeInterval: time.Second, MinInterval: step, Dir: dir, NoCurves: true,
	}
	last := map[string]decide.Decision{}
	cfg.Judged = func(g *v1alpha1.ModelGuard, d decide.Decision, at time.Time) {
		if was, ok := last[g.Name]; ok && was.Cause == d.Cause && was.Action == d.Action && was.Reason == d.Reason && was.Target == d.Target {
			return
		}
		last[g.Name] = d
		out.Looks = append(out.Looks, Look{int(at.Sub(begin)/time.Second) - s.Second, g.Name, d})
	}
	for _, m := range s.models {
		cfg.Guards = append(cfg.Guards, backtest.Guarded{Guard: guard(m.m.name), Versions: m.m.versions, AllVersions: true, Rows: m})
	}
	if _, err := backtest.Run(ctx, cfg); err != nil {
		return nil, fmt.Errorf("%s, seed %d: %w", s.Kind, s.Seed, err)
	}
	out.Took = time.Since(began)
	return out, nil
}

// guard is as short of time as the rules are.
func guard(model string) v1alpha1.ModelGuard {
	g := backtest.DefaultGuard(namespace, model)
	seconds := func(n int) metav1.Duration { return metav1.Duration{Duration: time.Duration(n) * time.Second} }
	g.Spec.Match = v1alpha1.Match{Window: seconds(60), MinSamples: 500, Tolerance: "0.2"}
	g.Spec.Verify = v1alpha1.Verify{For: seconds(15), GoodAfter: seconds(20)}
	g.Spec.Limits = v1alpha1.Limits{Cooldown: seconds(5), ChangesPerDay: 20, RetrainsPerWeek: 20, ReturnAfter: seconds(60)}
	g.Spec.Autonomy = v1alpha1.Autonomy{Default: v1alpha1.Auto}
	return g
}
