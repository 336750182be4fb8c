package lint

import (
	"regexp"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"
)

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
