package dvc

import (
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// parseYAML reads YAML 1.2 as ruamel.yaml does for DVC: yes and 010 are no bool
// and no octal number. An empty file is an empty map.
func parseYAML(file string, b []byte, l bounds) (Value, error) {
	root, err := document(file, b, l)
	if err != nil || root == nil {
		return newMap(), err
	}
	return (&yamlReader{file: file, budget: budget{bounds: l}}).value(root, 0)
}

// document is the only document's content, nil for none.
func document(file string, b []byte, l bounds) (*yaml.Node, error) {
	if len(b) > l.bytes {
		return nil, &Error{File: file, Err: fmt.Errorf("%w: more than %d bytes", ErrFormat, l.bytes)}
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		e, said := &Error{File: file}, strings.TrimPrefix(err.Error(), "yaml: ")
		if m := yamlLine.FindStringSubmatch(said); m != nil {
			e.Line, _ = strconv.Atoi(m[1])
			said = m[2]
		}
		e.Err = fmt.Errorf("%w: %s", ErrFormat, said)
		return nil, e
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	return doc.Content[0], nil
}

var yamlLine = regexp.MustCompile(`(?s)^line ([0-9]+): (.*)$`)

type yamlReader struct {
	file string
	budget
}

func (r *yamlReader) fail(n *yaml.Node, format string, a ...any) error {
	return &Error{File: r.file, Line: n.Line, Err: fmt.Errorf(format, a...)}
}

func (r *yamlReader) value(n *yaml.Node, depth int) (Value, error) {
	if err := r.spend(depth); err != nil {
		return nil, r.fail(n, "%w", err)
	}
	switch n.Kind {
	case yaml.AliasNode:
		return r.value(n.Alias, depth+1)
	case yaml.SequenceNode:
		list := make([]Value, 0, min(len(n.Content), 1024))
		for _, e := range n.Content {
			v, err := r.value(e, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	case yaml.MappingNode:
		return r.mapping(n, depth)
	}
	v, err := scalar(n)
	if err != nil {
		return nil, r.fail(n, "%w", err)
	}
	return v, nil
}

func (r *yamlReader) mapping(n *yaml.Node, depth int) (Value, error) {
	m, merged := newMap(), newMap()
	m.lines = map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind == yaml.AliasNode {
			k = k.Alias
		}
		if k.Kind != yaml.ScalarNode {
			return nil, r.fail(k, "%w: a key that is no plain value", ErrFormat)
		}
		value, err := r.value(v, depth+1)
		if err != nil {
			return nil, err
		}
		if k.Value == "<<" && k.Style == 0 {
			if err := merge(merged, value); err != nil {
				return nil, r.fail(v, "%w", err)
			}
			continue
		}
		key, err := scalar(k)
		if err != nil {
			return nil, r.fail(k, "%w", err)
		}
		if _, twice := m.Values[Str(key)]; twice {
			return nil, r.fail(k, "%w: %q is there twice", ErrFormat, Str(key))
		}
		m.set(Str(key), value)
		m.lines[Str(key)] = k.Line
	}
	for _, k := range merged.Keys {
		if _, own := m.Values[k]; !own {
			m.set(k, merged.Values[k])
		}
	}
	return m, nil
}

// merge adds what "<<" names: a map, or maps of which the first counts.
func merge(into *Map, v Value) error {
	list, ok := v.([]Value)
	if !ok {
		list = []Value{v}
	}
	for _, e := range list {
		m, ok := e.(*Map)
		if !ok {
			return fmt.Errorf("%w: << needs a map", ErrFormat)
		}
		for _, k := range m.Keys {
			if _, there := into.Values[k]; !there {
				into.set(k, m.Values[k])
			}
		}
	}
	return nil
}

// The forms of plain scalars, from ruamel.yaml's resolver for YAML 1.2.
var (
	yamlInt   = regexp.MustCompile(`^(?:[-+]?0b[01_]+|[-+]?0o[0-7_]+|[-+]?[0-9][0-9_]*|[-+]?0x[0-9a-fA-F_]+)$`)
	yamlFloat = regexp.MustCompile(`^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+|[-+]?\.[0-9_]+(?:[eE][-+][0-9]+)?)$`)
	yamlInf   = regexp.MustCompile(`^[-+]?\.(?:inf|Inf|INF)$`)
	yamlNaN   = regexp.MustCompile(`^\.(?:nan|NaN|NAN)$`)
	yamlDate  = regexp.MustCompile(`^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}.*)?$`)
)

func scalar(n *yaml.Node) (Value, error) {
	s := n.Value
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 || n.Style&yaml.TaggedStyle != 0 && n.Tag == "!!str" {
		return s, nil
	}
	switch s {
	case "", "~", "null", "Null", "NULL":
		return nil, nil
	case "true", "True", "TRUE":
		return true, nil
	case "false", "False", "FALSE":
		return false, nil
	}
	switch {
	case !strings.ContainsRune("+-.0123456789", rune(s[0])) || len(s) > maxDigits:
		return s, nil
	case yamlInt.MatchString(s):
		return yamlWhole(s)
	case yamlFloat.MatchString(s):
		return parseNumber(strings.ReplaceAll(strings.TrimPrefix(s, "+"), "_", ""))
	case yamlInf.MatchString(s):
		return math.Inf(1 - 2*strings.Count(s, "-")), nil
	case yamlNaN.MatchString(s):
		return math.NaN(), nil
	case yamlDate.MatchString(s):
		return date(s), nil
	}
	return s, nil
}

func yamlWhole(s string) (Value, error) {
	text := strings.ReplaceAll(s, "_", "")
	sign := ""
	if text[0] == '-' || text[0] == '+' {
		sign, text = strings.TrimPrefix(text[:1], "+"), text[1:]
	}
	base := 10
	for prefix, b := range map[string]int{"0b": 2, "0o": 8, "0x": 16} {
		if rest, ok := strings.CutPrefix(text, prefix); ok {
			text, base = rest, b
		}
	}
	i, ok := new(big.Int).SetString(sign+text, base)
	if !ok {
		return nil, fmt.Errorf("%w: %s is not a number", ErrFormat, strconv.Quote(s))
	}
	return i, nil
}
