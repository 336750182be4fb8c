package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/leeway-dev/leeway/registry/dataset"
	"github.com/leeway-dev/leeway/registry/profile"
)

// shownBadRows of a file are told one by one.
const shownBadRows = 5

const profileHelp = `Describe training data, for a version to be registered with and found by.

Reads CSV with a header and JSON Lines (both plain, gzip or zstd), Parquet and
Arrow files; of a folder, all files of these formats below it. - is standard
input, which is copied to a temporary file, for it may have to be read twice.
Several files are read as one and must have the same columns. Files may be
larger than memory. The same rows give the same bytes.

A column is a number when all its values are; the types found are shown, and
--type mends a wrong one. A column of vectors, written [0.1,0.2], becomes nine
columns of numbers: its norm and projections. Predictions that are probabilities
of classes get one more, the highest of each row.

With --time it also says how much the rows of an hour, a day, a week resemble
each other; with --label and --prediction how wrong the predictions are. A time
is RFC 3339 or like 2024-05-31 23:59:59 (UTC), a date, or seconds, milli-, micro-
or nanoseconds since 1970.

Rows that can't be read are counted and shown; with more than --max-bad of them
it fails and writes nothing.`

const profileExamples = `  leeway profile train.csv.gz --label churned --prediction score --ignore id,date -o train.json
  leeway profile data/2024/ --time pickup_at --label duration --prediction eta -o taxi.json
  leeway profile jan.parquet feb.parquet --type zip=category --importance zip=0.2,age=0.5 -o winter.json`

// profileFlags are those of "leeway profile".
type profileFlags struct {
	options         dataset.Options
	types, weights  []string
	as, maxBad, out string
	quiet           bool
}

func newProfile(a *app) *cobra.Command {
	var f profileFlags
	cmd := &cobra.Command{
		Use:     "profile FILE...",
		Short:   "Describe training data: types, bins, quantiles",
		Long:    profileHelp,
		Example: profileExamples,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("name at least one file or folder, or - for standard input")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.profile(cmd.Context(), args, f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.options.Label, "label", "", "`column` with the truth; left out")
	flags.StringVar(&f.options.Time, "time", "", "`column` with the time of the row; left out")
	flags.StringSliceVar(&f.options.Predictions, "prediction", nil, "`columns` with the model's answers: of several outputs, or one for each class")
	flags.StringSliceVar(&f.options.Ignore, "ignore", nil, "`columns` to leave out")
	flags.StringSliceVar(&f.types, "type", nil, "`column=number` or column=category, where the type found is wrong")
	flags.StringSliceVar(&f.options.Redact, "redact", nil, "`columns` whose categories are kept as hashes only")
	flags.StringSliceVar(&f.weights, "importance", nil, "`column=number`: how much a feature matters to the model; or @FILE, a JSON object of such")
	flags.StringVar(&f.as, "format", "", "`format` of the input: "+strings.Join(dataset.Formats(), ", ")+" (default: what name and content say)")
	flags.StringVar(&f.maxBad, "max-bad", "1%", "share of rows that may be unreadable")
	flags.StringVarP(&f.out, "output", "o", "-", "`FILE` to write; - is standard output")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "don't show what was found")
	return cmd
}

func (a *app) profile(ctx context.Context, files []string, f profileFlags) error {
	o, err := a.profileOptions(f)
	if err != nil {
		return usageError{err}
	}
	debug.SetMemoryLimit(maxProfileHeap) // input may be larger than memory: collect soon
	p, report, err := a.profileFiles(ctx, files, dataset.Format(f.as), o)
	a.tellBadRows(report)
	if err != nil {
		return err
	}
	b, err := p.Encode()
	if err != nil {
		return err
	}
	if err := a.writeFile(f.out, b); err != nil {
		return err
	}
	if !f.quiet {
		tellProfile(a.err, p, b)
	}
	return nil
}

