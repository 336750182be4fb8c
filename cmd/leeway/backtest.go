package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"

	"github.com/leeway-dev/leeway/agent/backtest"
	"github.com/leeway-dev/leeway/registry"
	registryv1 "github.com/leeway-dev/leeway/registry/v1alpha1"
	"github.com/leeway-dev/leeway/rules"
)

// backtestOptions are the flags of a backtest.
type backtestOptions struct {
	format   format
	csv      csvFlags
	rulesDir string
	values   string
	since    string
	until    string
	model    string
	interval time.Duration
	step     time.Duration
	guards   []string
	width    int
}

// csvFlags say how a file of rows is read.
type csvFlags struct {
	file, time, label      string
	version, versionColumn string
	profiles               []string
	maxBad                 string
}

func newBacktest(a *app) *cobra.Command {
	var o backtestOptions
	cmd := &cobra.Command{
		Use:   "backtest",
		Short: "Replay the rules and the decisions on the past",
		Args:  exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.backtest(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	o.format.addTo(cmd)
	f.StringVar(&o.csv.file, "csv", "", "`FILE` of past rows, ordered by time (plain, gzip or zstd)")
	f.StringVar(&o.csv.time, "time", "", "`column` with the time of the row")
	f.StringVar(&o.csv.label, "label", "", "`column` with the truth, for the rules on quality")
	f.StringVar(&o.csv.version, "version", "", "the version that answered; by default the one whose lifecycle is live")
	f.StringVar(&o.csv.versionColumn, "version-column", "", "`column` with the version that answered the row")
	f.StringArrayVar(&o.csv.profiles, "profile", nil, "profile of the version that answered, in place of a registry; further ones are versions that it could have gone back to")
	f.StringVar(&o.csv.maxBad, "max-bad", "1%", "share of unreadable rows that is let pass")
	f.StringVar(&o.model, "model", "", "model in the registry")
	f.StringVar(&o.rulesDir, "rules", "", "`folder` of rule files; by default those that ship")
	f.StringVarP(&o.values, "file", "f", "", "values file to render the rules with")
	f.StringVar(&o.since, "since", "", "how far back from the end, such as 30d")
	f.StringVar(&o.until, "until", "", "the end, RFC 3339")
	f.DurationVar(&o.interval, "scrape-interval", 0, "of the history; by default that of the rules' values")
	return cmd
}

func (a *app) backtest(ctx context.Context, o backtestOptions) error {
	files, values, err := a.backtestRules(o)
	if err != nil {
		return err
	}
	cfg := backtest.Config{Rules: files, ScrapeInterval: o.interval, Model: o.model}
	if cfg.ScrapeInterval == 0 {
		cfg.ScrapeInterval = time.Duration(values.ScrapeInterval)
	}
	versions, err := a.backtestVersions(ctx, &o)
	if err != nil {
		return err
	}
	bad, err := badRatio(o.csv.maxBad)
	if err != nil {
		return usageError{err}
	}
	history, from, to, err := backtest.OpenCSV(ctx, backtest.CSVConfig{
		Name: o.csv.file, Open: func() (io.ReadCloser, error) { return a.openCSV(o.csv.file) },
		Time: o.csv.time, Label: o.csv.label, Version: o.csv.version, VersionColumn: o.csv.versionColumn,
		Model: o.model, Versions: versions, Interval: cfg.ScrapeInterval, MaxBad: max(bad, 0),
	})
	if err != nil {
		return err
	}
	defer history.Close()
	cfg.Rows = history
	g := backtest.Guarded{Guard: backtest.DefaultGuard("", o.model), Versions: versions, AllVersions: true}
	cfg.Guards = []backtest.Guarded{g}
	cfg.History, cfg.From, cfg.To = history, from.Add(-cfg.ScrapeInterval), to.Add(cfg.ScrapeInterval)
	if o.since != "" {
		d, err := model.ParseDuration(o.since)
		if err != nil {
			return usage("--since %q: write a time such as 30d or 12h", o.since)
		}
		if begin := to.Add(-time.Duration(d)); begin.After(cfg.From) {
			cfg.Warmup, cfg.From = begin.Sub(cfg.From), begin
		}
	}
	if cfg.Dir, err = os.MkdirTemp("", "leeway-backtest-*"); err != nil {
		return err
	}
	defer os.RemoveAll(cfg.Dir)
	p := newProgress(a.err)
	cfg.Progress = func(done float64, at time.Time) { p.fraction(done, at) }
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

// backtestRules are the rule files, and the values that they come from.
func (a *app) backtestRules(o backtestOptions) (map[string][]byte, rules.Values, error) {
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
		v.Quality.Enabled = v.Quality.Enabled && o.csv.label != ""
	}
	files, err := rules.Render(v)
	return files, v, err
}

// backtestVersions are those of the profiles, else of the registry. It settles
// which one answered.
func (a *app) backtestVersions(ctx context.Context, o *backtestOptions) ([]registry.Version, error) {
	if len(o.csv.profiles) == 0 {
		s, err := a.open(ctx)
		if err != nil {
			return nil, err
		}
		versions, err := s.List(ctx, o.model)
		if err != nil {
			return nil, err
		}
		if len(versions) == 0 {
			return nil, fmt.Errorf("model %s: %w in %s", o.model, registry.ErrNotFound, a.storeURI)
		}
		if o.csv.version == "" {
			live := versions[len(versions)-1]
			for _, v := range versions {
				if v.Lifecycle == registryv1.Live {
					live = v
				}
			}
			o.csv.version = strconv.FormatInt(live.Number, 10)
		}
		return versions, nil
	}
	var versions []registry.Version
	for i, name := range o.csv.profiles {
		p, err := a.readProfile(name)
		if err != nil {
			return nil, err
		}
		b, err := p.Encode()
		if err != nil {
			return nil, err
		}
		packed, err := registry.Pack(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if o.model == "" {
			o.model = "model"
		}
		versions = append(versions, registry.Version{Model: o.model, Number: int64(i + 1), Lifecycle: registryv1.Registered, Spec: registryv1.ModelVersionSpec{
			Model: o.model, Version: int64(i + 1), Artifact: registryv1.Artifact{URI: name}, Profile: packed,
		}})
	}
	if o.csv.version == "" {
		o.csv.version = "1"
	}
	return versions, nil
}
