package rules

import (
	"fmt"
	"os"
	"strings"
)

// alertRule puts together what every alert has.
type alertRule struct {
	name, cause, clock, severity string
	window, hold                 Duration
	extra                        []pair
	comment, expr                string
	summary, description         string
	// threshold is a template for the most at which the rule is quiet, "" where
	// there is no such number.
	threshold string
	noModel   bool // it is about none, so no model's dashboard shows it
}

// rule adds labels, and the annotations that point to the runbook and to the
// model's dashboard.
func (a alertRule) rule(v Values) rule {
	r := rule{comment: a.comment, alert: a.name, expr: a.expr, hold: a.hold}
	if a.cause != "" {
		r.labels = append(r.labels, pair{"leeway_cause", a.cause})
	}
	if a.clock != "" {
		r.labels = append(r.labels, pair{"leeway_clock", a.clock})
	}
	r.labels = append(r.labels, pair{"leeway_window", a.window.String()})
	r.labels = append(r.labels, a.extra...)
	r.labels = append(r.labels, pair{"severity", a.severity})
	for _, name := range sortedKeys(v.Labels) {
		r.labels = append(r.labels, pair{name, v.Labels[name]})
	}
	r.annotations = []pair{{"summary", a.summary}, {"description", a.description}}
	if a.threshold != "" {
		r.annotations = append(r.annotations, pair{"threshold", a.threshold})
	}
	if v.RunbookURL != "" {
		r.annotations = append(r.annotations, pair{"runbook_url", v.RunbookURL + "#" + strings.ToLower(a.name)})
	}
	if v.DashboardURL != "" && !a.noModel {
		r.annotations = append(r.annotations, pair{"dashboard_url", v.DashboardURL +
			"?var-namespace={{ $labels.namespace | urlquery }}&var-model={{ $labels.model_name | urlquery }}"})
	}
	return r
}

// subject names the version in a summary, and modelSubject the model where the
// alert is about no version.
const (
	subject      = "{{ $labels.model_name }} version {{ $labels.model_version }} in {{ $labels.namespace }}"
	modelSubject = "{{ $labels.model_name }} in {{ $labels.namespace }}"
)

// value is a template that looks up a recorded series of the alert's own
// model (and column) and prints it; "unknown" when there is none.
func value(series, label, format string) string {
	names := []string{"namespace", "model_name", "model_version"}
	if label != "" {
		names = append(names, label)
	}
	return valueOf(series, format, names...)
}

// valueOf is value for the labels that are named.
func valueOf(series, format string, names ...string) string {
	matchers, args := make([]string, len(names)), make([]string, len(names))
	for i, name := range names {
		matchers[i], args[i] = name+"=%q", "$labels."+name
	}
	return fmt.Sprintf(`{{ with printf "%s{%s}" %s | query }}{{ . | first | value | %s }}{{ else }}unknown{{ end }}`,
		series, strings.Join(matchers, ","), strings.Join(args, " "), format)
}

// limit is a template that looks up the most at which an alert is quiet: an
// expression of recorded series of the alert's own model. of names the labels that
// a series has beside the version's. Nothing is printed when there is no such number.
func limit(t text, expr string, of map[string][]string) string {
	var args []string
	expr = os.Expand(expr, func(name string) string {
		series := t.names[name]
		if !strings.Contains(series, ":") {
			return series
		}
		var matchers []string
		for _, label := range append([]string{"namespace", "model_name", "model_version"}, of[name]...) {
			matchers, args = append(matchers, label+"=%q"), append(args, "$labels."+label)
		}
		return series + "{" + strings.Join(matchers, ",") + "}"
	})
	return fmt.Sprintf(`{{ with printf "%s" %s | query }}{{ . | first | value | printf "%%.6g" }}{{ end }}`, expr, strings.Join(args, " "))
}

// BinaryRows are the fewest effective rows of a binary column, however few other
// columns need: the counts of a rare bin among fewer are far from what G takes them
// for, and a version whose training rows hold few of it by chance would alarm.
const BinaryRows = 100

