package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/leeway-dev/leeway/agent/backtest"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/registry"
	registryv1 "github.com/leeway-dev/leeway/registry/v1alpha1"
)

// sinceOfServer is how far back a server is asked without --since.
const sinceOfServer = 30 * 24 * time.Hour

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

// serverFlags say how a server is reached.
type serverFlags struct{ url, tokenFile, basicFile, caFile string }

func (s *serverFlags) addTo(f *pflag.FlagSet) {
	f.StringVar(&s.url, "prometheus-url", "", "`URL` of a server with Prometheus' API")
	f.StringVar(&s.tokenFile, "prometheus-token-file", "", "`FILE` with a bearer token for it")
	f.StringVar(&s.basicFile, "prometheus-basic-auth-file", "", "`FILE` with USER:PASSWORD for it")
	f.StringVar(&s.caFile, "prometheus-ca-file", "", "`FILE` with the certificates that it may be signed by")
}

// authorized adds what a server asks for. Files are read each time: a token that
// is mounted is renewed meanwhile.
type authorized struct {
	serverFlags
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t authorized) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	switch {
	case t.tokenFile != "":
		b, err := os.ReadFile(t.tokenFile)
		if err != nil {
			return nil, err
		}
		r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(b)))
	case t.basicFile != "":
		b, err := os.ReadFile(t.basicFile)
		if err != nil {
			return nil, err
		}
		user, password, ok := strings.Cut(strings.TrimSpace(string(b)), ":")
		if !ok {
			return nil, fmt.Errorf("%s: want USER:PASSWORD", t.basicFile)
		}
		r.SetBasicAuth(user, password)
	}
	return t.next.RoundTrip(r)
}

func (s serverFlags) client() (*http.Client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if s.caFile != "" {
		b, err := os.ReadFile(s.caFile)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(b) {
			return nil, fmt.Errorf("%s: no certificate in it", s.caFile)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return &http.Client{Timeout: 2 * time.Minute, Transport: authorized{s, transport}}, nil
}

// openHistory opens what is to be replayed, and settles the models and times.
func (a *app) openHistory(ctx context.Context, o *backtestFlags, cfg *backtest.Config, t times) (closing func(), err error) {
	given := 0
	for _, s := range []string{o.csv.file, o.tsdb, o.server.url} {
		if s != "" {
			given++
		}
	}
	if given != 1 {
		return nil, usage("name one past to replay: --csv FILE, --tsdb DIR or --prometheus-url URL")
	}
	guards, err := a.readGuards(o.guards)
	if err != nil {
		return nil, err
	}
	var span backtest.Span
	q := backtest.Query{Namespace: cfg.Namespace, Model: cfg.Model}
	closing = func() {}
	switch {
	case o.csv.file != "":
		return a.openRows(ctx, o, cfg, guards, t)
	case o.tsdb != "":
		var h *backtest.TSDB
		if h, span, err = backtest.OpenTSDB(ctx, o.tsdb, cfg.Dir, q); err != nil {
			return nil, err
		}
		cfg.History, closing = h, func() { _ = h.Close() }
	default:
		client, err := o.server.client()
		if err != nil {
			return nil, err
		}
		if t.since == 0 {
			t.since = sinceOfServer
		}
		to := cfg.To
		if to.IsZero() {
			to = time.Now()
		}
		if cfg.History, span, err = backtest.OpenPrometheus(ctx, o.server.url, client, q, to.Add(-t.since-t.warmup), to); err != nil {
			return nil, err
		}
	}
	err = within(cfg, span, t)
	for _, m := range span.Models {
		if err == nil {
			var g backtest.Guarded
			g, err = a.underGuard(ctx, m, guards)
			cfg.Guards = append(cfg.Guards, g)
		}
	}
	if err == nil {
		err = allUsed(guards, span.Models)
	}
	if err != nil {
		closing()
		return nil, err
	}
	return closing, nil
}

// allUsed wants every guard that was given to be of a model that there is.
func allUsed(guards []v1alpha1.ModelGuard, models []backtest.Model) error {
	for _, g := range guards {
		if !slices.Contains(models, backtest.Model{Namespace: g.Namespace, Name: g.Spec.Model}) {
			return fmt.Errorf("guard %s: %w of model %s in namespace %q", g.Name, backtest.ErrNoHistory, g.Spec.Model, g.Namespace)
		}
	}
	return nil
}

// underGuard is a model with its guard and its versions.
func (a *app) underGuard(ctx context.Context, m backtest.Model, guards []v1alpha1.ModelGuard) (backtest.Guarded, error) {
	g := backtest.Guarded{Guard: backtest.DefaultGuard(m.Namespace, m.Name)}
	for _, given := range guards {
		if given.Spec.Model == m.Name && given.Namespace == m.Namespace {
			g.Guard = given
		}
	}
	s, err := a.open(ctx)
	if err != nil {
		return g, err
	}
	g.Versions, err = s.List(ctx, m.Name)
	if err == nil && len(g.Versions) == 0 {
		a.note("%s has no versions in %s: decisions that need one are held", m.Name, a.storeURI)
	}
	return g, err
}

func (a *app) readGuards(names []string) ([]v1alpha1.ModelGuard, error) {
	var guards []v1alpha1.ModelGuard
	for _, name := range names {
		b, err := a.readFile(name, maxValues)
		if err != nil {
			return nil, err
		}
		g, err := backtest.ParseGuard(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		guards = append(guards, g)
	}
	return guards, nil
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
