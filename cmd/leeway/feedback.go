package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/leeway-dev/leeway/agent/feedback"
)

// labelOptions are what the flags of feedback say.
type labelOptions struct {
	model, version, namespace string
	// Columns of the input; empty for none.
	predicted, actual, time, versionColumn, receipt, weight string

	outcomes         string
	url              string
	token, tokenFile string
	state            string
	batch            int
	maxBad           string
	retryFor         time.Duration
}

func newFeedback(a *app) *cobra.Command {
	var (
		o labelOptions
		f format
	)
	cmd := &cobra.Command{
		Use:   "feedback FILE... --model MODEL --version VERSION --url URL",
		Short: "Send labels: what was predicted, and what was true",
		Long: `Send labels to a controller: what was predicted, and what was true. Reads CSV
with a header, plain or gzip, such as a warehouse exports; - is standard input.

Each row needs the version that predicted it: --version for all of them, or a
column with the version, or one with the receipt. Other columns are left alone.

Rows go in batches. What does not get through is tried again. After an
interruption the same command goes on where it stopped: how far it got is kept
in a file beside the first input, which is removed at the end. A batch whose
answer was lost is sent again: rows with receipts then count once, as long as
the same replica takes them within ten minutes, and others twice.

Rows that are refused are counted and the first are shown; with more than
--max-bad of them it fails, and the others count all the same.

The token is one of a ServiceAccount, for the audience leeway:
"kubectl create token NAME --audience leeway". From outside the cluster:
"kubectl port-forward -n leeway-system service/leeway 9096".`,
		Example: `  leeway feedback labels.csv.gz --model churn --version 7 -n ml --predicted score --actual churned \
    --time predicted_at --url http://localhost:9096 --token-file token
  leeway feedback day1.csv day2.csv --model churn --version-column model_version --outcomes class --url "$LEEWAY_URL"`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("name at least one CSV file, or - for standard input")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			bad, err := a.checkLabelOptions(&o, args)
			if err != nil {
				return err
			}
			report, err := a.sendLabels(cmd.Context(), args, o)
			if err != nil {
				return err
			}
			return a.tellLabels(f, report, max(bad, 0))
		},
	}
	o.addFlags(a, cmd)
	f.addTo(cmd)
	return cmd
}

func (o *labelOptions) addFlags(a *app, cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.model, "model", a.env("LEEWAY_MODEL"), "name of the model (env LEEWAY_MODEL)")
	f.StringVar(&o.version, "version", "", "version that made all the predictions")
	f.StringVar(&o.predicted, "predicted", "predicted", "`column` with the prediction")
	f.StringVar(&o.actual, "actual", "actual", "`column` with the truth")
	f.StringVar(&o.time, "time", "", "`column` with the time of the prediction")
	f.StringVar(&o.versionColumn, "version-column", "", "`column` with the version")
	f.StringVar(&o.receipt, "receipt", "", "`column` with the receipt of the prediction")
	f.StringVar(&o.weight, "weight", "", "`column` with the number of predictions that a row stands for")
	f.StringVar(&o.outcomes, "outcomes", "auto", "class, number, or auto: what looks like a number is one")
	f.StringVar(&o.url, "url", a.env("LEEWAY_URL"), "`URL` of the controllers (env LEEWAY_URL)")
	f.StringVar(&o.token, "token", "", "token to send (env LEEWAY_TOKEN, which ps does not show)")
	f.StringVar(&o.state, "state", "", "`FILE` that keeps how far it got; by default beside the first input")
	f.IntVar(&o.batch, "batch", 10_000, "rows to send at once")
	f.StringVar(&o.maxBad, "max-bad", "1%", "share of rows that may be refused")
	f.DurationVar(&o.retryFor, "retry-for", 5*time.Minute, "how long a batch is tried")
}

