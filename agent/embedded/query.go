package embedded

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
)

// Query evaluates an instant query. A scalar is a vector of one sample without
// labels. The rules and the decider use it.
func (e *Engine) Query(ctx context.Context, expr string, at time.Time) (promql.Vector, error) {
	return instant(ctx, e.promql, e.db, e.queryOptions(), expr, at)
}

func instant(ctx context.Context, engine *promql.Engine, db storage.Queryable, opts promql.QueryOpts, expr string, at time.Time) (promql.Vector, error) {
	q, err := engine.NewInstantQuery(ctx, db, opts, expr, at)
	if err != nil {
		return nil, fmt.Errorf("query %q: %w", expr, err)
	}
	defer q.Close()
	res := q.Exec(ctx)
	if res.Err != nil {
		return nil, fmt.Errorf("query %q: %w", expr, res.Err)
	}
	switch v := res.Value.(type) {
	case promql.Vector:
		// The query's memory is used again after Close.
		return append(promql.Vector(nil), v...), nil
	case promql.Scalar:
		return promql.Vector{{T: v.T, F: v.V, Metric: labels.EmptyLabels()}}, nil
	default:
		return nil, fmt.Errorf("query %q: result is a %s, not a vector", expr, v.Type())
	}
}

func (e *Engine) queryOptions() promql.QueryOpts {
	return promql.NewPrometheusQueryOpts(false, e.Lookback(), nil)
}
