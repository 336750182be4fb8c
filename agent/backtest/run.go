package backtest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"

	"github.com/leeway-dev/leeway/agent/embedded"
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
	// ScrapeInterval of the history.
	ScrapeInterval time.Duration
	// Dir is for scratch files, which it leaves behind.
	Dir string
	// Progress is told how far it got, from 0 to 1. Nil: nobody is.
	Progress func(done float64, at time.Time)
}

// Result is what would have been.
type Result struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Alerts that fired.
	Alerts []Episode `json:"alerts"`
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
}

// Run replays history. An interrupted one is ctx's error.
func Run(ctx context.Context, cfg Config) (res *Result, err error) {
	r := &run{Config: cfg, refs: map[uint64]storage.SeriesRef{}}
	if r.replay, err = embedded.NewReplay(embedded.ReplayConfig{
		Dir: cfg.Dir, Rules: cfg.Rules, EvaluationInterval: cfg.ScrapeInterval,
	}); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.replay.Close()) }()
	if err := r.steps(ctx); err != nil {
		return nil, fmt.Errorf("backtest: %w", err)
	}
	return &Result{From: cfg.From.UTC(), To: cfg.To.UTC(), Alerts: r.found.all(cfg.From)}, nil
}

// steps goes through time.
func (r *run) steps(ctx context.Context) error {
	r.query = Query{Metrics: r.replay.Metrics(), Namespace: r.Namespace, Model: r.Model}
	step := r.replay.Step()
	if step == 0 {
		return errors.New("the rules have no groups: nothing would be evaluated")
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
		r.found.see(r.replay.Alerts(), at)
		if r.Progress != nil {
			r.Progress(float64(at.Sub(begin))/float64(r.To.Sub(begin)), at)
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