// checkLabelOptions completes the options, and returns the share of --max-bad.
func (a *app) checkLabelOptions(o *labelOptions, files []string) (float64, error) {
	if slices.Contains(files, "-") && len(files) > 1 {
		return 0, usage("- can't be mixed with files: what was read of it can't be read again")
	}
	if o.version != "" && o.versionColumn != "" {
		return 0, usage("--version and --version-column: give one of them")
	}
	if o.receipt == "" && (o.model == "" || o.version == "" && o.versionColumn == "") {
		return 0, usage("which version predicted? Give --model, and --version or --version-column; or --receipt")
	}
	o.version = plainVersion(o.version)
	if !slices.Contains([]string{"auto", "class", "number"}, o.outcomes) {
		return 0, usage("--outcomes %q: want auto, class or number", o.outcomes)
	}
	if o.batch < 1 || o.batch > feedback.MaxRows {
		return 0, usage("--batch %d: want 1 to %d", o.batch, feedback.MaxRows)
	}
	if u, err := url.Parse(o.url); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return 0, usage("--url %q: want where the controllers are, such as http://leeway.leeway-system.svc:9096", o.url)
	}
	o.tokenFile = a.tokenFile
	if o.token != "" && o.tokenFile != "" {
		return 0, usage("--token and --token-file: give one of them")
	}
	if o.token == "" && o.tokenFile == "" {
		o.token = a.env("LEEWAY_TOKEN")
	}
	if o.state == "" && files[0] != "-" {
		o.state = files[0] + ".leeway-state"
	}
	bad, err := badRatio(o.maxBad)
	if err != nil {
		return 0, usageError{err}
	}
	if o.namespace, err = a.cluster.inNamespace(); err != nil {
		return 0, fmt.Errorf("which namespace is the model in? Say so with -n: %w", err)
	}
	return bad, nil
}

// labelReport is how it came out.
type labelReport struct {
	Rows      int `json:"rows"`
	Accepted  int `json:"accepted"`
	Duplicate int `json:"duplicate"`
	Refused   int `json:"refused"`
	// Errors are the first refusals, at most 20.
	Errors []labelError `json:"errors,omitempty"`
}

const maxLabelErrors = 20

// labelError is a row that was refused.
type labelError struct {
	File   string `json:"file"`
	Line   int    `json:"line"` // from 1, header included
	Reason string `json:"reason"`
	Error  string `json:"error"`

	row int // of its batch
}

// tellLabels prints the report, and fails when too much was refused.
func (a *app) tellLabels(f format, r labelReport, bad float64) error {
	for i, e := range r.Errors {
		if i == shownBadRows {
			break
		}
		a.note("%s: line %d was refused: %s: %s", e.File, e.Line, e.Reason, e.Error)
	}
	err := f.print(a.out, r, func(w io.Writer) {
		fmt.Fprintf(w, "%d rows: %d accepted, %d duplicate, %d refused\n", r.Rows, r.Accepted, r.Duplicate, r.Refused)
	})
	if err == nil && float64(r.Refused) > bad*float64(r.Rows) {
		err = fmt.Errorf("%d of %d rows were refused, more than %.3g%%", r.Refused, r.Rows, 100*bad)
	}
	return err
}

// sendLabels sends the rows of all files, from where it stopped the last time.
func (a *app) sendLabels(ctx context.Context, names []string, o labelOptions) (labelReport, error) {
	state, err := a.openLabelState(names, o)
	if err != nil {
		return labelReport{}, err
	}
	if state.Report.Rows > 0 {
		a.note("going on after the first %d rows, as %s says", state.Report.Rows, o.state)
	}
	p := newProgress(a.err)
	defer p.done()
	s := labelSender{
		options: o, progress: p, state: state, skip: state.Report.Rows,
		client: newLabelClient(o, func(format string, args ...any) { p.done(); a.note(format, args...) }),
	}
	for _, name := range names {
		in, err := a.openCSV(name)
		if err == nil {
			err = s.file(ctx, name, watched{ctx, in, p})
			in.Close()
		}
		if err != nil {
			return labelReport{}, a.stopped(p, state, err)
		}
	}
	if err := s.flush(ctx); err != nil {
		return labelReport{}, a.stopped(p, state, err)
	}
	return state.Report, state.remove()
}

// stopped says how to go on.
func (a *app) stopped(p *progress, state *labelState, err error) error {
	p.done()
	switch rows := state.Report.Rows; {
	case rows == 0:
		_ = state.remove()
	case state.file == "":
		a.note("the first %d rows were taken; nothing keeps that: give --state to go on from there", rows)
	default:
		a.note("the first %d rows were taken; the same command goes on from there", rows)
	}
	return err
}
