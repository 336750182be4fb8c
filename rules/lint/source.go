package lint

import (
	"errors"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"
)

// ruleAt is a rule, and where it stands.
type ruleAt struct {
	file, group string
	interval    time.Duration // of the group
	hold        time.Duration
	name        string // of the series or the alert
	alert       bool
	line        int // of the rule
	exprLine    int // of the first line of the expression
	expr        parser.Expr
	text        string
	labels      map[string]string
	annotations map[string]yaml.Node
}

// parse reads a file that rules.Check found good, with the lines that rulefmt
// does not keep.
func parse(file string, data []byte) []ruleAt {
	var doc struct {
		Groups []struct {
			Name     string
			Interval string
			Rules    []struct {
				Record, Alert yaml.Node
				Expr          yaml.Node
				For           string
				Labels        map[string]string
				Annotations   map[string]yaml.Node
			}
		}
	}
	if yaml.Unmarshal(data, &doc) != nil {
		return nil
	}
	var out []ruleAt
	for _, g := range doc.Groups {
		for _, r := range g.Rules {
			expr, err := parser.NewParser(parser.Options{}).ParseExpr(r.Expr.Value)
			if err != nil {
				continue
			}
			name := r.Record
			if r.Alert.Value != "" {
				name = r.Alert
			}
			at := ruleAt{
				file: file, group: g.Name, interval: duration(g.Interval), hold: duration(r.For), name: name.Value, alert: r.Alert.Value != "",
				line: name.Line, exprLine: r.Expr.Line, expr: expr, text: r.Expr.Value, labels: r.Labels, annotations: r.Annotations,
			}
			if r.Expr.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
				at.exprLine++ // the text begins below the key
			}
			out = append(out, at)
		}
	}
	return out
}

func duration(s string) time.Duration {
	d, err := model.ParseDuration(s)
	if err != nil {
		return 0
	}
	return time.Duration(d)
}

// at is the line of the file on which a part of the expression stands.
func (r ruleAt) at(n parser.Node) int {
	start := min(int(n.PositionRange().Start), len(r.text))
	return r.exprLine + strings.Count(r.text[:start], "\n")
}

var where = regexp.MustCompile(`^(?:[^:]+):(\d+):(?:\d+: )?`)

// refusals are the errors of rules.Check, one a finding.
func refusals(file string, err error) []Finding {
	var joined interface{ Unwrap() []error }
	all := []error{err}
	if errors.As(err, &joined) {
		all = joined.Unwrap()
	}
	var out []Finding
	for _, e := range all {
		f := Finding{File: file, Line: 1, Check: "file", Severity: Error, Message: strings.TrimPrefix(e.Error(), file+": ")}
		if m := where.FindStringSubmatch(e.Error()); m != nil {
			f.Line, _ = strconv.Atoi(m[1])
			f.Message = strings.TrimSpace(strings.TrimPrefix(e.Error(), m[0]))
		}
		out = append(out, f)
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
