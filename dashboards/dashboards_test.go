package dashboards_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/leeway-dev/leeway/dashboards"
	"github.com/leeway-dev/leeway/rules"
)

// exports says that one of Leeway's programs exports a series.
func exports(series string) bool {
	return series == "ALERTS" || slices.ContainsFunc(rules.Catalogue(), func(m rules.Metric) bool {
		suffix, ok := strings.CutPrefix(series, m.Name)
		return ok && (suffix == "" || m.Kind == "histogram" && slices.Contains([]string{"_bucket", "_count", "_sum"}, suffix))
	})
}

// expressions finds every expr in a dashboard.
func expressions(v any) (found []string) {
	switch v := v.(type) {
	case map[string]any:
		for key, x := range v {
			if s, ok := x.(string); ok && key == "expr" {
				found = append(found, s)
			}
			found = append(found, expressions(x)...)
		}
	case []any:
		for _, x := range v {
			found = append(found, expressions(x)...)
		}
	}
	return found
}

func TestExpressions(t *testing.T) {
	files, err := dashboards.Files("1h")
	if err != nil {
		t.Fatal(err)
	}
	recorded := recordedNames(t)
	for name, b := range files {
		var d any
		if err := json.Unmarshal(b, &d); err != nil {
			t.Fatal(err)
		}
		found := expressions(d)
		if len(found) < 8 {
			t.Errorf("%s has only %d expressions", name, len(found))
		}
		for _, expr := range found {
			parsed, err := parser.NewParser(parser.Options{}).ParseExpr(strings.ReplaceAll(expr, "$__rate_interval", "1m"))
			if err != nil {
				t.Errorf("%s: %s: %v", name, expr, err)
				continue
			}
			parser.Inspect(parsed, func(n parser.Node, _ []parser.Node) error {
				if s, ok := n.(*parser.VectorSelector); ok && !exports(s.Name) && !slices.Contains(recorded, s.Name) {
					t.Errorf("%s: nothing exports %s", name, s.Name)
				}
				return nil
			})
		}
	}
}

// recordedNames are the names that the shipped rules record.
func recordedNames(t *testing.T) (names []string) {
	t.Helper()
	files, err := rules.Render(rules.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	record := regexp.MustCompile(`(?m)^\s*- record: (\S+)`)
	for _, b := range files {
		for _, m := range record.FindAllSubmatch(b, -1) {
			names = append(names, string(m[1]))
		}
	}
	if len(names) < 10 {
		t.Fatalf("the shipped rules record only %d names", len(names))
	}
	return names
}

// Every panel says what it shows and in which unit, as people read them at night.
func TestPanelsExplainThemselves(t *testing.T) {
	files, err := dashboards.Files("1h")
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range files {
		var d struct {
			Panels []struct {
				Type, Title, Description string
				FieldConfig              struct{ Defaults struct{ Unit string } }
			}
		}
		if err := json.Unmarshal(b, &d); err != nil {
			t.Fatal(err)
		}
		for _, p := range d.Panels {
			if p.Type != "row" && (p.Title == "" || p.Description == "" || p.FieldConfig.Defaults.Unit == "") {
				t.Errorf("%s: panel %q lacks a title, a description or a unit", name, p.Title)
			}
		}
	}
}
