package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/artifact"
	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/registry/store"
)

// worstColumns are shown per version in the table.
const worstColumns = 3

const matchHelp = `Rank the versions by how near the features of their training data are to
live data: the mean over the columns of the square root of the Jensen-Shannon
divergence on the version's own bins, from 0 to 1.

A version fits when its distance, and each column's, is within the tolerance:
what blocks of its own training rows, as long as the live data, showed against
the rest of them (95%; from profile --time), or a number of yours, and 2.5 times
that for a column. Without either it is 0.2, good for proposing.

A version is better than the one in service when its distance is at most 0.7 of
that one's; 0.6 where windows of this length differ much already. The best fits
and is better; without a version in service, the nearest that fits is best.

The 95% interval is that of the distance of all such rows.

Where versions were evaluated on each other's data sets ("leeway evaluate"), their
errors on this data are predicted from the data sets that look like it. From
eight data sets on, either the lowest predicted error is best, among the
versions that fit, if it is enough below that of the version in service; or
inputs were found not to predict quality for this model, and the match only
proposes. --labelled adds what labelled rows of five days or more say.

Inputs can't show that the right answers have changed: a match is a hypothesis.

LIVE is what a sidecar serves at /profile, or any other profile.`

const matchExamples = `  curl -s "http://$POD:9095/profile?window=24h" > live.json
  leeway match churn --profile live.json --live 7
  leeway match churn --profile live.json --explain
  leeway match churn --profile live.json --tolerance 0.2 -o json | jq .best`

// matchFlags are those of "leeway match".
type matchFlags struct {
	format                        format
	file, live, tolerance, labels string
	explain, check                bool
}

func newMatch(a *app) *cobra.Command {
	var f matchFlags
	cmd := &cobra.Command{
		Use:     "match MODEL --profile LIVE",
		Short:   "Rank the versions by how near their training data is to live data",
		Long:    matchHelp,
		Example: matchExamples,
		Args:    exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.match(cmd.Context(), args[0], f)
		},
	}
	f.format.addTo(cmd)
	cmd.Flags().StringVar(&f.file, "profile", "", "profile of the live data (- for standard input)")
	cmd.Flags().StringVar(&f.labels, "labelled", "", "`FILE` with what versions predicted for labelled rows of today, as \"leeway evaluate\" reads it, with a column time")
	cmd.Flags().StringVar(&f.live, "live", "", "the version in service; by default the one whose lifecycle is live")
	cmd.Flags().BoolVar(&f.explain, "explain", false, "draw how the columns that differ most do so: the version's training data, and today's")
	cmd.Flags().BoolVar(&f.check, "check-artifacts", false, "read every version's artifact; leave out what is missing or has another digest")
	cmd.Flags().StringVar(&f.tolerance, "tolerance", "auto", "distance within which a version fits: auto, or a number up to 1")
	return cmd
}

func (a *app) match(ctx context.Context, model string, f matchFlags) error {
	o, err := matchOptions(f.live, f.tolerance)
	if err != nil {
		return usageError{err}
	}
	if f.file == "" {
		return usage("say what the live data looks like, with --profile FILE")
	}
	data, err := a.readProfile(f.file)
	if err != nil {
		return err
	}
	if o.Labelled, err = a.labelled(f.labels); err != nil {
		return err
	}
	s, err := a.open(ctx)
	if err != nil {
		return err
	}
	r, err := a.rank(ctx, s, model, data, o, f.check)
	if err != nil {
		return fmt.Errorf("match %s: %w", model, err)
	}
	if len(r.Candidates)+len(r.Excluded) == 0 {
		a.note("%s has no versions in %s", model, store.Redact(a.storeURI))
	}
	r.Model = model
	if err := f.format.print(a.out, r, func(w io.Writer) { matchTable(w, r) }); err != nil || !f.explain || f.format != "table" {
		return err
	}
	return explainMatch(ctx, a.out, r, s, data)
}

// matcher is a registry that ranks its versions where they are.
type matcher interface {
	Match(ctx context.Context, model string, live *profile.Profile, o registry.MatchOptions) (registry.Result, error)
}

// rank ranks the versions of a model: there, where the registry can, or else
// here. What is known of them here only, their artifacts and labelled rows, is
// judged here.
func (a *app) rank(ctx context.Context, s registry.Store, model string, live *profile.Profile, o registry.MatchOptions, check bool) (registry.Result, error) {
	if there, ok := s.(matcher); ok && !check && o.Labelled == nil {
		return there.Match(ctx, model, live, o)
	}
	versions, err := s.List(ctx, model)
	if err != nil {
		return registry.Result{}, err
	}
	if check {
		if o.Findings, err = a.checkArtifacts(ctx, versions); err != nil {
			return registry.Result{}, err
		}
	}
	return registry.Match(versions, live, o)
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

// checkArtifacts finds the versions whose artifact is not there or not the one
// that was registered. Those of which nothing can be known are told, and stay.
func (a *app) checkArtifacts(ctx context.Context, versions []registry.Version) (map[int64]registry.Finding, error) {
	checker := artifact.New(artifact.Options{})
	found := map[int64]registry.Finding{}
	for _, v := range versions {
		err := checker.Check(ctx, v.Spec.Artifact.URI, v.Spec.Artifact.SHA256)
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, artifact.ErrMissing):
			found[v.Number] = registry.Finding{Reason: registry.ExcludedArtifact, Detail: err.Error()}
		case errors.Is(err, artifact.ErrDigest):
			found[v.Number] = registry.Finding{Reason: registry.ExcludedDigest, Detail: err.Error()}
		default:
			a.note("the artifact of version %d could not be checked: %v", v.Number, err)
		}
	}
	return found, nil
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
	fmt.Fprintln(w, "VERSION\tDISTANCE\t95%\tTOLERANCE\tFITS\tBETTER\tDIFFERS MOST IN")
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
		fmt.Fprintf(w, "%s\t%.3f\t%s\t%s\t%s\t%s\t%s\n", name, c.Distance, interval(c), tolerance(c), yes(c.Fits), better, strings.Join(worst, ", "))
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
	matchNotes(w, r)
}

// matchNotes say how far the answer is to be trusted.
func matchNotes(w io.Writer, r registry.Result) {
	has := func(f func(c registry.Candidate) bool) bool { return slices.ContainsFunc(r.Candidates, f) }
	if has(func(c registry.Candidate) bool { return c.Basis == registry.BasisFallback }) {
		fmt.Fprintf(w, "A tolerance that is a fallback, %.1f, is good for proposing only: how far parts of the training data as long as the live data (%s) lie from the rest was not measured (leeway profile --time).\n", registry.AutoTolerance, window(r.Length))
	}
	if has(func(c registry.Candidate) bool {
		return c.Interval != nil && c.Interval.Clustering == registry.ClusteringAssumed
	}) {
		fmt.Fprintf(w, "The 95%% interval takes %d rows for one where it was not measured how alike rows of the same time are.\n", profile.AssumedClustering)
	}
}

// tolerance is a candidate's, and where it is from.
func tolerance(c registry.Candidate) string {
	s := fmt.Sprintf("%.3g", c.Tolerance)
	switch c.Basis {
	case registry.BasisBlocks:
		return s + " (blocks " + strings.Join(c.Windows, "-") + ")"
	case registry.BasisFallback:
		return s + " (fallback)"
	}
	return s
}

func interval(c registry.Candidate) string {
	if c.Interval == nil {
		return "-"
	}
	return fmt.Sprintf("%.3f-%.3f", c.Interval.Low, c.Interval.High)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
