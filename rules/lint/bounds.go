package lint

import (
	"math"

	"github.com/prometheus/prometheus/promql/parser"
)

// bounds between which every value of a result lies (NaN aside). empty says that
// there can be no value at all; why names the part that makes it so.
type bounds struct {
	low, high float64
	empty     bool
	why       parser.Node
}

var anything = bounds{low: math.Inf(-1), high: math.Inf(1)}

func (l *linter) boundsOf(e parser.Expr) bounds {
	switch e := e.(type) {
	case *parser.NumberLiteral:
		return bounds{low: e.Val, high: e.Val}
	case *parser.ParenExpr:
		return l.boundsOf(e.Expr)
	case *parser.StepInvariantExpr:
		return l.boundsOf(e.Expr)
	case *parser.SubqueryExpr:
		return l.boundsOf(e.Expr)
	case *parser.MatrixSelector:
		return l.boundsOf(e.VectorSelector)
	case *parser.UnaryExpr:
		b := l.boundsOf(e.Expr)
		if e.Op == parser.SUB {
			b.low, b.high = -b.high, -b.low
		}
		return b
	case *parser.VectorSelector:
		return l.boundsOfSeries(e)
	case *parser.AggregateExpr:
		return l.boundsOfAggregate(e)
	case *parser.Call:
		return l.boundsOfCall(e)
	case *parser.BinaryExpr:
		return l.boundsOfBinary(e)
	}
	return anything
}

func (l *linter) boundsOfSeries(e *parser.VectorSelector) bounds {
	b := anything
	if contradictory(e.LabelMatchers) != "" {
		return bounds{low: b.low, high: b.high, empty: true, why: e}
	}
	if m, ok := l.metrics[e.Name]; ok {
		b.low = 0
		if m.Max > 0 {
			b.high = m.Max
		}
		return b
	}
	if b, ok := l.ranges[e.Name]; ok {
		return b
	}
	records := l.records[e.Name]
	if len(records) == 0 || l.busy[e.Name] {
		return b
	}
	l.busy[e.Name] = true
	defer delete(l.busy, e.Name)
	var out bounds
	for i, r := range records {
		x := l.boundsOf(r.expr)
		if i == 0 {
			out = x
		} else {
			out = bounds{low: min(out.low, x.low), high: max(out.high, x.high), empty: out.empty && x.empty}
		}
	}
	out.why = nil // a part of another rule
	l.ranges[e.Name] = out
	return out
}

func (l *linter) boundsOfAggregate(e *parser.AggregateExpr) bounds {
	b := l.boundsOf(e.Expr)
	switch e.Op {
	case parser.SUM:
		b.low, b.high = sumBound(b.low), sumBound(b.high)
	case parser.COUNT, parser.GROUP:
		b.low, b.high = 1, math.Inf(1)
		if e.Op == parser.GROUP {
			b.high = 1
		}
	case parser.COUNT_VALUES, parser.STDDEV, parser.STDVAR:
		b.low, b.high = 0, math.Inf(1)
	}
	return b
}

// sumBound is the bound of a sum of any number of values with this bound.
func sumBound(x float64) float64 {
	if x == 0 {
		return 0
	}
	return math.Copysign(math.Inf(1), x)
}

func (l *linter) boundsOfCall(e *parser.Call) bounds {
	args := make([]bounds, len(e.Args))
	var empty bounds
	for i, a := range e.Args {
		args[i] = l.boundsOf(a)
		if args[i].empty && e.Func.Name != "absent" && e.Func.Name != "absent_over_time" {
			empty = args[i]
		}
	}
	b := boundsOfFunction(e.Func.Name, args)
	b.empty, b.why = empty.empty, empty.why
	return b
}

func boundsOfFunction(name string, args []bounds) bounds {
	positive := bounds{low: 0, high: math.Inf(1)}
	switch name {
	case "rate", "increase", "irate", "count_over_time", "changes", "resets", "stddev_over_time", "stdvar_over_time", "exp", "time":
		return positive
	case "sum_over_time":
		return bounds{low: sumBound(args[0].low), high: sumBound(args[0].high)}
	case "avg_over_time", "min_over_time", "max_over_time", "last_over_time", "first_over_time", "vector", "scalar", "sort", "sort_desc", "label_replace":
		return bounds{low: args[0].low, high: args[0].high}
	case "quantile_over_time":
		return bounds{low: args[1].low, high: args[1].high}
	case "histogram_quantile", "abs":
		return positive
	case "present_over_time", "absent", "absent_over_time":
		return bounds{low: 1, high: 1}
	case "sqrt":
		return bounds{low: 0, high: math.Sqrt(max(args[0].high, 0))}
	case "clamp_min":
		return bounds{low: max(args[0].low, args[1].low), high: max(args[0].high, args[1].high)}
	case "clamp_max":
		return bounds{low: min(args[0].low, args[1].low), high: min(args[0].high, args[1].high)}
	case "sgn":
		return bounds{low: -1, high: 1}
	}
	return anything
}

func (l *linter) boundsOfBinary(e *parser.BinaryExpr) bounds {
	a, b := l.boundsOf(e.LHS), l.boundsOf(e.RHS)
	switch e.Op {
	case parser.LOR:
		return bounds{low: min(a.low, b.low), high: max(a.high, b.high), empty: a.empty && b.empty, why: a.why}
	case parser.LUNLESS:
		return a
	}
	for _, x := range []bounds{a, b} {
		if x.empty {
			return x
		}
	}
	if e.Op == parser.LAND {
		return a
	}
	if e.Op.IsComparisonOperator() {
		return compare(e, a, b)
	}
	switch e.Op {
	case parser.ADD:
		return bounds{low: a.low + b.low, high: a.high + b.high}.orAnything()
	case parser.SUB:
		return bounds{low: a.low - b.high, high: a.high - b.low}.orAnything()
	case parser.MUL, parser.DIV, parser.POW:
		if a.low >= 0 && b.low >= 0 {
			out := bounds{low: 0, high: math.Inf(1)}
			if e.Op == parser.MUL && !math.IsInf(a.high, 1) && !math.IsInf(b.high, 1) {
				out.high = a.high * b.high
			}
			return out
		}
	}
	return anything
}

func (b bounds) orAnything() bounds {
	if math.IsNaN(b.low) || math.IsNaN(b.high) {
		return anything
	}
	return b
}

// compare says which values pass a comparison.
func compare(e *parser.BinaryExpr, a, b bounds) bounds {
	if e.ReturnBool {
		return bounds{low: 0, high: 1}
	}
	never := false
	switch e.Op {
	case parser.GTR:
		never = a.high <= b.low
	case parser.GTE:
		never = a.high < b.low
	case parser.LSS:
		never = a.low >= b.high
	case parser.LTE:
		never = a.low > b.high
	case parser.EQLC:
		never = a.low > b.high || a.high < b.low
	case parser.NEQ:
		never = a.low == a.high && b.low == b.high && a.low == b.low
	}
	out := a
	if e.LHS.Type() == parser.ValueTypeScalar {
		out = b
	}
	if never {
		out.empty, out.why = true, e
	}
	return out
}
