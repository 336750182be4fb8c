package rules_test

import (
	"context"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	prules "github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"

	"github.com/leeway-dev/leeway/rules"
)

// rig evaluates rendered rules with Prometheus' own storage, engine and rule
// groups, at the times that a test says.
type rig struct {
	t      testing.TB
	db     *tsdb.DB
	engine *promql.Engine
	groups map[string]*prules.Group
	refs   map[uint64]storage.SeriesRef
}

func newRig(t testing.TB, v rules.Values) *rig {
	t.Helper()
	opts := tsdb.DefaultOptions()
	opts.MinBlockDuration = (48 * time.Hour).Milliseconds() // everything stays in the head
	opts.MaxBlockDuration = opts.MinBlockDuration
	opts.SamplesPerChunk = 30 // an instant query decodes a chunk from its start
	db, err := tsdb.Open(t.TempDir(), nil, nil, opts, nil)
	if err != nil {
		t.Fatal(err)
	}
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 50_000_000, Timeout: time.Minute})
	t.Cleanup(func() { engine.Close(); db.Close() })
	r := &rig{t: t, db: db, engine: engine, groups: map[string]*prules.Group{}, refs: map[uint64]storage.SeriesRef{}}
	files, err := rules.Render(v)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range files {
		maps.Copy(r.groups, r.load(name, data))
	}
	return r
}

// load makes the rule groups of a file, by name, without running them.
func (r *rig) load(name string, data []byte) map[string]*prules.Group {
	r.t.Helper()
	path := filepath.Join(r.t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		r.t.Fatal(err)
	}
	m := prules.NewManager(&prules.ManagerOptions{
		QueryFunc:    prules.EngineQueryFunc(r.engine, r.db),
		NotifyFunc:   func(context.Context, string, ...*prules.Alert) {},
		AppendableV2: r.db,
		Queryable:    r.db,
		Logger:       slog.New(slog.DiscardHandler),
		Parser:       parser.NewParser(parser.Options{}),
	})
	groups, errs := m.LoadGroups(time.Minute, labels.EmptyLabels(), "", nil, false, path)
	if len(errs) > 0 {
		r.t.Fatal(errs)
	}
	byName := map[string]*prules.Group{}
	for _, g := range groups {
		byName[g.Name()] = g
		for _, rule := range g.AlertingRules() {
			rule.SetRestored(true) // or ALERTS is not written
		}
	}
	return byName
}

// sample is one sample of a series.
type sample struct {
	series labels.Labels
	value  float64
}

// append writes samples at one time.
func (r *rig) append(at time.Time, samples ...sample) {
	r.t.Helper()
	app := r.db.AppenderV2(context.Background())
	for _, s := range samples {
		key := s.series.Hash()
		ref, err := app.Append(r.refs[key], s.series, 0, at.UnixMilli(), s.value, nil, nil, storage.AppendV2Options{})
		if err != nil {
			r.t.Fatal(err)
		}
		r.refs[key] = ref
	}
	if err := app.Commit(); err != nil {
		r.t.Fatal(err)
	}
}

// forget drops what is older, so that a long simulation stays as fast as it began.
func (r *rig) forget(before time.Time) {
	r.t.Helper()
	r.db.ForceHeadMMap()
	if err := r.db.Head().Truncate(before.UnixMilli()); err != nil {
		r.t.Fatal(err)
	}
}

// eval evaluates groups by name, in this order.
func (r *rig) eval(at time.Time, names ...string) {
	r.t.Helper()
	for _, name := range names {
		g := r.groups[name]
		if g == nil {
			r.t.Fatalf("no group %q was rendered", name)
		}
		g.Eval(context.Background(), at)
		for _, rule := range g.Rules() {
			if err := rule.LastError(); err != nil {
				r.t.Fatalf("%s: %v", rule.Name(), err)
			}
		}
	}
}

// query gives the value of each series of an instant query by one label.
func (r *rig) query(at time.Time, expr, label string) map[string]float64 {
	r.t.Helper()
	q, err := r.engine.NewInstantQuery(context.Background(), r.db, nil, expr, at)
	if err != nil {
		r.t.Fatal(err)
	}
	defer q.Close()
	v, err := q.Exec(context.Background()).Vector()
	if err != nil {
		r.t.Fatal(err)
	}
	out := map[string]float64{}
	for _, s := range v {
		out[s.Metric.Get(label)] = s.F
	}
	return out
}

// model gives a series of a model, with more labels as name, value, …
func model(metric, name string, more ...string) labels.Labels {
	return labels.FromStrings(append([]string{
		"__name__", metric, "namespace", "ml", "model_name", name, "model_version", "3",
	}, more...)...)
}
