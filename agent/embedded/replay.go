package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
)

// scratchBlock is how much of the scratch storage stays in memory, and how much
// goes into one block on the disk.
const scratchBlock = 12 * time.Hour

// ReplayConfig of a Replay. Dir and Rules must be set.
type ReplayConfig struct {
	// Dir holds the scratch storage; it belongs to the replay.
	Dir string
	// Rules are the rule files, by name.
	Rules map[string][]byte
	// EvaluationInterval of groups that name none; 0 is 15 s.
	EvaluationInterval time.Duration
	// MinInterval stretches the groups that would be evaluated more often; 0: none.
	MinInterval time.Duration
	// Retention; 0 is 15 d, as in a controller.
	Retention time.Duration
	Logger    *slog.Logger // nil: silent
}

// Replay evaluates rules at times that its owner says, with the storage, engine
// and rule groups of a controller: an alert's `for` passes in the time of the
// samples, as fast as it goes. It is used by one goroutine.
type Replay struct {
	db       *tsdb.DB
	promql   *promql.Engine
	groups   []*rules.Group
	lookback time.Duration
	packed   time.Time // up to when blocks were looked at
}

// NewReplay makes one with an empty storage. Rules that an engine would refuse
// are an error that wraps ErrRules.
func NewReplay(cfg ReplayConfig) (*Replay, error) {
	cfg.EvaluationInterval = cmp.Or(cfg.EvaluationInterval, 15*time.Second)
	cfg.Retention = cmp.Or(cfg.Retention, 15*24*time.Hour)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	p := parser.NewParser(parser.Options{})
	files := ruleFiles{names: slices.Sorted(maps.Keys(cfg.Rules)), content: cfg.Rules}
	set, err := files.parse(p, cfg.Logger)
	if err != nil {
		return nil, fmt.Errorf("replay: %w", err)
	}
	r := &Replay{lookback: lookbackOf(cfg.EvaluationInterval, set.slowest)}
	if r.db, err = openScratch(cfg); err != nil {
		return nil, fmt.Errorf("replay: %w", err)
	}
	r.promql = promql.NewEngine(promql.EngineOpts{
		Logger: cfg.Logger, MaxSamples: 10 * maxSamples, Timeout: 10 * queryTimeout,
		EnableAtModifier: true, EnableNegativeOffset: true, Parser: p,
		NoStepSubqueryIntervalFn: func(int64) int64 { return cfg.EvaluationInterval.Milliseconds() },
	})
	if err := r.load(cfg, set, p); err != nil {
		return nil, errors.Join(fmt.Errorf("replay: %w", err), r.Close())
	}
	return r, nil
}

// openScratch opens a storage that nobody will read again: no write-ahead log,
// and blocks are made when the replay says so.
func openScratch(cfg ReplayConfig) (*tsdb.DB, error) {
	o := tsdb.DefaultOptions()
	o.RetentionDuration = cfg.Retention.Milliseconds()
	o.MinBlockDuration = scratchBlock.Milliseconds()
	o.MaxBlockDuration = scratchBlock.Milliseconds()
	o.WALSegmentSize = -1
	o.SamplesPerChunk = 30 // an instant query decodes a chunk from its start
	o.StripeSize = 1 << 12
	db, err := tsdb.Open(cfg.Dir, cfg.Logger, prometheus.NewRegistry(), o, nil)
	if err != nil {
		return nil, err
	}
	db.DisableCompactions()
	return db, nil
}

// load makes the rule groups, in the order of the files.
func (r *Replay) load(cfg ReplayConfig, set *ruleSet, p parser.Parser) error {
	for _, file := range set.groups {
		for i := range file.Groups {
			g := &file.Groups[i]
			g.Interval = max(cmp.Or(g.Interval, model.Duration(cfg.EvaluationInterval)), model.Duration(cfg.MinInterval))
		}
	}
	l := &loader{parser: p}
	l.set.Store(set)
	m := rules.NewManager(&rules.ManagerOptions{
		ExternalURL: &url.URL{}, QueryFunc: r.Query, NotifyFunc: func(context.Context, string, ...*rules.Alert) {},
		AppendableV2: r.db, Queryable: r.db, Logger: cfg.Logger, Registerer: prometheus.NewRegistry(),
		GroupLoader: l, Parser: p,
	})
	groups, errs := m.LoadGroups(cfg.EvaluationInterval, labels.EmptyLabels(), "", nil, false, set.files.names...)
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	for _, name := range set.files.names {
		for _, g := range set.groups[name].Groups {
			group := groups[rules.GroupKey(name, g.Name)]
			for _, a := range group.AlertingRules() {
				a.SetRestored(true) // there is nothing to restore from
			}
			r.groups = append(r.groups, group)
		}
	}
	return nil
}

