package backtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/embedded"
	"github.com/leeway-dev/leeway/agent/evidence"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// Config of a backtest. All must be set but what says otherwise.
type Config struct {
	History History
	// Rules are the rule files, by name.
	Rules map[string][]byte
	// From and To are what is told of; samples from Warmup before From are
	// replayed too, for windows to be full.
	From, To time.Time
	Warmup   time.Duration // may be 0
	// Namespace and Model; empty: all that there are.
	Namespace, Model string
	// Guards are the models to judge.
	Guards []Guarded
	// Rows of the past, for the match, of guards that have none of their own. Nil:
	// they are made of the bin counts.
	Rows Rows
	// ScrapeInterval of the history.
	ScrapeInterval time.Duration
	// MinInterval between evaluations of a rule group; 0: as the rules say.
	MinInterval time.Duration
	// Dir is for scratch files, which it leaves behind.
	Dir string
	// NoCurves leaves out what alerts were held against, which costs as much as
	// the rules.
	NoCurves bool
	// Judged is told what each look at a guard came to, also where nothing is
	// recorded of it. Nil: nobody is.
	Judged func(guard *v1alpha1.ModelGuard, d decide.Decision, at time.Time)
	// Progress is told how far it got, from 0 to 1. Nil: nobody is.
	Progress func(done float64, at time.Time)
}

// Result is what would have been.
type Result struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Alerts that fired.
	Alerts []Episode `json:"alerts"`
	// Decisions that would have been made, oldest first: as they are recorded on
	// a cluster, but none is carried out.
	Decisions []v1alpha1.ModelDecision `json:"decisions"`
	// Releases are which version was in service when.
	Releases []Release `json:"releases"`
	// Curves of what alerts that fired were held against.
	Curves []Curve `json:"curves,omitempty"`
	// Notes are what a reader has to know of how far it is to be trusted.
	Notes []string `json:"notes,omitempty"`
}

// run is one backtest under way.
type run struct {
	Config
	replay *embedded.Replay
	query  Query
	refs   map[uint64]storage.SeriesRef
	loaded time.Time
	found  episodes
	judges []*judged
	curves curves
}

// Run replays history. An interrupted one is ctx's error.
func Run(ctx context.Context, cfg Config) (res *Result, err error) {
	r := &run{Config: cfg, refs: map[uint64]storage.SeriesRef{}}
	if r.replay, err = embedded.NewReplay(embedded.ReplayConfig{
		Dir: cfg.Dir, Rules: cfg.Rules, EvaluationInterval: cfg.ScrapeInterval, MinInterval: cfg.MinInterval,
	}); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.replay.Close()) }()
	r.guards()
	if err := r.steps(ctx); err != nil {
		return nil, fmt.Errorf("backtest: %w", err)
	}
	return r.result(), nil
}

// guards makes the judges. What is stale and how long traffic may be away is as
// in a controller.
func (r *run) guards() {
	for _, g := range r.Guards {
		j := &judged{Guarded: g, rows: g.Rows, told: r.Judged, schemas: evidence.NewSchemas(), policy: evidence.Policy(&g.Guard)}
		j.reader = evidence.Reader{
			Source: r.replay, Namespace: g.Guard.Namespace, Model: g.Guard.Spec.Model,
			Stale: 5 * r.ScrapeInterval, TrafficWindow: max(8*r.ScrapeInterval, 10*time.Second), PageWindow: cmp.Or(r.replay.PageWindow(), "1h"),
		}
		if j.rows == nil {
			j.rows = r.Rows
		}
		if j.rows == nil {
			j.rows = binRows{j}
		}
		r.judges = append(r.judges, j)
	}
}

func (r *run) result() *Result {
	res := &Result{From: r.From.UTC(), To: r.To.UTC(), Alerts: r.found.all(r.From), Decisions: []v1alpha1.ModelDecision{}, Releases: []Release{}}
	for _, j := range r.judges {
		for _, d := range j.decisions {
			if !d.Spec.DecidedAt.Time.Before(r.From) {
				res.Decisions = append(res.Decisions, d)
			}
		}
		res.Releases = append(res.Releases, j.changes...)
	}
	slices.SortStableFunc(res.Decisions, func(a, b v1alpha1.ModelDecision) int { return a.Spec.DecidedAt.Time.Compare(b.Spec.DecidedAt.Time) })
	res.Curves = r.curves.of(res.Alerts)
	res.Notes = r.notes(res)
	return res
}