func driftAlert(v Values, t text, r Rung) rule {
	t.with("floor", number(t.floor)).with("binary", number(t.binary)).with("minRows", number(r.MinEffectiveRows))
	expr := t.sprint(`$z > on ($K) group_left () $c
and
(
  $j > $floor
  or
  $j > $binary and on ($F) $plain <= 2
)
and
$E >= $minRows`)
	switch {
	case t.factor > 0:
		t.with("factor", number(t.factor))
		expr = t.sprint("$z > $c\nand\n$wrong > $factor * $registered\nand\n$E >= $minRows")
	case t.binary >= t.floor:
		expr = t.sprint("$z > on ($K) group_left () $c\nand\n$j > $floor\nand\n$E >= $minRows")
	}
	if t.factor == 0 && r.MinEffectiveRows < BinaryRows {
		t.with("binaryRows", number(BinaryRows))
		expr += t.sprint("\nunless on ($F)\n($plain <= 2 and on ($F) $E < $binaryRows)")
	}
	if r.LastWeek {
		t.with("enough", number(enough))
		expr += t.sprint(`
unless on ($F)
(
  $weekZ <= on ($K) group_left () $c
  and on ($F)
  $N offset 7d > $enough * $N
)`)
	}
	alert := alertRule{name: t.alert, cause: t.cause, clock: r.Name, severity: r.Severity, window: r.Window, hold: r.For, expr: expr, threshold: limit(t, "$c", nil)}
	alert.summary, alert.description = driftSaid(t, r)
	if t.factor > 0 {
		alert.extra = []pair{{"metric", "error_rate"}}
	}
	return alert.rule(v)
}

func driftSaid(t text, r Rung) (summary, description string) {
	effective, rows := value(t.names["E"], t.label, `printf "%.0f"`), value(t.names["N"], t.label, `printf "%.0f"`)
	allowed := fmt.Sprintf("z {{ $value | printf \"%%.1f\" }} where %s is allowed.", value(t.names["c"], "", `printf "%.1f"`))
	if t.factor > 0 {
		return fmt.Sprintf("The share of wrong answers of %s\nis %s over the last %s, where %s is its reference;\n%s",
				subject, value(t.names["wrong"], "", "humanizePercentage"), r.Window, value(t.names["registered"], "", "humanizePercentage"), allowed),
			fmt.Sprintf("%s effective labelled rows\n(%s rows) in %s were compared with the hold-out rows.\nInputs that did not change can't explain it: then what is predicted has changed.", effective, rows, r.Window)
	}
	return fmt.Sprintf("%s {{ $labels.%s }} of %s\nis not what it was trained on: distance %s\nover the last %s, %s",
			title(t.noun), t.label, subject, value(t.names["j"], t.label, `printf "%.3f"`), r.Window, allowed),
		fmt.Sprintf("%s effective rows\n(%s rows) in %s were compared with the training data.\nCompare the shares of the bins before anything else.", effective, rows, r.Window)
}

func unknownAlert(v Values, t text, r Rung) rule {
	t.with("minRows", number(r.MinEffectiveRows))
	expr := `count by ($K) (
  max by ($F) ($samples)
  unless on ($F)
  $E >= $minRows
)
and on ($K)
leeway_model_info`
	if t.factor > 0 { // that there are no labels at all is not news
		expr = `count by ($K) ($E < $minRows and $N > 0 and $registered)
and on ($K)
leeway_model_info`
	}
	return alertRule{
		name: "LeewayUnknown", clock: r.Name, severity: v.Unknown.Severity, window: r.Window, hold: r.Window,
		comment: "Below the minimum the state is unknown: neither healthy nor drifted.",
		extra:   []pair{{"columns", t.kind}},
		expr:    t.sprint(expr),
		summary: fmt.Sprintf("Whether %s drifted is unknown for {{ $value }} of its %ss:\nfewer than %s effective rows in %s.",
			subject, t.noun, number(r.MinEffectiveRows), r.Window),
		description: "Too little traffic for this window, or rows that come in large clusters.\nA longer window, or one allowed fewer rows, can tell more.",
	}.rule(v)
}

func title(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
