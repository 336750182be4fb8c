package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/leeway-dev/leeway/rules"
	"github.com/leeway-dev/leeway/rules/calibrate"
	"github.com/leeway-dev/leeway/rules/promapi"
)

// promFlags name a Prometheus-compatible server.
type promFlags struct {
	server  promapi.Config
	matcher string
}

func (f *promFlags) addTo(v *pflag.FlagSet) {
	s := &f.server
	v.StringVar(&s.URL, "prometheus-url", "", "Prometheus, Thanos, Mimir, VictoriaMetrics, or a controller of Leeway's")
	v.StringVar(&f.matcher, "prometheus-matcher", "", `look at some series only: cluster="eu-1",namespace="ml"`)
	v.StringVar(&s.TokenFile, "prometheus-token-file", "", "bearer token for it")
	v.StringVar(&s.Username, "prometheus-username", "", "user for basic auth")
	v.StringVar(&s.PasswordFile, "prometheus-password-file", "", "that user's password")
	v.StringVar(&s.CAFile, "prometheus-ca-file", "", "certificate authority of its certificate")
	v.StringVar(&s.CertFile, "prometheus-cert-file", "", "client certificate")
	v.StringVar(&s.KeyFile, "prometheus-key-file", "", "key of the client certificate")
	v.StringToStringVar(&s.Headers, "prometheus-header", nil, "headers of each request: X-Scope-OrgID=team")
	v.DurationVar(&s.Timeout, "prometheus-timeout", 2*time.Minute, "for one request")
}

func (f *promFlags) client() (*promapi.Client, error) {
	if f.server.URL == "" {
		return nil, usage("say which server keeps the history, with --prometheus-url")
	}
	var err error
	if f.server.Matchers, err = promapi.ParseMatchers(f.matcher); err != nil {
		return nil, usage("--prometheus-matcher: %v", err)
	}
	return promapi.New(f.server)
}

func newRulesCalibrate(a *app) *cobra.Command {
	var (
		prom         promFlags
		since        = "30d"
		values, file string
		f            format
	)
	cmd := &cobra.Command{
		Use:   "calibrate",
		Short: "Measure in a Prometheus' history what the rules have to know of the traffic",
		Long: `Measure in a Prometheus' history what the rules have to know of the traffic, and
write a values file for "leeway rules render": how clustered the rows of each
column are over windows of 1h to 24h, how many effective rows that leaves, and
the errors, latency and volume of each version. Comments say what was measured,
which windows hold too few rows, and which columns are slow: their clustering
still grows with the window, so that no window up to a day tells drift.`,
		Example: `  leeway rules calibrate --prometheus-url http://prometheus:9090 --since 30d > values.yaml`,
		Args:    exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := prom.client()
			if err != nil {
				return err
			}
			past, err := flagDuration("--since", since)
			if err != nil {
				return err
			}
			base := rules.Defaults()
			if values != "" {
				b, err := a.readFile(values, maxValues)
				if err != nil {
					return err
				}
				if base, err = rules.ParseValues(b); err != nil {
					return fmt.Errorf("%s: %w", values, err)
				}
			}
			report, err := calibrate.History(cmd.Context(), client, past, time.Now(), a.note)
			if err != nil {
				return err
			}
			if len(report.Versions) == 0 {
				return fmt.Errorf("no model served in the last %s, as far as %s knows: leeway_request_duration_seconds_count has no samples", since, client)
			}
			out := report.Values(base)
			if file != "" {
				return a.writeFile(file, out)
			}
			if f == "table" {
				_, err = a.out.Write(out)
				return err
			}
			return f.print(a.out, report, nil)
		},
	}
	prom.addTo(cmd.Flags())
	cmd.Flags().StringVar(&since, "since", since, "how far to look back: two weeks or more")
	cmd.Flags().StringVarP(&values, "file", "f", "", "values file that the rules are rendered with now")
	cmd.Flags().StringVar(&file, "out", "", "write the values file here; by default it is printed")
	f.addTo(cmd)
	return cmd
}
