package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/leeway-dev/leeway/agent/backtest"
	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/mlflow"
	"github.com/leeway-dev/leeway/registry/store"
)

// Exit codes. That something is not there, or not there now, is told apart for
// scripts: a Job may be tried again when the registry was away.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitUnreachable = 4
	exitInterrupted = 130
)

const exitCodes = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 registry or server unreachable, 130 interrupted."

const interrupted = "leeway: interrupted; nothing half-written counts"

// system is what the process was given: everything that a command reads or
// writes besides files and stores.
type system struct {
	in  io.Reader
	out io.Writer
	err io.Writer
	env func(string) string
}

// app is shared by the commands.
type app struct {
	system
	cluster
	storeURI  string
	tokenFile string
}

// usageError is a command line that makes no sense.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usage(format string, a ...any) error { return usageError{fmt.Errorf(format, a...)} }

// run runs one command line and returns the exit code.
func run(ctx context.Context, args []string, s system) int {
	root := newRoot(strings.TrimSuffix(filepath.Base(args[0]), ".exe"), s)
	root.SetArgs(args[1:])
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return exitOK
	case ctx.Err() != nil:
		fmt.Fprintln(s.err, interrupted)
		return exitInterrupted
	}
	fmt.Fprintf(s.err, "leeway: %v\n", err)
	if h := hint(err); h != "" {
		fmt.Fprintf(s.err, "        %s\n", h)
	}
	return exitCode(err)
}

func exitCode(err error) int {
	switch {
	case errors.As(err, new(usageError)):
		return exitUsage
	case errors.Is(err, registry.ErrUnreachable), errors.Is(err, backtest.ErrUnreachable):
		return exitUnreachable
	case errors.Is(err, registry.ErrNotFound), errors.Is(err, backtest.ErrNoHistory):
		return exitNotFound
	}
	return exitFailed
}

// hint says what to do where the error can't know: it does not know the
// command line.
func hint(err error) string {
	switch {
	case errors.Is(err, registry.ErrNotFound):
		return `"leeway versions MODEL" lists what is there; --store says where to look`
	case errors.Is(err, registry.ErrUnreachable):
		return "check --store (or LEEWAY_STORE), and for kube: your kubeconfig and --context"
	case errors.Is(err, errors.ErrUnsupported):
		return "--store says which registry"
	}
	return ""
}

func newRoot(name string, s system) *cobra.Command {
	a := &app{system: s}
	plugin := name == "kubectl-leeway"
	root := &cobra.Command{
		Use:   "leeway",
		Short: "The registry of models, and what Leeway decided",
		Long: `leeway keeps versions of models with a profile of the data that they were
trained on, finds the version that would be at home in today's data, and
explains what Leeway decided on a cluster.

` + exitCodes,
		Example: `  leeway profile train.csv --label churned --prediction score -o train.json
  leeway register --model churn --artifact s3://models/churn/7 --profile train.json --metric auc=0.91
  leeway match churn --profile live.json --live 7
  kubectl leeway explain churn -n ml`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          subcommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	if plugin {
		root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl leeway"}
	}
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	flags := root.PersistentFlags()
	flags.StringVar(&a.storeURI, "store", a.defaultStore(plugin), "registry: dir:PATH, kube:, kube:NAMESPACE, s3://BUCKET/PREFIX, mlflow+http(s)://HOST or leeway+https://HOST (env LEEWAY_STORE)")
	flags.Lookup("store").DefValue = store.Redact(a.storeURI)
	flags.StringVar(&a.tokenFile, "token-file", "", "`FILE` with the token for controllers, leeway+https: and feedback (env LEEWAY_TOKEN holds the token itself)")
	a.cluster.addFlags(flags)
	root.AddCommand(
		newProfile(a), newRegister(a), newEvaluate(a), newAdopt(a), newVersions(a), newShow(a), newMatch(a), newDiff(a), newReport(a), newReject(a), newRetire(a), newCopy(a), newGC(a),
		newRules(a), newBacktest(a), newExplain(a), newPatch(a), newGuards(a), newScorecard(a), newFeedback(a),
	)
	a.addCompletions(root)
	return root
}

// defaultStore is kube: where a cluster is what a person means, else a folder.
func (a *app) defaultStore(plugin bool) string {
	switch {
	case a.env("LEEWAY_STORE") != "":
		return a.env("LEEWAY_STORE")
	case plugin, a.env("KUBERNETES_SERVICE_HOST") != "":
		return "kube:"
	}
	return "dir:.leeway"
}

// open opens the registry, and says from then on in which namespace it is.
func (a *app) open(ctx context.Context) (registry.Store, error) {
	return a.openURI(ctx, &a.storeURI)
}

// openURI opens a registry. kube: without a namespace, and {namespace}, become
// those of the namespace that is meant.
func (a *app) openURI(ctx context.Context, uri *string) (registry.Store, error) {
	if strings.Contains(*uri, "{namespace}") {
		namespace, err := a.cluster.inNamespace()
		if err != nil {
			return nil, err
		}
		*uri = store.InNamespace(*uri, namespace)
	}
	return store.Open(ctx, *uri, store.Options{Now: time.Now, MLflow: mlflow.FromEnvironment(a.env), Token: a.token, Namespace: a.cluster.namespaceIfAny, Kube: func() (client.WithWatch, string, error) {
		c, namespace, err := a.cluster.connect()
		*uri = store.InNamespace(*uri, namespace)
		return c, namespace, err
	}})
}

// token is the bearer token for controllers, empty without one. A file is read
// each time: a token that is mounted is renewed meanwhile.
func (a *app) token(context.Context) (string, error) {
	if a.tokenFile == "" {
		return a.env("LEEWAY_TOKEN"), nil
	}
	b, err := os.ReadFile(a.tokenFile)
	return strings.TrimSpace(string(b)), err
}

// subcommand is what a command takes that does nothing by itself.
func subcommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	cmd.SuggestionsMinimumDistance = 2
	if like := cmd.SuggestionsFor(args[0]); len(like) > 0 {
		return usage("unknown command %q; did you mean %q?", args[0], like[0])
	}
	return usage("unknown command %q; \"%s --help\" lists them", args[0], cmd.CommandPath())
}

// exactArgs is cobra.ExactArgs with an error that says what is wanted.
func exactArgs(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return usage("%d arguments, want: %s", len(args), cmd.UseLine())
		}
		return nil
	}
}

// note tells a person something that is not the answer.
func (a *app) note(format string, args ...any) {
	fmt.Fprintf(a.err, "leeway: "+format+"\n", args...)
}

// readFile reads a file, or standard input for "-", up to a limit.
func (a *app) readFile(name string, limit int64) ([]byte, error) {
	r := a.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		r = f
	}
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%s: more than %d bytes", name, limit)
	}
	return b, nil
}
