package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/profile"
)

// worstColumns are shown per version in the table.
const worstColumns = 3

func newMatch(a *app) *cobra.Command {
	var (
		f                     format
		file, live, tolerance string
		labels                string
	)
	cmd := &cobra.Command{
		Use:   "match MODEL --profile LIVE",
		Short: "Rank the versions by how near their training data is to live data",
		Long: `Rank the versions by how near the features of their training data are to
live data: the mean over the columns of the square root of the Jensen-Shannon
divergence on the version's own bins, from 0 to 1.

A version fits when its distance is within the tolerance and each column's
within 2.5 times that. It is better than the version in service when its
distance is at most 0.7 of that one's. The best fits and is better; without a
version in service, the nearest that fits is best.

Where versions were evaluated on each other's data sets ("leeway evaluate"), their
errors on this data are predicted from the data sets that look like it. From
eight data sets on, either the lowest predicted error is best, among the
versions that fit, if it is enough below that of the version in service; or
inputs were found not to predict quality for this model, and the match only
proposes. --labelled adds what labelled rows of five days or more say.

Inputs can't show that the right answers have changed: a match is a hypothesis.

LIVE is what a sidecar serves at /profile, or any other profile.`,
		Example: `  curl -s "http://$POD:9095/profile?window=24h" > live.json
  leeway match churn --profile live.json --live 7
  leeway match churn --profile live.json --tolerance 0.2 -o json | jq .best`,
		Args: exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := matchOptions(live, tolerance)
			if err != nil {
				return usageError{err}
			}
			if file == "" {
				return usage("say what the live data looks like, with --profile FILE")
			}
			data, err := a.readProfile(file)
			if err != nil {
				return err
			}
			s, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			versions, err := s.List(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if len(versions) == 0 {
				a.note("%s has no versions in %s", args[0], a.storeURI)
			}
			if o.Labelled, err = a.labelled(labels); err != nil {
				return err
			}
			r, err := registry.Match(versions, data, o)
			if err != nil {
				return fmt.Errorf("match %s: %w", args[0], err)
			}
			r.Model = args[0]
			return f.print(a.out, r, func(w io.Writer) { matchTable(w, r) })
		},
	}
	f.addTo(cmd)
	cmd.Flags().StringVar(&file, "profile", "", "profile of the live data (- for standard input)")
	cmd.Flags().StringVar(&labels, "labelled", "", "`FILE` with what versions predicted for labelled rows of today, as \"leeway evaluate\" reads it, with a column time")
	cmd.Flags().StringVar(&live, "live", "", "the version in service; by default the one whose lifecycle is live")
	cmd.Flags().StringVar(&tolerance, "tolerance", "auto", "distance within which a version fits: auto, or a number up to 1")
	return cmd
}

func matchOptions(live, tolerance string) (o registry.MatchOptions, err error) {
	if o.Tolerance, err = registry.ParseTolerance(tolerance); err != nil {
		return o, err
	}
	if live != "" {
		o.Live, err = registry.ParseNumber(live)
	}
	return o, err
}

// readProfile reads a profile; the error says in which file what is wrong.
func (a *app) readProfile(name string) (*profile.Profile, error) {
	b, err := a.readFile(name, profile.MaxBytes)
	if err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	p, err := profile.Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return p, nil
}

func matchTable(w io.Writer, r registry.Result) {
	fmt.Fprintln(w, "VERSION\tDISTANCE\tTOLERANCE\tFITS\tBETTER\tDIFFERS MOST IN")
	for _, c := range r.Candidates {
		name, better := c.Version, yes(c.Better)
		switch c.Version {
		case r.Live:
			name, better = name+" (live)", "-"
		case r.Best:
			name += " (best)"
		}
		if r.Live == "" {
			better = "-"
		}
		var worst []string
		for _, column := range c.Columns[:min(len(c.Columns), worstColumns)] {
			worst = append(worst, fmt.Sprintf("%s %.3f", column.Name, column.Distance))
		}
		tolerance := fmt.Sprintf("%.3g", c.Tolerance)
		if r.Auto {
			tolerance += " (auto)"
		}
		fmt.Fprintf(w, "%s\t%.3f\t%s\t%s\t%s\t%s\n", name, c.Distance, tolerance, yes(c.Fits), better, strings.Join(worst, ", "))
	}
	fmt.Fprintln(w)
	for _, e := range r.Excluded {
		fmt.Fprintf(w, "Left out: %s, %s", e.Version, e.Reason)
		if e.Detail != "" {
			fmt.Fprintf(w, " (%s)", e.Detail)
		}
		fmt.Fprintln(w)
	}
	switch {
	case r.Best != "":
		fmt.Fprintf(w, "Best: %s\n", r.Best)
	default:
		fmt.Fprintln(w, "Best: none")
	}
	forecastLines(w, r)
	if r.Auto {
		fmt.Fprintf(w, "The tolerance is a fallback, %.1f: nothing says how far parts of the training data lie from each other. Good for proposing.\n", registry.AutoTolerance)
	}
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