// Close closes the storage. Its files are the owner's to remove.
func (r *Replay) Close() error { return r.db.Close() }

// AppenderV2 appends samples. They may be up to six hours older than the newest.
func (r *Replay) AppenderV2(ctx context.Context) storage.AppenderV2 { return r.db.AppenderV2(ctx) }

// Query evaluates an instant query, as Engine.Query.
func (r *Replay) Query(ctx context.Context, expr string, at time.Time) (promql.Vector, error) {
	return instant(ctx, r.promql, r.db, promql.NewPrometheusQueryOpts(false, r.lookback, nil), expr, at)
}

// Metrics are the names that the rules read and don't record themselves.
func (r *Replay) Metrics() []string {
	read, recorded := map[string]bool{}, map[string]bool{}
	for _, g := range r.groups {
		for _, rule := range g.Rules() {
			names, _ := selected(rule)
			for _, name := range names {
				read[name] = true
			}
			recorded[rule.Name()] = true
		}
	}
	for name := range recorded {
		delete(read, name)
	}
	return slices.Sorted(maps.Keys(read))
}

// Drop leaves out the groups that could never say anything, for none of the
// metrics that they read is there nor recorded by a group that stays. It returns
// their names.
func (r *Replay) Drop(there func(metric string) bool) []string {
	stays := map[*rules.Group]bool{}
	recorded := map[string]bool{}
	for again := true; again; {
		again = false
		for _, g := range r.groups {
			if stays[g] || !slices.ContainsFunc(g.Rules(), func(rule rules.Rule) bool {
				names, any := selected(rule)
				return any || slices.ContainsFunc(names, func(n string) bool { return there(n) || recorded[n] })
			}) {
				continue
			}
			stays[g], again = true, true
			for _, rule := range g.Rules() {
				recorded[rule.Name()] = true
			}
		}
	}
	var dropped []string
	r.groups = slices.DeleteFunc(r.groups, func(g *rules.Group) bool {
		if !stays[g] {
			dropped = append(dropped, g.Name())
		}
		return !stays[g]
	})
	return dropped
}

// selected are the metrics that a rule reads; any says that it may have a result
// whichever are there.
func selected(rule rules.Rule) (names []string, any bool) {
	var expr parser.Expr
	switch rule := rule.(type) {
	case *rules.AlertingRule:
		expr = rule.Query()
	case *rules.RecordingRule:
		expr = rule.Query()
	default:
		return nil, true
	}
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.VectorSelector:
			if n.Name == "" {
				any = true
			}
			names = append(names, n.Name)
		case *parser.Call:
			switch n.Func.Name {
			case "absent", "absent_over_time", "vector", "time":
				any = true
			}
		}
		return nil
	})
	return names, any || len(names) == 0
}

// Step is the time between two evaluations: every group's interval is a multiple
// of it. Zero when there are no groups.
func (r *Replay) Step() time.Duration {
	var step time.Duration
	for _, g := range r.groups {
		for a, b := step, g.Interval(); ; a, b = b, a%b {
			if b == 0 {
				step = a
				break
			}
		}
	}
	return step
}

// Eval evaluates the groups that are due: those of which the time is a multiple
// of the interval. The first rule that fails is the error: what it would have
// said is not known.
func (r *Replay) Eval(ctx context.Context, at time.Time) error {
	for _, g := range r.groups {
		if at.UnixNano()%int64(g.Interval()) != 0 {
			continue
		}
		g.Eval(ctx, at)
		if err := ctx.Err(); err != nil {
			return err
		}
		for _, rule := range g.Rules() {
			if err := rule.LastError(); err != nil {
				return fmt.Errorf("group %s, rule %s at %s: %w", g.Name(), rule.Name(), at.UTC().Format(time.RFC3339), err)
			}
		}
	}
	if at.Sub(r.packed) >= scratchBlock {
		r.packed = at
		if err := r.db.Compact(ctx); err != nil {
			return fmt.Errorf("replay: %w", err)
		}
	}
	return nil
}

// Alerts are the pending and firing ones of the last evaluation.
func (r *Replay) Alerts() []Alert {
	var alerts []Alert
	for _, g := range r.groups {
		for _, rule := range g.AlertingRules() {
			alerts = append(alerts, activeAlerts(rule)...)
		}
	}
	sortAlerts(alerts)
	return alerts
}

// PageWindow is as Engine.PageWindow.
func (r *Replay) PageWindow() string { return pageWindow(r.groups) }
