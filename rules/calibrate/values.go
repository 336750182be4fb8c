package calibrate

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/leeway-dev/leeway/rules"
)

// Values writes a values file for leeway rules render: what was measured as
// comments, and what follows from it for the rules as values. It depends on
// nothing but the report and the values that it starts from.
func (r Report) Values(base rules.Values) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Measured from %s to %s by leeway rules calibrate.\n# Look through it, then: leeway rules render -f FILE\n", stamp(r.From), stamp(r.To))
	var known []float64
	for _, v := range r.Versions {
		v.comment(&b, base)
		for _, c := range v.Columns {
			if phi, ok := c.Clustering[day]; ok && !c.Slow {
				known = append(known, phi)
			}
		}
	}
	b.WriteString("#\n")
	r.clustering(&b, known, base)
	r.errors(&b, base)
	r.latency(&b, base)
	return b.Bytes()
}

// clustering is what is assumed of columns until theirs is measured.
func (r Report) clustering(b *bytes.Buffer, known []float64, base rules.Values) {
	if len(known) == 0 {
		fmt.Fprintf(b, "# No column has five days of history yet: of the clustering nothing is known, and\n# it is assumed to be %g.\nclustering: {assumed: %g}\n", base.Clustering.Assumed, base.Clustering.Assumed)
		return
	}
	assumed := math.Ceil(max(quantile(known, 0.9), 1))
	fmt.Fprintf(b, `# What is assumed of a new column until its own is measured: nine of ten columns
# here are less clustered over a day.
clustering: {assumed: %g}
`, assumed)
}

// errors raises the most that counts as a version's own past, where it is more.
func (r Report) errors(b *bytes.Buffer, base rules.Values) {
	worst, who := 0.0, Version{}
	for _, v := range r.Versions {
		if v.Errors > worst {
			worst, who = v.Errors, v
		}
	}
	if worst > base.Errors.MaxBaseline {
		fmt.Fprintf(b, `# %s/%s version %s answers %.2g %% of its requests with an error at all times, more
# than the %g %% that count as a version's own past: LeewayErrors would not end.
# Put that right or, if it is meant to be so, take the # away.
# errors: {maxBaseline: %.2g}
`, who.Namespace, who.Model, who.Version, 100*worst, 100*base.Errors.MaxBaseline, 1.5*worst)
	}
}

// latency asks for a margin where the p99 moves by more than the rule allows for.
func (r Report) latency(b *bytes.Buffer, base rules.Values) {
	margin, who := 0.0, Version{}
	for _, v := range r.Versions {
		allowed := max(base.Latency.Factor*v.P99, v.P99+time.Duration(base.Latency.Margin).Seconds())
		if over := v.WorstP99 - v.P99; v.WorstP99 > allowed && over > margin {
			margin, who = over, v
		}
	}
	if margin > 0 {
		d := time.Duration(math.Ceil(margin*1000)) * time.Millisecond
		fmt.Fprintf(b, `# The p99 of %s/%s version %s is beyond what is allowed in one hour of twenty.
latency: {margin: %s}
`, who.Namespace, who.Model, who.Version, rules.Duration(d))
	}
}

func (v Version) comment(b *bytes.Buffer, base rules.Values) {
	fmt.Fprintf(b, "#\n# %s/%s version %s: %d hours, %.0f requests an hour, %.3g %% errors (%.3g %% in the worst hour of a hundred),\n# p99 %s (%s in one hour of twenty)\n",
		v.Namespace, v.Model, v.Version, v.Hours, v.Requests, 100*v.Errors, 100*v.WorstHour, seconds(v.P99), seconds(v.WorstP99))
	if len(v.Columns) == 0 {
		b.WriteString("#   no columns: it has no reference, or was not observed\n")
		return
	}
	fmt.Fprintf(b, "#   %-28s %8s %8s %8s %8s  %s\n", "column", "φ 1h", "φ 6h", "φ 12h", "φ 24h", "effective rows of 1h and 24h")
	for _, c := range v.Columns {
		fmt.Fprintf(b, "#   %-28s", strings.ReplaceAll(c.Name, "\n", " "))
		for _, w := range Windows() {
			phi, ok := c.Clustering[w]
			if !ok {
				fmt.Fprintf(b, " %8s", "–")
				continue
			}
			fmt.Fprintf(b, " %8.1f", phi)
		}
		fmt.Fprintf(b, "  %.0f, %.0f%s\n", c.Effective(hour), c.Effective(day), c.remark(base))
	}
}

// remark says what the rules can't tell of a column.
func (c Column) remark(base rules.Values) string {
	if c.Slow {
		return "; slow: φ still grows with the window, so no window up to a day tells drift from weather: unknown"
	}
	var short []string
	for _, k := range []struct {
		name string
		rules.Clock
	}{{"page", base.Clocks.Page}, {"act", base.Clocks.Act}} {
		var longest rules.Duration // of those that are measured
		for _, w := range k.Windows {
			if _, ok := c.Clustering[w]; ok {
				longest = max(longest, w)
			}
		}
		if longest > 0 && k.Enabled && c.Effective(longest) < k.MinEffectiveRows {
			short = append(short, fmt.Sprintf("%s (%s wants %.0f)", k.name, longest, k.MinEffectiveRows))
		}
	}
	switch {
	case len(short) > 0:
		return "; too few rows for " + strings.Join(short, " and ") + ": unknown"
	case len(c.Clustering) == 0:
		return "; less than two days of history: not known yet"
	}
	return ""
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }

func seconds(x float64) string {
	if math.IsNaN(x) {
		return "unknown"
	}
	return (time.Duration(x*1e6) * time.Microsecond).String()
}