// notes say how far the result is to be trusted.
func (r *run) notes(res *Result) []string {
	var notes []string
	if r.Rows == nil && slices.ContainsFunc(res.Decisions, func(d v1alpha1.ModelDecision) bool { return d.Spec.Match != nil }) {
		notes = append(notes, "live rows are known as counts in the bins of the version in service: its own distance is exact, those of versions with other bins are approximate")
	}
	if slices.ContainsFunc(res.Decisions, func(d v1alpha1.ModelDecision) bool { return d.Spec.Action == string(decide.Evaluate) }) {
		notes = append(notes, "an evaluation is a Job that can't be run on history: whether it would have found a better version, or one would have been trained, is not known")
	}
	if len(res.Decisions) > 0 {
		notes = append(notes, "nothing was carried out: what happened after a decision is what did happen, not what would have")
	}
	return notes
}

// steps goes through time.
func (r *run) steps(ctx context.Context) error {
	there, err := r.History.Metrics(ctx)
	if err != nil {
		return err
	}
	r.replay.Drop(func(metric string) bool { return slices.Contains(there, metric) })
	r.curves.begin(r)
	r.query = Query{Namespace: r.Namespace, Model: r.Model}
	for _, name := range there {
		if slices.Contains(r.replay.Metrics(), name) || slices.Contains(judging(), name) {
			r.query.Metrics = append(r.query.Metrics, name)
		}
	}
	step := r.replay.Step()
	if step == 0 {
		return errors.New("no rule reads a metric that history has: nothing would be evaluated")
	}
	begin := r.From.Add(-r.Warmup)
	r.loaded = begin
	for at := begin.Truncate(step).Add(step); !at.After(r.To); at = at.Add(step) {
		if err := r.load(ctx, at); err != nil {
			return err
		}
		if err := r.replay.Eval(ctx, at); err != nil {
			return err
		}
		if err := r.look(ctx, at); err != nil {
			return err
		}
		if r.Progress != nil {
			r.Progress(float64(at.Sub(begin))/float64(r.To.Sub(begin)), at)
		}
	}
	return nil
}

// look takes down what is alerted, and has it judged.
func (r *run) look(ctx context.Context, at time.Time) error {
	active := r.replay.Alerts()
	r.found.see(active, at)
	if !r.NoCurves {
		if err := r.curves.see(ctx, at); err != nil {
			return err
		}
	}
	var alerts []decide.Alert
	for _, a := range active {
		read := evidence.Alert{Labels: a.Labels, Annotations: a.Annotations, State: a.State, ActiveAt: a.ActiveAt, Value: a.Value}
		if x, ours := read.Judged(); ours {
			alerts = append(alerts, x)
		}
	}
	guards := make([]v1alpha1.ModelGuard, len(r.judges))
	for i, j := range r.judges {
		guards[i] = j.Guard
	}
	onsets := evidence.Onsets(guards, alerts, at)
	for _, j := range r.judges {
		if err := j.visit(ctx, at, alerts, onsets, len(guards)); err != nil {
			return fmt.Errorf("guard %s at %s: %w", j.Guard.Name, at.UTC().Format(time.RFC3339), err)
		}
	}
	return nil
}

// load reads history up to a time, and as much further as is read at once.
func (r *run) load(ctx context.Context, until time.Time) error {
	if !until.After(r.loaded) {
		return nil
	}
	if further := r.loaded.Add(r.History.Part()); further.After(until) {
		until = further
	}
	app := r.replay.AppenderV2(ctx)
	err := r.History.Read(ctx, r.query, r.loaded, until, func(ls labels.Labels, t int64, v float64) error {
		key := ls.Hash()
		ref, err := app.Append(r.refs[key], ls, 0, t, v, nil, nil, storage.AppendV2Options{})
		switch {
		case errors.Is(err, storage.ErrDuplicateSampleForTimestamp), errors.Is(err, storage.ErrOutOfOrderSample):
			return nil // two replicas of a server say the same
		case err != nil:
			return fmt.Errorf("%s: %w", ls, err)
		}
		r.refs[key] = ref
		return nil
	})
	if err != nil {
		return errors.Join(err, app.Rollback())
	}
	r.loaded = until
	return app.Commit()
}
