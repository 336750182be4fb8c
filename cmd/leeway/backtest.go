package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"time"

	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"

	"github.com/leeway-dev/leeway/agent/backtest"
	"github.com/leeway-dev/leeway/rules"
)

// backtestFlags say what is replayed, by which rules and guards.
type backtestFlags struct {
	format   format
	csv      csvFlags
	tsdb     string
	server   serverFlags
	model    string
	rulesDir string
	values   string
	guards   []string
	since    string
	until    string
	warmup   string
	scrape   string
	step     string
	width    int
}

func newBacktest(a *app) *cobra.Command {
	var o backtestFlags
	cmd := &cobra.Command{
		Use:   "backtest",
		Short: "Say what Leeway would have said of the past",
		Long: `Replay the rules and the decisions on the past: which alerts would have fired,
what would have been diagnosed, which version would have been gone back to, and
what would have been done.

The past is one of

  --csv FILE             rows that a model answered, in the order of their time
  --tsdb DIR             the data folder of a Prometheus or of a controller
  --prometheus-url URL   a server with Prometheus' API

Rules are evaluated by Prometheus' own code at the times of the samples, and
decisions made by the code that makes them live. Without --guard, every model
has a guard with the defaults, which observes. Nothing is carried out: what comes
after a decision is what did come, not what would have.

Of rows in a CSV the match is as it would have been live. Counters hold the bins
of the version that was in service: its own distance is exact, those of versions
with other bins are approximate, and the answer says so.

In the picture of an alert the lower row is full where the value is at the limit;
the upper row is what was beyond it, up to eight times the limit. The bar below
says when the alert fired.

` + exitCodes,
		Example: `  leeway profile train.csv --time at --prediction score -o train.json
  leeway backtest --csv november.csv.gz --time at --profile train.json
  leeway backtest --csv november.csv --time at --label churned --model churn --version 7 --store s3://models/registry
  leeway backtest --prometheus-url https://prometheus.example.com --prometheus-token-file token --since 30d -n ml --model churn
  leeway backtest --tsdb /var/lib/prometheus --since 7d --guard guard.yaml -f values.yaml -o json`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.backtest(cmd.Context(), o) },
	}
	f := cmd.Flags()
	o.format.addTo(cmd)
	o.csv.addTo(f)
	o.server.addTo(f)
	f.StringVar(&o.tsdb, "tsdb", "", "data `folder` of a Prometheus; it is only read")
	f.StringVar(&o.model, "model", "", "only this model")
	f.StringVar(&o.rulesDir, "rules", "", "`folder` of rule files; by default those that ship")
	f.StringVarP(&o.values, "file", "f", "", "values file to render the rules with")
	f.StringArrayVar(&o.guards, "guard", nil, "`FILE` with a ModelGuard")
	f.StringVar(&o.since, "since", "", "`time` before the end to begin at; by default 30d of a server, else all")
	f.StringVar(&o.until, "until", "", "the end, RFC 3339; by default the last sample, of a server now")
	f.StringVar(&o.warmup, "warmup", "8d", "`time` before --since that is replayed untold, where there is that much: a week to compare with, and a day")
	f.StringVar(&o.scrape, "scrape-interval", "", "`time` between scrapes; by default as the values of the rules say")
	f.StringVar(&o.step, "step", "", "evaluate rules no more often than each `time`: 5m is several times as fast, and alerts are up to that late")
	f.IntVar(&o.width, "width", 0, "columns of the picture; by default those of the terminal")
	return cmd
}

// times are the flags that are durations.
type times struct{ since, warmup, scrape, step time.Duration }

func (o *backtestFlags) times() (t times, err error) {
	for _, f := range []struct {
		name, text string
		into       *time.Duration
	}{{"since", o.since, &t.since}, {"warmup", o.warmup, &t.warmup}, {"scrape-interval", o.scrape, &t.scrape}, {"step", o.step, &t.step}} {
		if f.text == "" {
			continue
		}
		d, err := model.ParseDuration(f.text)
		if err != nil {
			return t, usage("--%s %q: write a time such as 30d, 12h or 15s", f.name, f.text)
		}
		*f.into = time.Duration(d)
	}
	return t, nil
}

// end is --until, zero without it.
func (o *backtestFlags) end() (time.Time, error) {
	if o.until == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, o.until)
	if err != nil {
		return at, usage("--until %q: write it as 2026-11-30T12:00:00Z", o.until)
	}
	return at, nil
}

func (a *app) backtest(ctx context.Context, o backtestFlags) error {
	t, err := o.times()
	if err != nil {
		return err
	}
	end, err := o.end()
	if err != nil {
		return err
	}
	files, values, err := a.backtestRules(o)
	if err != nil {
		return err
	}
	cfg := backtest.Config{
		Rules: files, ScrapeInterval: cmp.Or(t.scrape, time.Duration(values.ScrapeInterval)), MinInterval: t.step,
		Namespace: a.cluster.namespace, Model: o.model, To: end,
	}
	if cfg.Dir, err = os.MkdirTemp("", "leeway-backtest-*"); err != nil {
		return err
	}
	defer os.RemoveAll(cfg.Dir)
	closeHistory, err := a.openHistory(ctx, &o, &cfg, t)
	if err != nil {
		return err
	}
	defer closeHistory()
	p := newProgress(a.err)
	cfg.Progress = p.fraction
	res, err := backtest.Run(ctx, cfg)
	p.done()
	if err != nil {
		return err
	}
	if o.format == "table" {
		return a.backtestReport(res, o.width)
	}
	return o.format.print(a.out, res, nil)
}

// within settles from when to when: the last --since of the span that there is,
// and before that as much warm-up as there is.
func within(cfg *backtest.Config, span backtest.Span, t times) error {
	if cfg.To.IsZero() || cfg.To.After(span.To) {
		cfg.To = span.To
	}
	cfg.From = span.From
	if begin := cfg.To.Add(-t.since); t.since > 0 && begin.After(span.From) {
		cfg.From = begin
		cfg.Warmup = min(t.warmup, begin.Sub(span.From))
	}
	if !cfg.From.Before(cfg.To) {
		return fmt.Errorf("%w between %s and %s", backtest.ErrNoHistory, cfg.From.UTC().Format(time.RFC3339), cfg.To.UTC().Format(time.RFC3339))
	}
	return nil
}

// backtestRules are the rule files, and the values that they come from.
func (a *app) backtestRules(o backtestFlags) (map[string][]byte, rules.Values, error) {
	v := rules.Defaults()
	if o.values != "" {
		b, err := a.readFile(o.values, maxValues)
		if err != nil {
			return nil, v, err
		}
		if v, err = rules.ParseValues(b); err != nil {
			return nil, v, fmt.Errorf("%s: %w", o.values, err)
		}
	}
	if o.rulesDir != "" {
		files, err := rules.Load(os.DirFS(o.rulesDir))
		if err != nil {
			return nil, v, fmt.Errorf("%s: %w", o.rulesDir, err)
		}
		return files, v, nil
	}
	if o.csv.file != "" { // rows say nothing of these
		v.Errors.Enabled, v.Latency.Enabled, v.NoData.Enabled = false, false, false
	}
	files, err := rules.Render(v)
	return files, v, err
}
