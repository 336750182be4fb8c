package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/prometheus/notifier"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
)

const (
	// maxSamples bounds the memory of one query: 16 bytes each.
	maxSamples   = 5_000_000
	queryTimeout = 30 * time.Second
	// outageTolerance is how long ago an alert may have been pending for its `for`
	// state to be taken up again.
	outageTolerance = time.Hour
	// maxLookback is what every Prometheus has, and what the shipped rules expect.
	maxLookback = 5 * time.Minute
)

// Engine is the embedded Prometheus. New opens it, Run evaluates rules, Close
// closes the storage; queries and appends are possible from New to Close.
type Engine struct {
	cfg      Config
	log      *zap.Logger
	slog     *slog.Logger
	parser   parser.Parser
	db       *tsdb.DB
	promql   *promql.Engine
	manager  *rules.Manager
	notifier *notifier.Manager // nil without Alertmanagers
	alerting alertingTargets
	reloader *reloader
	receiver *receiver
	metrics  *metrics
	lookback atomic.Int64
	newest   time.Time // of the samples that were there when it was opened

	snapshotting sync.Mutex
}

// New opens the storage, which replays what an earlier run left, and reads the
// rules. Rules that are refused are an error only when there never were good ones.
func New(cfg Config) (*Engine, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.DataDir, 0o750); err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	e := &Engine{
		cfg: cfg, log: cfg.Logger,
		slog:   slog.New(zapslog.NewHandler(cfg.Logger.Core(), zapslog.WithName("prometheus"))),
		parser: parser.NewParser(parser.Options{}),
	}
	e.reloader = &reloader{engine: e, loader: &loader{parser: e.parser}}
	e.metrics = newMetrics(
		func() float64 { return float64(e.db.Head().NumSeries()) },
		func() float64 {
			if e.reloader.Refused() != nil {
				return 0
			}
			return 1
		})
	e.setLookback(0)
	if err := removeSnapshots(cfg.DataDir); err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	if err := e.reloader.start(); err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	if err := e.open(); err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	return e, nil
}

func (e *Engine) open() (err error) {
	if e.db, err = openTSDB(e.cfg, e.slog, e.cfg.Registerer); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.db.Close())
		}
	}()
	e.newest = newestOf(e.db)
	if err := e.metrics.register(e.cfg.Registerer); err != nil {
		return err
	}
	e.promql = promql.NewEngine(promql.EngineOpts{
		Logger: e.slog, Reg: e.cfg.Registerer, MaxSamples: maxSamples, Timeout: queryTimeout,
		EnableAtModifier: true, EnableNegativeOffset: true, Parser: e.parser,
		NoStepSubqueryIntervalFn: func(int64) int64 { return e.cfg.EvaluationInterval.Milliseconds() },
	})
	if e.notifier, e.alerting, err = newNotifier(e.cfg, e.slog); err != nil {
		return err
	}
	e.receiver = newReceiver(e)
	e.manager = e.newManager()
	return nil
}

func (e *Engine) newManager() *rules.Manager {
	external, _ := url.Parse(e.cfg.ExternalURL) // checked in withDefaults
	notify := func(context.Context, string, ...*rules.Alert) {}
	if e.notifier != nil {
		notify = rules.SendAlerts(e.notifier, e.cfg.ExternalURL)
	}
	return rules.NewManager(&rules.ManagerOptions{
		ExternalURL: external, QueryFunc: e.Query, NotifyFunc: notify,
		AppendableV2: e.db, Queryable: e.db, Logger: e.slog, Registerer: e.cfg.Registerer,
		OutageTolerance: outageTolerance,
		// A `for` shorter than this is not restored; one interval restores all that
		// mean something.
		ForGracePeriod: e.cfg.EvaluationInterval,
		ResendDelay:    time.Minute,
		GroupLoader:    e.reloader.loader, Parser: e.parser,
	})
}

// Run evaluates the rules and sends alerts until ctx ends.
func (e *Engine) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	if e.notifier != nil {
		wg.Go(func() { e.alerting.run(e.notifier) })
	}
	err := e.reloader.apply(e.manager)
	if err == nil {
		wg.Go(e.manager.Run)
		err = e.reloader.run(ctx, e.manager)
	} else {
		wg.Go(e.manager.Run) // Stop wants a manager that runs
	}
	e.manager.Stop()
	if e.notifier != nil {
		e.notifier.Stop()
	}
	wg.Wait()
	return err
}

// Close closes the storage. Nothing may query or append any more.
func (e *Engine) Close() error { return e.db.Close() }

// AppenderV2 appends to the TSDB, for the controller's own metrics.
func (e *Engine) AppenderV2(ctx context.Context) storage.AppenderV2 { return e.db.AppenderV2(ctx) }

func (e *Engine) setLookback(slowest time.Duration) {
	e.lookback.Store(int64(cmp.Or(e.cfg.Lookback, lookbackOf(e.cfg.EvaluationInterval, slowest))))
}

func lookbackOf(interval, slowest time.Duration) time.Duration {
	return min(max(20*interval, 3*slowest), maxLookback)
}

// Lookback is for how long an instant selector sees a sample.
func (e *Engine) Lookback() time.Duration { return time.Duration(e.lookback.Load()) }
