package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/leeway-dev/leeway/agent/journal"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/registry"
)

// maxReportColumns is how many columns of the data a report lists.
const maxReportColumns = 20

func newReport(a *app) *cobra.Command {
	var parent, file string
	cmd := &cobra.Command{
		Use:   "report MODEL VERSION",
		Short: "Print what a trained version is, as Markdown for a pull request",
		Long: `Print what a trained version is, against the one that it was trained in place
of, as Markdown: the decision that asked for it, metrics, errors on the same
rows, parameters, and how far the training data lies from the parent's, column by
column. Nothing in it is taken from the network but the two versions.

The parent is --parent, else the one that the version was registered with. The
decision is read from the JSON or YAML that "kubectl get modeldecision" prints.`,
		Example: `  leeway report churn 8 > report.md
  kubectl get modeldecision "$LEEWAY_DECISION" -o json | leeway report churn 8 --decision - > report.md`,
		Args: exactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := registry.ParseNumber(args[1])
			if err != nil {
				return usageError{err}
			}
			p := int64(0)
			if parent != "" {
				if p, err = registry.ParseNumber(parent); err != nil {
					return usageError{fmt.Errorf("--parent: %w", err)}
				}
			}
			s, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			r := report{}
			if r.to, err = s.Get(cmd.Context(), args[0], n); err != nil {
				return err
			}
			if p == 0 {
				p = r.to.Spec.Lineage.Parent
			}
			if p == 0 {
				return usage("version %d of %s was registered without a parent: name one with --parent", n, args[0])
			}
			if r.from, err = s.Get(cmd.Context(), args[0], p); err != nil {
				return fmt.Errorf("the parent: %w", err)
			}
			if file != "" {
				if r.decision, err = a.readDecision(file); err != nil {
					return err
				}
				if asked := r.to.Spec.Lineage.Decision; r.decision.Name != asked {
					return fmt.Errorf("%s: decision %q did not ask for version %d of %s, which was registered for %q", file, r.decision.Name, n, args[0], asked)
				}
			}
			r.print(a.out)
			return nil
		},
	}
	cmd.Flags().StringVar(&parent, "parent", "", "`VERSION` to compare with; by default the version's parent")
	cmd.Flags().StringVar(&file, "decision", "", "`FILE` with the decision's record, JSON or YAML (- for standard input)")
	return cmd
}

// report is what there is to say of a version that was trained.
type report struct {
	from, to registry.Version
	decision *v1alpha1.ModelDecision // nil where it was not given
}

func (r report) print(w io.Writer) {
	d := diff(r.from, r.to)
	from, to := "version "+d.From, "version "+d.To
	fmt.Fprintf(w, "## %s: %s, trained in place of %s\n", md(d.Model), to, from)
	r.asked(w)

	rows := [][]string{}
	for _, m := range d.Metrics {
		rows = append(rows, []string{m.Name, dash(m.Old), dash(m.New), delta(m.Diff)})
	}
	mdTable(w, "Metrics, each on its own hold-out rows", []string{"metric", from, to, "change"}, rows)
	mdTable(w, "Errors on the same rows", []string{"data set", "metric", from, to, "change"}, r.sameRows())

	rows = nil
	for _, p := range d.Params {
		rows = append(rows, []string{p.Name, dash(p.Old), dash(p.New)})
	}
	mdTable(w, "Parameters that changed", []string{"parameter", from, to}, rows)
	rows = nil
	for _, f := range d.Fields {
		rows = append(rows, []string{f.Name, dash(short(f.Old)), dash(short(f.New))})
	}
	mdTable(w, "Origin", []string{"", from, to}, rows)

	if d.Distance == nil {
		fmt.Fprintf(w, "\n### Training data\n\nIt can't be compared: %s.\n", md(strings.TrimSuffix(d.Why, ".")))
		return
	}
	rows = nil
	for _, c := range d.Distance.Columns[:min(len(d.Distance.Columns), maxReportColumns)] {
		rows = append(rows, []string{c.Name, fmt.Sprintf("%.3f", c.Distance)})
	}
	mdTable(w, fmt.Sprintf("Training data: distance %.3f, on the bins of %s", d.Distance.Mean, from), []string{"column", "distance"}, rows)
	if more := len(d.Distance.Columns) - maxReportColumns; more > 0 {
		fmt.Fprintf(w, "\nAnd %d more, none of them further.\n", more)
	}
}

// asked says which decision asked for the version, and why.
func (r report) asked(w io.Writer) {
	d := r.decision
	if d == nil {
		if name := r.to.Spec.Lineage.Decision; name != "" {
			fmt.Fprintf(w, "\nAsked for by decision %s.\n", md(name))
		}
		return
	}
	fmt.Fprintf(w, "\nAsked for by decision %s of guard %s: **%s**, so %s (%s).\n", md(d.Name), md(d.Spec.Guard), md(d.Spec.Cause), md(d.Spec.Action), md(d.Spec.Reason))
	message := d.Status.Message
	for _, s := range d.Status.Steps {
		if s.Name == journal.Decided && s.Message != "" {
			message = s.Message // what came after is about the training
			break
		}
	}
	if message != "" {
		fmt.Fprintf(w, "\n> %s\n", md(message))
	}
}

// sameRows are the evaluations that both versions have on a data set: the ones
// that a gate compares.
func (r report) sameRows() [][]string {
	type key struct{ dataset, metric string }
	parent := map[key]string{}
	for _, e := range r.to.Spec.Evaluations {
		if e.Version == r.from.Number {
			parent[key{e.Dataset, e.Metric}] = e.Value
		}
	}
	var rows [][]string
	for _, e := range r.to.Spec.Evaluations {
		old, ok := parent[key{e.Dataset, e.Metric}]
		if !ok || e.Version != r.to.Number && e.Version != 0 {
			continue
		}
		var diff *float64
		a, err := strconv.ParseFloat(old, 64)
		b, err2 := strconv.ParseFloat(e.Value, 64)
		if err == nil && err2 == nil {
			x := b - a
			diff = &x
		}
		rows = append(rows, []string{e.Dataset, e.Metric, old, e.Value, delta(diff)})
	}
	slices.SortFunc(rows, slices.Compare[[]string])
	return rows
}

func delta(diff *float64) string {
	if diff == nil {
		return "-"
	}
	return fmt.Sprintf("%+.4g", *diff)
}

// mdTable prints a table with its title, and nothing where it has no rows.
func mdTable(w io.Writer, title string, head []string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(w, "\n### %s\n\n", title)
	line := func(cells []string) {
		for _, c := range cells {
			fmt.Fprintf(w, "| %s ", md(c))
		}
		fmt.Fprintln(w, "|")
	}
	line(head)
	fmt.Fprintln(w, strings.Repeat("| --- ", len(head))+"|")
	for _, r := range rows {
		line(r)
	}
}

// md is text as Markdown shows it. It comes from files, and from the names in
// live data: it must be no table, no link, no HTML, and call nobody.
func md(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	var b strings.Builder
	for _, c := range s {
		switch c {
		case '<', '>', '&', '@', '#':
			fmt.Fprintf(&b, "&#%d;", c)
		case '\\', '`', '*', '_', '[', ']', '|', '~', '$':
			b.WriteByte('\\')
			b.WriteRune(c)
		default:
			b.WriteRune(c)
		}
	}
	// An address would become a link by itself.
	return strings.ReplaceAll(b.String(), "://", ":&#47;/")
}
