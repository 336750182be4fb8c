package lint

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/leeway-dev/leeway/rules"
)

// lookback is for how long an instant selector sees a sample.
const lookback = 5 * time.Minute

type linter struct {
	options  Options
	rules    []ruleAt
	records  map[string][]ruleAt     // by what they record
	metrics  map[string]rules.Metric // by the name of a series
	drift    map[string]bool         // records that a drift alert rests on
	busy     map[string]bool         // records that are being looked at: they may refer to themselves
	sets     map[string]labelSet     // of records that were
	ranges   map[string]bounds
	findings []Finding
}

func newLinter(files map[string][]byte, o Options) *linter {
	l := &linter{options: o, records: map[string][]ruleAt{}, metrics: map[string]rules.Metric{}, drift: map[string]bool{}, busy: map[string]bool{},
		sets: map[string]labelSet{}, ranges: map[string]bounds{}}
	for _, m := range rules.Catalogue() {
		if m.Kind != "histogram" {
			l.metrics[m.Name] = m
			continue
		}
		l.metrics[m.Name] = m // native
		for _, suffix := range []string{"_count", "_sum", "_bucket"} {
			series := m
			if suffix == "_bucket" {
				series.Labels = append(slices.Clone(m.Labels), "le")
			}
			l.metrics[m.Name+suffix] = series
		}
	}
	for _, name := range sortedKeys(files) {
		l.rules = append(l.rules, parse(name, files[name])...)
	}
	for _, r := range l.rules {
		if !r.alert {
			l.records[r.name] = append(l.records[r.name], r)
		}
	}
	for _, r := range l.rules {
		if r.alert && strings.HasSuffix(r.labels["leeway_cause"], "_drift") {
			l.restsOn(r.expr)
		}
	}
	return l
}

// restsOn notes what a drift alert reads, and what that reads.
func (l *linter) restsOn(e parser.Expr) {
	for _, s := range selectors(e) {
		if l.drift[s.Name] {
			continue
		}
		l.drift[s.Name] = true
		for _, r := range l.records[s.Name] {
			l.restsOn(r.expr)
		}
	}
}

func selectors(e parser.Expr) (found []*parser.VectorSelector) {
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok {
			found = append(found, s)
		}
		return nil
	})
	return found
}

func (l *linter) found(r ruleAt, line int, check string, severity Severity, do, format string, args ...any) {
	l.findings = append(l.findings, Finding{
		File: r.file, Line: line, Group: r.group, Rule: r.name, Check: check, Severity: severity, Do: do, Message: fmt.Sprintf(format, args...),
	})
}

// series are the labels of a metric or of a recorded series.
func (l *linter) series(name string) labelSet {
	if m, ok := l.metrics[name]; ok {
		return knownSet(m.Labels...).and(rules.TargetLabels(m.From)...).and(l.options.Labels...)
	}
	if s, ok := l.sets[name]; ok {
		return s
	}
	records := l.records[name]
	if len(records) == 0 || l.busy[name] {
		return labelSet{}
	}
	l.busy[name] = true
	defer delete(l.busy, name)
	out := knownSet(l.options.Labels...)
	for _, r := range records {
		out = out.or(l.labelsOf(r.expr).and(sortedKeys(r.labels)...))
	}
	l.sets[name] = out
	return out
}

func (l *linter) check(r ruleAt) {
	l.checkSelectors(r)
	l.checkGrouping(r)
	l.checkRanges(r)
	if r.alert {
		l.checkCause(r)
		l.checkTemplates(r)
		l.checkFires(r)
	}
}

// ours says that a name can only be one of Leeway's.
func ours(name string) bool {
	return strings.HasPrefix(name, "leeway_") || strings.HasPrefix(name, "leeway:")
}

