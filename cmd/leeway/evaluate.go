package main

import (
	"cmp"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/leeway-dev/leeway/agent/retrain/evaluation"
	"github.com/leeway-dev/leeway/registry/evaluate"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// fewRows is how many held-out rows of a data set are little to go by.
const fewRows = 200

// holdout is what a data set is called that nobody named.
const holdout = "holdout"

func newEvaluate(a *app) *cobra.Command {
	var f format
	var g against
	cmd := &cobra.Command{
		Use:   "evaluate FILE",
		Short: "Measure versions by what they predicted for rows whose truth is known",
		Long: `Measure versions by what they predicted for rows whose truth is known. It
changes nothing: "leeway register --evaluate FILE" keeps what this prints.

FILE is CSV, also gzip, with a header: the column "actual"; a column for each
version, named by its number, or "self" for the one that is to be registered;
and, if there are any, the columns "dataset" and "time". Numbers are measured by
mae and rmse, probabilities of class 1 by log_loss and error, classes by error.

With --against or --report versions are compared with the one in service, row by
row: by how much less each loses in the mean, and the standard error of that, the
larger of two: that of independent rows, and that of the means of blocks of rows in
the order of the file. So write the rows in the order of time. With --losses columns
hold what each row cost, and there is no column "actual". --report leaves what was
found for Leeway, in a Job that it started from spec.evaluate.`,
		Example: `  leeway evaluate predictions.csv
  leeway evaluate predictions.csv.gz -o json
  leeway evaluate predictions.csv --against 3
  leeway evaluate predictions.csv --report`,
		Args: exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("against") || g.report != "" {
				return g.run(a, f, args[0])
			}
			if g.losses || g.block != 0 {
				return usage("--losses and --block are for comparing: give --against or --report")
			}
			sets, err := a.readPredictions(args[0])
			if err != nil {
				return err
			}
			views := []measuredView{}
			for _, s := range sets {
				for _, e := range evaluations(s, holdout) {
					version := selfVersion
					if e.Version != 0 {
						version = strconv.FormatInt(e.Version, 10)
					}
					views = append(views, measuredView{evaluationView{version, e.Dataset, e.Metric, e.Value}, s.Rows})
				}
			}
			return f.print(a.out, views, func(w io.Writer) {
				fmt.Fprintln(w, "VERSION\tDATASET\tROWS\tMETRIC\tVALUE")
				for _, v := range views {
					fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\n", v.Version, v.Dataset, v.Rows, v.Metric, v.Value)
				}
			})
		},
	}
	f.addTo(cmd)
	g.decision, g.asked = a.env("LEEWAY_DECISION"), splitEnv(a.env("LEEWAY_CANDIDATES"))
	fs := cmd.Flags()
	fs.StringVar(&g.version, "against", a.env("LEEWAY_PARENT_VERSION"), "`VERSION` in service, to compare the others with (env LEEWAY_PARENT_VERSION)")
	fs.BoolVar(&g.losses, "losses", false, "columns hold the loss on each row, not what was predicted")
	fs.Int64Var(&g.block, "block", 0, "`ROWS` that make one block, such as those of a day; by default 20 to 40 blocks are made of all")
	fs.StringVar(&g.report, "report", "", "leave a report for the decision that started this Job in `FILE`; without one in the container's termination message")
	fs.Lookup("report").NoOptDefVal = evaluation.Path
	return cmd
}

type measuredView struct {
	evaluationView
	Rows int64 `json:"rows"`
}

// readPredictions measures a file of predictions; "-" is standard input.
func (a *app) readPredictions(name string) ([]evaluate.Set, error) {
	in, err := a.openCSV(name)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	if name == "-" {
		name = "standard input"
	}
	sets, err := evaluate.Read(name, in)
	if err != nil {
		return nil, err
	}
	for _, s := range sets {
		if s.Rows < fewRows {
			a.note("%s: %d rows of data set %s are few to judge by: 500 over many days are better", name, s.Rows, cmp.Or(s.Dataset, holdout))
		}
	}
	return sets, nil
}

// evaluations are what was measured, as it is registered.
func evaluations(s evaluate.Set, otherwise string) (out []v1alpha1.Evaluation) {
	for _, score := range s.Scores {
		for _, m := range score.Metrics {
			out = append(out, v1alpha1.Evaluation{
				Version: score.Version, Dataset: cmp.Or(s.Dataset, otherwise), Metric: m.Name,
				Value: strconv.FormatFloat(m.Value, 'g', 9, 64),
			})
		}
	}
	return out
}

// evaluate adds what the files of a registration show. The version's own metrics
// on its own data set are its metrics, but for those that were given.
func (a *app) evaluate(spec *v1alpha1.ModelVersionSpec, files []string) error {
	for _, name := range files {
		sets, err := a.readPredictions(name)
		if err != nil {
			return err
		}
		own := cmp.Or(spec.Dataset.Name, holdout)
		for _, s := range sets {
			list := evaluations(s, own)
			spec.Evaluations = append(spec.Evaluations, list...)
			for _, e := range list {
				if _, given := spec.Metrics[e.Metric]; given || e.Version != 0 || e.Dataset != own {
					continue
				}
				if spec.Metrics == nil {
					spec.Metrics = map[string]string{}
				}
				spec.Metrics[e.Metric] = e.Value
			}
		}
	}
	return nil
}
