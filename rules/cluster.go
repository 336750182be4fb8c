package rules

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"

	"github.com/leeway-dev/leeway/rules/promapi"
)

// ForCluster makes rule files for one cluster of those that a server holds: every
// selector gets the matchers, every result their labels. Without that the models
// of one name in two clusters would be added up, and an alert would not say whose
// it is.
func ForCluster(files map[string][]byte, matchers []*labels.Matcher) (map[string][]byte, error) {
	for _, m := range matchers {
		if m.Type != labels.MatchEqual {
			return nil, fmt.Errorf("%s: rules are for one cluster, so name it: %s=\"…\"", m, m.Name)
		}
	}
	out := map[string][]byte{}
	for _, name := range sortedKeys(files) {
		var doc yaml.Node
		if err := yaml.Unmarshal(files[name], &doc); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if err := narrow(&doc, matchers); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		var b bytes.Buffer
		enc := yaml.NewEncoder(&b)
		enc.SetIndent(2)
		if err := enc.Encode(&doc); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out[name] = b.Bytes()
	}
	return out, Check(out)
}

// narrow walks to the rules: the mappings that have an expr.
func narrow(n *yaml.Node, matchers []*labels.Matcher) error {
	if expr := field(n, "expr"); expr != nil {
		return narrowRule(n, expr, matchers)
	}
	for _, child := range n.Content {
		if err := narrow(child, matchers); err != nil {
			return err
		}
	}
	return nil
}

func narrowRule(rule, expr *yaml.Node, matchers []*labels.Matcher) error {
	narrowed, err := promapi.Narrow(expr.Value, matchers)
	if err != nil {
		return fmt.Errorf("line %d: %w", expr.Line, err)
	}
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(narrowed)
	if err != nil {
		return fmt.Errorf("line %d: %w", expr.Line, err)
	}
	expr.Value, expr.Style = parsed.Pretty(0), yaml.LiteralStyle
	set := field(rule, "labels")
	if set == nil {
		set = &yaml.Node{Kind: yaml.MappingNode}
		rule.Content = append(rule.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: "labels"}, set)
	}
	var inText strings.Builder // for the queries in annotations, which are strings in a template
	for _, m := range matchers {
		set.Content = append(set.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: m.Name},
			&yaml.Node{Kind: yaml.ScalarNode, Value: m.Value, Style: yaml.DoubleQuotedStyle})
		fmt.Fprintf(&inText, `%s=\"%s\",`, m.Name, strings.Trim(strconv.Quote(m.Value), `"`))
	}
	if texts := field(rule, "annotations"); texts != nil {
		for _, text := range texts.Content {
			text.Value = strings.ReplaceAll(text.Value, "{namespace=%q", "{"+inText.String()+"namespace=%q")
		}
	}
	return nil
}

// field is the value of a key in a mapping; nil without one.
func field(n *yaml.Node, key string) *yaml.Node {
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				return n.Content[i+1]
			}
		}
	}
	return nil
}

// Operator wraps rule files into PrometheusRule objects, one a file: together
// they would be too long for the annotation in which kubectl keeps what it
// applied.
func Operator(files map[string][]byte) map[string][]byte {
	out := map[string][]byte{}
	for name, data := range files {
		topic, _, _ := strings.Cut(name, ".")
		var b bytes.Buffer
		fmt.Fprintf(&b, `apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: leeway-%s
  labels: {app.kubernetes.io/part-of: leeway}
spec:
`, topic)
		for line := range strings.Lines(string(data)) {
			b.WriteString(strings.TrimRight("  "+line, " \n") + "\n")
		}
		out["prometheusrule-"+topic+".yaml"] = b.Bytes()
	}
	return out
}
