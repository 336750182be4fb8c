package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/leeway-dev/leeway/rules"
	"github.com/leeway-dev/leeway/rules/promapi"
)

// maxValues bounds a values file.
const maxValues = 1 << 20

func newRules(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rules",
		Short: "Render, check and calibrate the Prometheus rules",
		Args:  subcommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newRulesRender(a), newRulesValues(a), newRulesCheck(a), newRulesCalibrate(a))
	return cmd
}

func newRulesRender(a *app) *cobra.Command {
	var (
		values, dir, matcher string
		fast, operator       bool
	)
	cmd := &cobra.Command{
		Use:   "render",
		Short: "Write the rules with other windows, budgets or thresholds",
		Long: `Write the rule files for a values file; without one, the rules as shipped.
"leeway rules values" prints the defaults, with comments, to begin from. The
files are ordinary Prometheus rules: any engine loads them.`,
		Example: `  leeway rules values > values.yaml
  leeway rules render -f values.yaml --dir rules/
  leeway rules render --fast --dir rules/   # for agents that scrape every second
  leeway rules render --matcher 'cluster="eu-1"' --operator | kubectl apply -n monitoring -f -`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if fast && values != "" {
				return usage("write \"fast: true\" into %s instead of --fast: its other values then come on top", values)
			}
			v := rules.Defaults()
			if values != "" {
				b, err := a.readFile(values, maxValues)
				if err != nil {
					return err
				}
				if v, err = rules.ParseValues(b); err != nil {
					return fmt.Errorf("%s: %w", values, err)
				}
			}
			if fast {
				v = rules.Fast(v)
			}
			files, err := rules.Render(v)
			if err != nil {
				return err
			}
			if matcher != "" {
				matchers, err := promapi.ParseMatchers(matcher)
				if err != nil {
					return usage("--matcher: %v", err)
				}
				if files, err = rules.ForCluster(files, matchers); err != nil {
					return err
				}
			}
			if operator {
				files = rules.Operator(files)
			}
			return a.writeRules(files, dir)
		},
	}
	cmd.Flags().StringVarP(&values, "file", "f", "", "values file (- for standard input)")
	cmd.Flags().StringVar(&dir, "dir", "", "folder to write the files to; by default they are printed")
	cmd.Flags().StringVar(&matcher, "matcher", "", `for a server that holds several clusters: read the series of this one only, and label all results with it: cluster="eu-1"`)
	cmd.Flags().BoolVar(&operator, "operator", false, "write PrometheusRule objects, for prometheus-operator")
	cmd.Flags().BoolVar(&fast, "fast", false, "errors over 10s, latency over 30s, for agents that scrape every second")
	return cmd
}

func (a *app) writeRules(files map[string][]byte, dir string) error {
	names := slices.Sorted(maps.Keys(files))
	if dir == "" {
		for _, name := range names {
			if _, err := fmt.Fprintf(a.out, "---\n# %s\n%s", name, files[name]); err != nil {
				return err
			}
		}
		return nil
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	for _, name := range names {
		file := filepath.Join(dir, name)
		if err := a.writeFile(file, files[name]); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(a.out, file); err != nil {
			return err
		}
	}
	return nil
}

func newRulesValues(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "values",
		Short:   "Print the default values, with comments",
		Example: "  leeway rules values > values.yaml",
		Args:    exactArgs(0),
		RunE: func(*cobra.Command, []string) error {
			_, err := a.out.Write(rules.DefaultValues)
			return err
		},
	}
}
