package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/leeway-dev/leeway/agent/backtest"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// sinceOfServer is how far back a server is asked without --since.
const sinceOfServer = 30 * 24 * time.Hour

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