func (l *linter) checkSelectors(r ruleAt) {
	for _, s := range selectors(r.expr) {
		_, exported := l.metrics[s.Name]
		if !exported && len(l.records[s.Name]) == 0 {
			if near := l.nearest(s.Name); near != "" {
				l.found(r, r.at(s), "metric", Error, "is it "+near+"?", "nothing exports or records %s", s.Name)
			} else if ours(s.Name) {
				l.found(r, r.at(s), "metric", Error, "record it in one of these files, or check them together with the file that does", "nothing exports or records %s", s.Name)
			}
			continue
		}
		have := l.series(s.Name)
		for _, m := range s.LabelMatchers {
			switch {
			case m.Name == labels.MetricName:
			case !have.has(m.Name) && !m.Matches(""):
				l.found(r, r.at(s), "label", Error, "it has "+strings.Join(have.labels, ", ")+"; if your server adds this one, check with --label "+m.Name,
					"%s has no label %s: %s matches nothing", s.Name, m.Name, m)
			case !someValue(m):
				l.found(r, r.at(s), "label", Error, "its values are "+strings.Join(rules.LabelValues(m.Name), ", "), "%s matches no value of %s", m, m.Name)
			}
		}
		if why := contradictory(s.LabelMatchers); why != "" {
			l.found(r, r.at(s), "never", Error, "keep one of them", "the matchers %s of %s contradict each other: it selects nothing", why, s.Name)
		}
	}
}

// someValue says that a matcher takes one of the values that its label can have,
// where those are known.
func someValue(m *labels.Matcher) bool {
	values := rules.LabelValues(m.Name)
	return len(values) == 0 || m.Matches("") || slices.ContainsFunc(values, m.Matches)
}

// contradictory names matchers of which one wants exactly what another refuses.
func contradictory(matchers []*labels.Matcher) string {
	for _, a := range matchers {
		for _, b := range matchers {
			if a.Type == labels.MatchEqual && a.Name == b.Name && !b.Matches(a.Value) {
				return a.String() + " and " + b.String()
			}
		}
	}
	return ""
}

// checkGrouping finds labels that are grouped or matched by and that no series
// has: the grouping is then not the one that is written there.
func (l *linter) checkGrouping(r ruleAt) {
	parser.Inspect(r.expr, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.AggregateExpr:
			if have := l.labelsOf(n.Expr); !n.Without {
				l.lacks(r, n, n.Grouping, have, "by")
			}
		case *parser.BinaryExpr:
			if m := n.VectorMatching; m != nil && m.On {
				l.lacks(r, n, m.MatchingLabels, l.labelsOf(n.LHS).or(l.labelsOf(n.RHS)), "on")
			}
		}
		return nil
	})
}

func (l *linter) lacks(r ruleAt, n parser.Node, names []string, have labelSet, word string) {
	for _, name := range names {
		if !have.has(name) {
			l.found(r, r.at(n), "label", Warning, "there are "+strings.Join(have.labels, ", "), "%s (%s): no series here has that label", word, name)
		}
	}
}

var templateLabel = regexp.MustCompile(`\$labels\.([a-zA-Z_][a-zA-Z0-9_]*)`)

// checkTemplates finds labels in the texts of an alert that it does not have.
func (l *linter) checkTemplates(r ruleAt) {
	have := l.labelsOf(r.expr).and(sortedKeys(r.labels)...).and(l.options.Labels...)
	for _, name := range sortedKeys(r.annotations) {
		a := r.annotations[name]
		for _, m := range templateLabel.FindAllStringSubmatch(a.Value, -1) {
			if !have.has(m[1]) {
				l.found(r, a.Line, "label", Warning, "it has "+strings.Join(have.labels, ", "), "%s names the label %s, which the alert does not have", name, m[1])
			}
		}
	}
}

// nearest is a known name that differs by a letter or two.
func (l *linter) nearest(name string) string {
	if len(name) < 8 {
		return ""
	}
	best, least := "", 3
	for _, known := range slices.Concat(sortedKeys(l.metrics), sortedKeys(l.records)) {
		if d := distance(name, known, least); d < least {
			best, least = known, d
		}
	}
	return best
}

// distance is Levenshtein's, or limit where it is no less.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return min(row[len(b)], limit)
}
