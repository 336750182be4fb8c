package lint

import (
	"slices"

	"github.com/prometheus/prometheus/promql/parser"
)

// labelSet is what is known of the labels of a result. A set that is not known
// may have any label; of a known one, extra may or may not be there.
type labelSet struct {
	known  bool
	labels []string // sorted
}

func knownSet(labels ...string) labelSet {
	s := slices.Clone(labels)
	slices.Sort(s)
	return labelSet{known: true, labels: slices.Compact(s)}
}

func (s labelSet) has(label string) bool { return !s.known || slices.Contains(s.labels, label) }

func (s labelSet) and(more ...string) labelSet {
	if !s.known {
		return s
	}
	return knownSet(append(slices.Clone(s.labels), more...)...)
}

func (s labelSet) only(names []string) labelSet {
	var kept []string
	for _, n := range names {
		if s.has(n) {
			kept = append(kept, n)
		}
	}
	return knownSet(kept...)
}

func (s labelSet) without(names []string) labelSet {
	if !s.known {
		return s
	}
	return knownSet(slices.DeleteFunc(slices.Clone(s.labels), func(l string) bool { return slices.Contains(names, l) })...)
}

func (s labelSet) or(t labelSet) labelSet {
	if !s.known || !t.known {
		return labelSet{}
	}
	return s.and(t.labels...)
}

// labelsOf says which labels the series of a result can have.
func (l *linter) labelsOf(e parser.Expr) labelSet {
	switch e := e.(type) {
	case *parser.VectorSelector:
		return l.series(e.Name)
	case *parser.MatrixSelector:
		return l.labelsOf(e.VectorSelector)
	case *parser.SubqueryExpr:
		return l.labelsOf(e.Expr)
	case *parser.ParenExpr:
		return l.labelsOf(e.Expr)
	case *parser.StepInvariantExpr:
		return l.labelsOf(e.Expr)
	case *parser.UnaryExpr:
		return l.labelsOf(e.Expr)
	case *parser.NumberLiteral, *parser.StringLiteral:
		return knownSet()
	case *parser.AggregateExpr:
		return l.labelsOfAggregate(e)
	case *parser.BinaryExpr:
		return l.labelsOfBinary(e)
	case *parser.Call:
		return l.labelsOfCall(e)
	}
	return labelSet{}
}

func (l *linter) labelsOfAggregate(e *parser.AggregateExpr) labelSet {
	s := l.labelsOf(e.Expr)
	switch {
	case e.Op == parser.TOPK || e.Op == parser.BOTTOMK || e.Op == parser.LIMITK || e.Op == parser.LIMIT_RATIO:
		return s // these choose series, and change none
	case e.Without:
		s = s.without(e.Grouping)
	default:
		s = s.only(e.Grouping)
	}
	if e.Op == parser.COUNT_VALUES {
		if name, ok := e.Param.(*parser.StringLiteral); ok {
			s = s.and(name.Val)
		}
	}
	return s
}

func (l *linter) labelsOfBinary(e *parser.BinaryExpr) labelSet {
	left, right := l.labelsOf(e.LHS), l.labelsOf(e.RHS)
	m := e.VectorMatching
	switch {
	case m == nil && e.LHS.Type() == parser.ValueTypeScalar:
		return right
	case m == nil:
		return left
	case e.Op == parser.LOR:
		return left.or(right)
	case e.Op.IsSetOperator():
		return left
	case m.Card == parser.CardManyToOne:
		return left.and(m.Include...)
	case m.Card == parser.CardOneToMany:
		return right.and(m.Include...)
	case e.Op.IsComparisonOperator() && !e.ReturnBool:
		return left
	case m.On:
		return left.only(m.MatchingLabels)
	}
	return left.without(m.MatchingLabels)
}

func (l *linter) labelsOfCall(e *parser.Call) labelSet {
	switch e.Func.Name {
	case "vector", "scalar", "time", "pi":
		return knownSet()
	case "absent", "absent_over_time", "label_join", "info":
		return labelSet{}
	case "label_replace":
		if name, ok := e.Args[1].(*parser.StringLiteral); ok {
			return l.labelsOf(e.Args[0]).and(name.Val)
		}
		return labelSet{}
	case "histogram_quantile":
		return l.labelsOf(e.Args[1]).without([]string{"le"})
	}
	for _, a := range e.Args {
		if t := a.Type(); t == parser.ValueTypeVector || t == parser.ValueTypeMatrix {
			return l.labelsOf(a)
		}
	}
	return knownSet()
}
