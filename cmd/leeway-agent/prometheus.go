package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/leeway-dev/leeway/agent/external"
	"github.com/leeway-dev/leeway/rules/promapi"
)

// prometheusFlags name an external Prometheus-compatible server.
type prometheusFlags struct {
	server  promapi.Config
	matcher string
}

func (f *prometheusFlags) add(v *pflag.FlagSet) {
	s := &f.server
	v.StringVar(&s.URL, "prometheus-url", "", "a Prometheus, Thanos, Mimir or VictoriaMetrics that scrapes the sidecars and evaluates the rules (default: the agents do)")
	v.StringVar(&f.matcher, "prometheus-matcher", "", `which of its series are this cluster's: cluster="eu-1"`)
	v.StringVar(&s.TokenFile, "prometheus-token-file", "", "bearer token for it, read again for each request")
	v.StringVar(&s.Username, "prometheus-username", "", "user for basic auth")
	v.StringVar(&s.PasswordFile, "prometheus-password-file", "", "that user's password, read again for each request")
	v.StringVar(&s.CAFile, "prometheus-ca-file", "", "certificate authority of its certificate")
	v.StringVar(&s.CertFile, "prometheus-cert-file", "", "client certificate")
	v.StringVar(&s.KeyFile, "prometheus-key-file", "", "key of the client certificate")
	v.StringToStringVar(&s.Headers, "prometheus-header", nil, "headers of each request: X-Scope-OrgID=team")
	v.DurationVar(&s.Timeout, "prometheus-timeout", 10*time.Second, "for one request")
}

// config is nil without a server.
func (f *prometheusFlags) config() (*external.Config, error) {
	if f.server.URL == "" {
		if f.matcher != "" || f.server.TokenFile != "" || f.server.Username != "" {
			return nil, errors.New("--prometheus-… says how to ask a server, but --prometheus-url names none")
		}
		return nil, nil
	}
	matchers, err := promapi.ParseMatchers(f.matcher)
	if err != nil {
		return nil, fmt.Errorf("--prometheus-matcher: %w", err)
	}
	server := f.server
	server.Matchers = matchers
	return &external.Config{Server: server}, nil
}
