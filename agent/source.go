package agent

import (
	"context"
	"time"

	"github.com/prometheus/prometheus/promql"

	"github.com/leeway-dev/leeway/agent/embedded"
	"github.com/leeway-dev/leeway/agent/evidence"
	"github.com/leeway-dev/leeway/agent/guard"
)

// embeddedSource lets the loop read the embedded engine.
type embeddedSource struct{ engine *embedded.Engine }

// Verdicts is an error where the rules are not evaluated. Whether samples arrive,
// the loop asks for each guard.
func (s embeddedSource) Verdicts(ctx context.Context, now time.Time) (guard.Verdicts, error) {
	if err := s.engine.Health(now).Err(); err != nil {
		return guard.Verdicts{}, err
	}
	alerts, err := s.engine.Alerts(ctx)
	if err != nil {
		return guard.Verdicts{}, err
	}
	out := guard.Verdicts{PageWindow: s.engine.PageWindow()}
	for _, a := range alerts {
		out.Alerts = append(out.Alerts, evidence.Alert{Labels: a.Labels, Annotations: a.Annotations, State: a.State, ActiveAt: a.ActiveAt, Value: a.Value})
	}
	return out, nil
}

// Query asks the engine.
func (s embeddedSource) Query(ctx context.Context, expr string, at time.Time) (promql.Vector, error) {
	return s.engine.Query(ctx, expr, at)
}
