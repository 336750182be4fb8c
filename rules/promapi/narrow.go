package promapi

import (
	"errors"
	"fmt"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// ParseMatchers reads label matchers as PromQL has them between braces, with or
// without the braces: cluster="eu-1",env=~"prod|stage".
func ParseMatchers(s string) ([]*labels.Matcher, error) {
	if s == "" {
		return nil, nil
	}
	if s[0] != '{' {
		s = "{" + s + "}"
	}
	matchers, err := parser.NewParser(parser.Options{}).ParseMetricSelector(s)
	if err != nil {
		return nil, fmt.Errorf("matchers %s: %w", s, err)
	}
	for _, m := range matchers {
		switch {
		case m.Name == model.MetricNameLabel:
			return nil, errors.New("matchers: give labels, such as cluster=\"eu-1\", not a metric")
		case m.Matches(""):
			return nil, fmt.Errorf("matchers: %s also takes series without the label %s: say which cluster is ours", m, m.Name)
		}
	}
	return matchers, nil
}

// Narrow adds the matchers to every selector of an expression.
func Narrow(expr string, matchers []*labels.Matcher) (string, error) {
	if len(matchers) == 0 {
		return expr, nil
	}
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		return "", err
	}
	parser.Inspect(parsed, func(n parser.Node, _ []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok {
			s.LabelMatchers = append(s.LabelMatchers, matchers...)
		}
		return nil
	})
	return parsed.String(), nil
}
