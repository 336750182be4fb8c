package lint

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
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
		if r.alert && r.labels["leeway_clock"] != "" {
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
			case m.Name == model.MetricNameLabel:
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
