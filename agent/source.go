package agent

import (
	"context"
	"time"

	"github.com/prometheus/prometheus/promql"

	"github.com/leeway-dev/leeway/agent/embedded"
	"github.com/leeway-dev/leeway/agent/evidence"
)

// source lets the loop read the embedded engine.
type source struct{ engine *embedded.Engine }

func (s source) Alerts(ctx context.Context) ([]evidence.Alert, error) {
	alerts, err := s.engine.Alerts(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]evidence.Alert, 0, len(alerts))
	for _, a := range alerts {
		out = append(out, evidence.Alert{Labels: a.Labels, Annotations: a.Annotations, State: a.State, ActiveAt: a.ActiveAt, Value: a.Value})
	}
	return out, nil
}

func (s source) Query(ctx context.Context, expr string, at time.Time) (promql.Vector, error) {
	return s.engine.Query(ctx, expr, at)
}

// Fresh says whether the rules are evaluated. Whether samples arrive, the loop
// asks for each guard.
func (s source) Fresh(now time.Time) bool { return s.engine.Health(now).OK() }
