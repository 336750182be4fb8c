package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/leeway-dev/leeway/sidecar"
)

// options are the flags.
type options struct {
	sidecar.Config
	profile, logLevel    string
	budget, body, memory size
	learn                bool
}

const long = `leeway-sidecar stands in front of a model server in its pod.

It forwards every connection untouched to --upstream, and exports on the admin port how long requests took,
which failed, and which feature values and predictions passed, by bins of the version's profile.

Every flag can also be set as an environment variable: --listen is LEEWAY_LISTEN, --max-body is LEEWAY_MAX_BODY.
A flag on the command line wins.

Admin port:
  GET  /metrics                 for Prometheus
  GET  /healthz, /readyz        readyz fails while draining
  GET  /profile?window=30m      what was observed, or ?from= and ?to= (RFC 3339); &learned=true: without a profile, too
  PUT  /reference               the profile to compare with, once
  POST /drain                   unready from now; answers when no request is under way`

// command is the program's command line; lookup reads the environment.
func command(lookup func(string) (string, bool), run func(context.Context, options) error) *cobra.Command {
	var o options
	c := &cobra.Command{
		Use: "leeway-sidecar --model NAME [flags]", Short: "Forward a model's traffic untouched, and observe it", Long: long,
		Example: "  leeway-sidecar --model churn --version 3 --upstream http://127.0.0.1:8080 --profile profile.json",
		Args:    cobra.NoArgs, SilenceUsage: true, SilenceErrors: true,
		PreRunE: func(c *cobra.Command, _ []string) error { return fromEnv(c.Flags(), lookup) },
		RunE: func(c *cobra.Command, _ []string) error {
			o.CaptureBudget, o.MaxBody = int64(o.budget), int(o.body)
			if o.learn {
				o.LearnBudget = int64(o.memory)
			}
			return run(c.Context(), o)
		},
	}
	c.CompletionOptions.DisableDefaultCmd = true
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&o.Model, "model", "", "name of the model: label model_name (needed)")
	f.StringVar(&o.Version, "version", "", "version of the model in the registry: label model_version")
	f.StringVar(&o.Listen, "listen", ":8090", "address for traffic")
	f.StringVar(&o.Upstream, "upstream", "http://127.0.0.1:8080", "address of the model server")
	f.StringVar(&o.AdminListen, "admin-listen", ":9095", "address of the admin server")
	f.StringVar(&o.Protocol, "protocol", "auto", "protocol to observe: auto, v1, v2, mlflow, tfserving, seldon or csv; others pass unobserved")
	f.StringVar(&o.profile, "profile", "", "file with the version's profile; without it, it is pushed to PUT /reference")
	f.StringVar(&o.ProfileDigest, "profile-digest", "", "sha256:… of the only profile to take; without it, the first is taken, and --profile also exports the reference's own series")
	f.Float64Var(&o.SampleRatio, "sample-ratio", 1, "share of inference requests whose values are read, 0 to 1; latency counts all")
	o.budget, o.body, o.memory = 16<<20, 1<<20, 16<<20
	f.Var(&o.budget, "capture-budget", "memory for copies of bodies, over all connections; beyond it observations are dropped")
	f.Var(&o.body, "max-body", "largest body that is read")
	f.IntVar(&o.MaxFeatures, "max-features", 500, "values of a row without names; more are a vector, which is summed up")
	f.BoolVar(&o.learn, "learn", true, "without a profile, learn the columns of requests with names, for \"leeway adopt\" to make one of")
	f.Var(&o.memory, "learn-budget", "memory for what is learned; columns beyond it are not")
	f.StringVar(&o.TLSCert, "tls-cert", "", "file with the certificate chain (PEM) for clients that speak TLS, with --tls-key; read again when it changes")
	f.StringVar(&o.TLSKey, "tls-key", "", "file with the key of --tls-cert (PEM)")
	f.StringSliceVar(&o.TLSProtocols, "tls-protocols", []string{"http/1.1"}, "protocols that TLS offers, of http/1.1 and h2; the model server must speak them without TLS")
	f.BoolVar(&o.Receipts, "receipts", false, "answer inference requests over HTTP/1.1 with a header Leeway-Receipt, to send labels with; needs --version")
	f.StringSliceVar(&o.Redact, "redact", nil, "columns whose categories are learned as hashes only; with a profile, the profile says which")
	f.DurationVar(&o.Grace, "grace", 10*time.Second, "time for requests under way after SIGTERM, and for POST /drain")
	f.StringVar(&o.logLevel, "log-level", "info", "debug, info, warn or error")
	return c
}

// fromEnv sets the flags that are not on the command line from LEEWAY_….
func fromEnv(f *pflag.FlagSet, lookup func(string) (string, bool)) (err error) {
	f.VisitAll(func(flag *pflag.Flag) {
		name := "LEEWAY_" + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))
		v, ok := lookup(name)
		if !ok || v == "" || flag.Changed || flag.Name == "help" || err != nil {
			return
		}
		if e := f.Set(flag.Name, v); e != nil {
			err = fmt.Errorf("%s: %w", name, e)
		}
	})
	return err
}

// size is a number of bytes: 1048576, 1024KiB, 1MiB.
type size int64

func (s *size) String() string {
	switch n := int64(*s); {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%dMiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%dKiB", n>>10)
	default:
		return strconv.FormatInt(n, 10)
	}
}

func (s *size) Set(v string) error {
	shift := 0
	for unit, bits := range map[string]int{"KiB": 10, "MiB": 20, "GiB": 30} {
		if rest, ok := strings.CutSuffix(v, unit); ok {
			v, shift = rest, bits
		}
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n <= 0 || n > 1<<40>>shift {
		return fmt.Errorf("want a number of bytes, like 1048576, 512KiB or 16MiB")
	}
	*s = size(n << shift)
	return nil
}

func (s *size) Type() string { return "size" }
