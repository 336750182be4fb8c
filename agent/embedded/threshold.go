package embedded

import (
	"github.com/prometheus/prometheus/promql/parser"
)

// Threshold is what an alert's value is held against: both sides of the first
// comparison of its expression.
type Threshold struct {
	Alert  string
	Labels map[string]string // that the rule adds
	// Value and Limit are PromQL; Above says that the alert is for values above.
	Value, Limit string
	Above        bool
}

// Thresholds of the alerting rules, as far as their expressions compare.
func (r *Replay) Thresholds() []Threshold {
	var list []Threshold
	for _, g := range r.groups {
		for _, a := range g.AlertingRules() {
			if c := comparison(a.Query()); c != nil {
				list = append(list, Threshold{
					Alert: a.Name(), Labels: a.Labels().Map(), Value: c.LHS.String(), Limit: c.RHS.String(),
					Above: c.Op == parser.GTR || c.Op == parser.GTE,
				})
			}
		}
	}
	return list
}

// comparison is the first one: conditions that are added by "and", "or" and
// "unless" stand behind it.
func comparison(e parser.Expr) *parser.BinaryExpr {
	switch e := e.(type) {
	case *parser.ParenExpr:
		return comparison(e.Expr)
	case *parser.StepInvariantExpr:
		return comparison(e.Expr)
	case *parser.BinaryExpr:
		switch {
		case e.Op.IsComparisonOperator() && !e.ReturnBool && e.Op != parser.EQLC && e.Op != parser.NEQ:
			return e
		case e.Op.IsSetOperator():
			return comparison(e.LHS)
		}
	}
	return nil
}
