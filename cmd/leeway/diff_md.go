package main

import (
	"maps"
	"strings"

	"github.com/spf13/pflag"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/dvc"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// markdown is how "diff --md" prints; the flags are those of "dvc metrics diff".
type markdown struct {
	on, all, noPath bool
	precision       int
}

func (m *markdown) addFlags(fs *pflag.FlagSet) {
	fs.BoolVar(&m.on, "md", false, "print the metrics and the parameters as Markdown, as DVC does")
	fs.BoolVar(&m.all, "all", false, "with --md: unchanged ones too")
	fs.BoolVar(&m.noPath, "no-path", false, "with --md: leave out the column with the files")
	fs.IntVar(&m.precision, "precision", dvc.Precision, "with --md: digits of metrics after the point")
}

// report is both tables, as the two commands of DVC print them.
func (m markdown) report(from, to registry.Version, old, new string) string {
	o := dvc.TableOptions{Old: old, New: new, Precision: m.precision, NoPath: m.noPath}
	return dvc.MetricsTable(dvc.Diff(reported(from), reported(to), m.all), o) +
		dvc.ParamsTable(dvc.Diff(from.Spec.Params, to.Spec.Params, m.all), o)
}

// reported are a version's metrics with the files that they are from. Those that
// were given by hand are from none.
func reported(v registry.Version) map[string]v1alpha1.Value {
	all := maps.Clone(v.Spec.Reported)
	if all == nil {
		all = map[string]v1alpha1.Value{}
	}
	named := map[string]bool{}
	for name := range all {
		_, key, _ := strings.Cut(name, ":")
		named[key], named[name] = true, true
	}
	for name, value := range v.Spec.Metrics {
		if !named[name] {
			all[":"+name] = v1alpha1.Value(value)
		}
	}
	return all
}

func paramText(v dvc.Value) string {
	if v == nil {
		return ""
	}
	return dvc.Str(v)
}