// profileOptions are the options with what has to be read of the flags.
func (a *app) profileOptions(f profileFlags) (o dataset.Options, err error) {
	o = f.options
	if o.Types, err = columnTypes(f.types); err != nil {
		return o, err
	}
	if o.MaxBadRatio, err = badRatio(f.maxBad); err != nil {
		return o, err
	}
	if o.Importance, err = a.importances(f.weights); err != nil {
		return o, err
	}
	if f.as != "" && !slices.Contains(dataset.Formats(), f.as) {
		err = fmt.Errorf("--format %q: write one of %s", f.as, strings.Join(dataset.Formats(), ", "))
	}
	return o, err
}

// maxProfileHeap is where memory is collected all the time, in bytes. What is in
// use stays far below it, unless there are very many columns.
const maxProfileHeap = 128 << 20

func columnTypes(list []string) (map[string]profile.Type, error) {
	types := map[string]profile.Type{}
	for _, s := range list {
		i := strings.LastIndex(s, "=")
		if i <= 0 || s[i+1:] != string(profile.Number) && s[i+1:] != string(profile.Category) {
			return nil, fmt.Errorf("--type %q: write COLUMN=number or COLUMN=category", s)
		}
		types[s[:i]] = profile.Type(s[i+1:])
	}
	return types, nil
}

// importances reads COLUMN=NUMBER, or @FILE with a JSON object of numbers.
func (a *app) importances(list []string) (map[string]float64, error) {
	all := map[string]float64{}
	for _, s := range list {
		if file, ok := strings.CutPrefix(s, "@"); ok {
			b, err := a.readFile(file, profile.MaxColumn)
			if err == nil {
				err = json.Unmarshal(b, &all)
			}
			if err != nil {
				return nil, fmt.Errorf("--importance %s: %w", s, err)
			}
			continue
		}
		i := strings.LastIndex(s, "=")
		v, err := strconv.ParseFloat(s[i+1:], 64)
		if i <= 0 || err != nil || !(v >= 0) {
			return nil, fmt.Errorf("--importance %q: write COLUMN=NUMBER, with a number of at least 0", s)
		}
		all[s[:i]] = v
	}
	return all, nil
}

// badRatio reads a share such as 1% or 0.01, in the library's terms, where none
// is negative.
func badRatio(s string) (float64, error) {
	text, isPercent := strings.CutSuffix(s, "%")
	f, err := strconv.ParseFloat(text, 64)
	if isPercent {
		f /= 100
	}
	if err != nil || !(f >= 0 && f <= 1) {
		return 0, fmt.Errorf("--max-bad %q: write a share such as 1%% or 0.01", s)
	}
	if f == 0 {
		return -1, nil
	}
	return f, nil
}

func (a *app) tellBadRows(r dataset.Report) {
	if r.Bad == 0 {
		return
	}
	for i, b := range r.BadRows {
		if i == shownBadRows {
			break
		}
		a.note("%s: %s is left out: %s", b.File, b.At, b.Reason)
	}
	a.note("%d of %d rows are left out", r.Bad, r.Rows+r.Bad)
}

func tellProfile(w io.Writer, p *profile.Profile, b []byte) {
	var f format = "table"
	_ = f.print(w, nil, func(w io.Writer) {
		fmt.Fprintln(w, "COLUMN\tTYPE\tMISSING\tBINS")
		for _, c := range p.Features {
			fmt.Fprintf(w, "%s\t%s\t%d\t%d\n", c.Name, c.Type, c.Missing, len(c.Bins))
		}
		for _, c := range p.Predictions {
			fmt.Fprintf(w, "%s (prediction)\t%s\t%d\t%d\n", c.Name, c.Type, c.Missing, len(c.Bins))
		}
	})
	fmt.Fprintf(w, "%d rows, %s\n", p.Rows, profile.Digest(b))
}

// replaceFile writes a file whole or not at all.
func replaceFile(name string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".leeway-*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
