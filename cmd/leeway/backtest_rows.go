package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/leeway-dev/leeway/agent/backtest"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/registry"
	registryv1 "github.com/leeway-dev/leeway/registry/v1alpha1"
)

// csvFlags say how a file of rows is read.
type csvFlags struct {
	file, time, label      string
	version, versionColumn string
	profiles               []string
	maxBad                 string
}

func (c *csvFlags) addTo(f *pflag.FlagSet) {
	f.StringVar(&c.file, "csv", "", "`FILE` of rows, ordered by time (plain, gzip or zstd)")
	f.StringVar(&c.time, "time", "", "`column` of the CSV with the time of the row")
	f.StringVar(&c.label, "label", "", "`column` of the CSV with the truth, for the rules on quality")
	f.StringVar(&c.version, "version", "", "the version that answered the rows; by default the one whose lifecycle is live")
	f.StringVar(&c.versionColumn, "version-column", "", "`column` of the CSV with the version that answered the row")
	f.StringArrayVar(&c.profiles, "profile", nil, "profile of the version that answered, in place of a registry; further `FILE`s are versions that it could have gone back to")
	f.StringVar(&c.maxBad, "max-bad", "1%", "share of rows of the CSV that may be unreadable")
}

// openRows opens a CSV.
func (a *app) openRows(ctx context.Context, o *backtestFlags, cfg *backtest.Config, guards []v1alpha1.ModelGuard, t times) (func(), error) {
	bad, err := badRatio(o.csv.maxBad)
	switch {
	case err != nil:
		return nil, usageError{err}
	case o.csv.time == "":
		return nil, usage("--csv needs --time, the column with the time of the row")
	case o.csv.file == "-":
		return nil, usage("rows are read twice: write them to a file")
	case len(guards) > 1:
		return nil, usage("a CSV is of one model: name one --guard")
	}
	if len(guards) == 1 {
		cfg.Namespace = guards[0].Namespace
		cfg.Model = guards[0].Spec.Model
	}
	m := backtest.Model{Namespace: cfg.Namespace, Name: cfg.Model}
	versions, err := a.csvVersions(ctx, &o.csv, &m)
	if err != nil {
		return nil, err
	}
	g := backtest.Guarded{Guard: backtest.DefaultGuard(m.Namespace, m.Name), Versions: versions, AllVersions: true}
	if len(guards) == 1 {
		g.Guard = guards[0]
	}
	h, span, err := backtest.OpenCSV(ctx, backtest.CSVConfig{
		Name: o.csv.file, Open: func() (io.ReadCloser, error) { return a.openCSV(o.csv.file) },
		Time: o.csv.time, Label: o.csv.label, Version: o.csv.version, VersionColumn: o.csv.versionColumn,
		Namespace: m.Namespace, Model: m.Name, Versions: versions, Interval: cfg.ScrapeInterval, MaxBad: max(bad, 0),
	})
	if err != nil {
		return nil, err
	}
	span.From, span.To = span.From.Add(-cfg.ScrapeInterval), span.To.Add(cfg.ScrapeInterval)
	cfg.History, cfg.Rows, cfg.Guards = h, h, []backtest.Guarded{g}
	if err := within(cfg, span, t); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return func() { _ = h.Close() }, nil
}

// csvVersions are those of the profiles, else of the registry. It settles which
// one answered.
func (a *app) csvVersions(ctx context.Context, c *csvFlags, m *backtest.Model) ([]registry.Version, error) {
	if len(c.profiles) > 0 {
		if m.Name == "" {
			m.Name = "model"
		}
		if c.version == "" {
			c.version = "1"
		}
		return a.profileVersions(c.profiles, m.Name)
	}
	if m.Name == "" {
		return nil, usage("say what the rows are compared with: --profile FILE, or --model M in a registry (--store)")
	}
	s, err := a.open(ctx)
	if err != nil {
		return nil, err
	}
	versions, err := s.List(ctx, m.Name)
	if err != nil {
		return nil, err
	}
	if len(versions) == 0 {
		return nil, fmt.Errorf("versions of %s in %s: %w", m.Name, a.storeURI, registry.ErrNotFound)
	}
	if c.version == "" {
		live := versions[len(versions)-1]
		for _, v := range versions {
			if v.Lifecycle == registryv1.Live {
				live = v
			}
		}
		c.version = strconv.FormatInt(live.Number, 10)
	}
	c.version = strings.TrimPrefix(c.version, "v")
	return versions, nil
}

// profileVersions are versions that no registry has: numbered as they are named.
// That they may be gone back to is what they are named for.
func (a *app) profileVersions(names []string, modelName string) ([]registry.Version, error) {
	var versions []registry.Version
	for i, name := range names {
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
		number := int64(i + 1)
		versions = append(versions, registry.Version{
			Model: modelName, Number: number, Lifecycle: registryv1.Registered,
			Audit: []registryv1.AuditLine{{Reason: "gated: named by --profile"}},
			Spec:  registryv1.ModelVersionSpec{Model: modelName, Version: number, Artifact: registryv1.Artifact{URI: name}, Profile: packed},
		})
	}
	return versions, nil
}
