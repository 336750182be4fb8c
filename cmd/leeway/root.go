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

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/store"
)

// Exit codes.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

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
	storeURI string
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
	if errors.As(err, new(usageError)) {
		return exitUsage
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

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.`,
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
	flags.StringVar(&a.storeURI, "store", a.defaultStore(plugin), "registry: dir:PATH, kube: or kube:NAMESPACE (env LEEWAY_STORE)")
	a.cluster.addFlags(flags)
	root.AddCommand(
		newProfile(a), newRegister(a), newEvaluate(a), newAdopt(a), newVersions(a), newShow(a), newMatch(a), newDiff(a), newReject(a),
		newRules(a), newExplain(a), newGuards(a), newFeedback(a),
	)
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
	return store.Open(ctx, a.storeURI, store.Options{Now: time.Now, Kube: func() (client.Client, string, error) {
		c, namespace, err := a.cluster.connect()
		a.storeURI = store.InNamespace(a.storeURI, namespace)
		return c, namespace, err
	}})
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
