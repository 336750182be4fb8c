package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"

	"github.com/leeway-dev/leeway/rules/lint"
)

// maxRuleFile bounds one rule file, as an agent does.
const maxRuleFile = 4 << 20

func newRulesCheck(a *app) *cobra.Command {
	var o lint.Options
	var f format
	scrape, retention := "15s", "15d"
	cmd := &cobra.Command{
		Use:   "check FILE|DIR…",
		Short: "Find in rule files what promtool can't",
		Long: `Find what promtool can't, because it takes to know what Leeway exports and what
its agents read: metrics and labels that nobody has, alerts that can never fire or
never take part in a diagnosis, windows that are too short for their statistics
or too long for the storage; and estimate what the rules cost.

Files are checked together: one may rest on what another records. Your own go with
the shipped ones: leeway rules check rules/ mine.yaml. The exit code is 1 when
there are errors or warnings.`,
		Example: `  leeway rules check rules/
  leeway rules check rules/ mine.yaml --models 50 --columns 200 -o json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("name the rule files, or a folder of them")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			var err error
			if o.ScrapeInterval, err = flagDuration("--scrape-interval", scrape); err != nil {
				return err
			}
			if o.Retention, err = flagDuration("--retention", retention); err != nil {
				return err
			}
			files, err := a.ruleFiles(args)
			if err != nil {
				return err
			}
			report := lint.Check(files, o)
			if err := f.print(a.out, report, func(w io.Writer) { reportTable(w, report, len(files)) }); err != nil {
				return err
			}
			if report.Failed() {
				return errors.New("the rules should be put right")
			}
			return nil
		},
	}
	f.addTo(cmd)
	v := cmd.Flags()
	v.StringVar(&scrape, "scrape-interval", scrape, "how often the sidecars are scraped")
	v.StringVar(&retention, "retention", retention, "for how long samples are kept")
	v.StringSliceVar(&o.Labels, "label", nil, "labels that your server adds to all series, such as cluster")
	v.IntVar(&o.Size.Models, "models", 10, "versions in service, for the estimate of cost")
	v.IntVar(&o.Size.Pods, "pods", 2, "pods of each")
	v.IntVar(&o.Size.Columns, "columns", 20, "features of each")
	v.IntVar(&o.Size.Bins, "bins", 15, "bins of each column")
	return cmd
}

// flagDuration reads a duration as Prometheus writes it.
func flagDuration(flag, s string) (time.Duration, error) {
	d, err := model.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, usage("%s: %q is not a duration: write 15s, 1h or 15d", flag, s)
	}
	return time.Duration(d), nil
}

// ruleFiles reads files, and the *.yaml and *.yml of folders.
func (a *app) ruleFiles(args []string) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, arg := range args {
		names := []string{arg}
		if info, err := os.Stat(arg); err == nil && info.IsDir() {
			names = names[:0]
			for _, pattern := range []string{"*.yaml", "*.yml"} {
				found, err := fs.Glob(os.DirFS(arg), pattern)
				if err != nil {
					return nil, err
				}
				for _, name := range found {
					names = append(names, filepath.Join(arg, name))
				}
			}
			if len(names) == 0 {
				return nil, fmt.Errorf("%s holds no *.yaml or *.yml: render some with leeway rules render", arg)
			}
		}
		for _, name := range names {
			b, err := a.readFile(name, maxRuleFile)
			if err != nil {
				return nil, err
			}
			files[name] = b
		}
	}
	return files, nil
}

// reportTable writes a finding a line, as compilers do, and what the rules cost.
func reportTable(w io.Writer, r lint.Report, files int) {
	for _, f := range r.Findings {
		fmt.Fprintln(w, f)
	}
	if len(r.Findings) == 0 {
		fmt.Fprintf(w, "%d rule files are good\n", files)
	}
	fmt.Fprintln(w, "\nGROUP\tEVERY\tSERIES IN\tSAMPLES IN\tA SECOND\tSERIES OUT")
	total := lint.GroupCost{Group: "all"}
	for _, g := range r.Groups {
		total.SeriesIn += g.SeriesIn
		total.SamplesIn += g.SamplesIn
		total.SamplesPerSecond += g.SamplesPerSecond
		total.SeriesOut += g.SeriesOut
	}
	for _, g := range append(r.Groups, total) {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%.0f\t%d\n", g.Group, g.Interval, g.SeriesIn, g.SamplesIn, g.SamplesPerSecond, g.SeriesOut)
	}
}
