package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/dvc"
	"github.com/leeway-dev/leeway/registry/profile"
)

// difference is how a version differs from another.
type difference struct {
	Model   string          `json:"model"`
	From    string          `json:"from"`
	To      string          `json:"to"`
	Fields  []changedField  `json:"fields"`
	Metrics []changedMetric `json:"metrics"`
	Params  []changedField  `json:"params"`
	// Distance of To's training data on the bins of From, null where it can't
	// be said; then Why says why.
	Distance *profile.Distance `json:"distance"`
	Why      string            `json:"why,omitempty"`
}

type changedField struct {
	Name string `json:"name"`
	Old  string `json:"old"`
	New  string `json:"new"`
}

type changedMetric struct {
	Name string   `json:"name"`
	Old  string   `json:"old,omitempty"`
	New  string   `json:"new,omitempty"`
	Diff *float64 `json:"diff"`
}

func newDiff(a *app) *cobra.Command {
	var (
		f  format
		md markdown
	)
	cmd := &cobra.Command{
		Use:   "diff MODEL VERSION VERSION",
		Short: "Compare two versions: metrics, parameters, data, origin",
		Long: `Compare two versions: metrics, parameters, data, origin.

With --md it prints the tables that "dvc metrics diff --md" and "dvc params diff
--md" print, one after the other, for a comment on a pull request. The columns
are headed by the versions as you write them.`,
		Example: `  leeway diff churn 6 7
  leeway diff churn v6 v7 --md >> report.md`,
		Args: exactArgs(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			var vs [2]registry.Version
			for i := range vs {
				n, err := registry.ParseNumber(args[i+1])
				if err != nil {
					return usageError{err}
				}
				if vs[i], err = s.Get(cmd.Context(), args[0], n); err != nil {
					return err
				}
			}
			if md.on {
				_, err := io.WriteString(a.out, md.report(vs[0], vs[1], args[1], args[2]))
				return err
			}
			d := diff(vs[0], vs[1])
			return f.print(a.out, d, d.table)
		},
	}
	md.addFlags(cmd.Flags())
	f.addTo(cmd)
	cmd.MarkFlagsMutuallyExclusive("md", "output")
	return cmd
}

func diff(from, to registry.Version) difference {
	a, b := view(from), view(to)
	d := difference{Model: a.Model, From: a.Version, To: b.Version, Fields: []changedField{}, Metrics: []changedMetric{}, Params: []changedField{}}
	for _, f := range []changedField{
		{"lifecycle", string(a.Lifecycle), string(b.Lifecycle)},
		{"artifact", a.Artifact.URI, b.Artifact.URI},
		{"sha256", a.Artifact.SHA256, b.Artifact.SHA256},
		{"dataset", datasetText(a.Dataset), datasetText(b.Dataset)},
		{"dataset MD5", a.Dataset.MD5, b.Dataset.MD5},
		{"dataset commit", a.Dataset.Commit, b.Dataset.Commit},
		{"parent", strconv.FormatInt(a.Lineage.Parent, 10), strconv.FormatInt(b.Lineage.Parent, 10)},
		{"run", a.Lineage.Run, b.Lineage.Run},
		{"decision", a.Lineage.Decision, b.Lineage.Decision},
		{"compat", a.Compat, b.Compat},
	} {
		if f.Old != f.New {
			d.Fields = append(d.Fields, f)
		}
	}
	names := maps.Clone(a.Metrics)
	if names == nil {
		names = map[string]string{}
	}
	maps.Copy(names, b.Metrics)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		m := changedMetric{Name: name, Old: a.Metrics[name], New: b.Metrics[name]}
		old, err := strconv.ParseFloat(m.Old, 64)
		new, err2 := strconv.ParseFloat(m.New, 64)
		if err == nil && err2 == nil {
			change := new - old
			m.Diff = &change
		}
		d.Metrics = append(d.Metrics, m)
	}
	for _, c := range dvc.Diff(from.Spec.Params, to.Spec.Params, false) {
		d.Params = append(d.Params, changedField{strings.TrimPrefix(c.File+":"+c.Key, ":"), paramText(c.Old), paramText(c.New)})
	}
	d.Distance, d.Why = distance(from, to)
	return d
}

func distance(from, to registry.Version) (*profile.Distance, string) {
	a, _, err := from.Profile()
	if err != nil {
		return nil, err.Error()
	}
	b, _, err := to.Profile()
	if err != nil {
		return nil, err.Error()
	}
	d, err := profile.Compare(a, b)
	if err != nil {
		return nil, err.Error()
	}
	slices.SortStableFunc(d.Columns, func(a, b profile.ColumnDistance) int {
		switch {
		case a.Distance > b.Distance:
			return -1
		case a.Distance < b.Distance:
			return 1
		}
		return 0
	})
	return &d, ""
}

func (d difference) table(w io.Writer) {
	fmt.Fprintf(w, "\tVERSION %s\tVERSION %s\tCHANGE\n", d.From, d.To)
	for _, f := range d.Fields {
		fmt.Fprintf(w, "%s\t%s\t%s\t\n", f.Name, dash(short(f.Old)), dash(short(f.New)))
	}
	for _, m := range d.Metrics {
		change := "-"
		if m.Diff != nil {
			change = fmt.Sprintf("%+.4g", *m.Diff)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", m.Name, dash(m.Old), dash(m.New), change)
	}
	for _, p := range d.Params {
		fmt.Fprintf(w, "%s\t%s\t%s\t\n", p.Name, dash(p.Old), dash(p.New))
	}
	if d.Distance == nil {
		fmt.Fprintf(w, "\nTraining data: can't be compared: %s\n", d.Why)
		return
	}
	fmt.Fprintf(w, "\nTraining data: distance %.3f, on the bins of version %s\n", d.Distance.Mean, d.From)
	for _, c := range d.Distance.Columns {
		fmt.Fprintf(w, "%s\t%.3f\n", c.Name, c.Distance)
	}
}

// short cuts a digest to what tells it from others.
func short(s string) string {
	if len(s) == 64 {
		return s[:12]
	}
	return s
}

func dash(s string) string {
	if s == "" || s == "0" {
		return "-"
	}
	return s
}
