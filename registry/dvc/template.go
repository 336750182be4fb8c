package dvc

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// DVC's templates, as far as paths need them: ${a.b[0]} from params.yaml and
// vars, foreach and matrix. Values of parameters are not needed, dvc.lock has
// them resolved.

var expression = regexp.MustCompile(`(^|[^\\])\$\{([^}]*)\}`)

// resolve replaces ${…} in a text.
func resolve(f field, context scope) (field, error) {
	text, ok := f.v.(string)
	if !ok || !strings.Contains(text, "${") {
		return f, nil
	}
	if m := expression.FindStringSubmatchIndex(text); m != nil && m[4]-2 == 0 && m[1] == len(text) {
		v, ok := lookup(context, text[m[4]:m[5]])
		if !ok {
			return f, f.fail("%s is in no vars and not in params.yaml", text)
		}
		f.v = v
		return f, nil
	}
	var missing string
	for range 64 { // expressions side by side share a character
		again := expression.ReplaceAllStringFunc(text, func(m string) string {
			parts := expression.FindStringSubmatch(m)
			v, ok := lookup(context, parts[2])
			if !ok {
				missing = parts[2]
				return m
			}
			return parts[1] + interpolated(v)
		})
		if missing != "" {
			return f, f.fail("${%.100s} is in no vars and not in params.yaml", missing)
		}
		if again == text {
			break
		}
		if text = again; len(text) > maxPath {
			return f, f.fail("more than %d bytes", maxPath)
		}
	}
	f.v = strings.ReplaceAll(text, `\${`, "${")
	return f, nil
}

// scope holds the names that a template may use, the innermost last.
type scope []*Map

func (s scope) with(key string, v Value) scope {
	m := newMap()
	m.set(key, v)
	return append(s[:len(s):len(s)], m)
}

func lookup(context scope, expr string) (Value, bool) {
	expr = strings.NewReplacer("[", ".", "]", "").Replace(strings.TrimSpace(expr))
	for _, m := range slices.Backward(context) {
		if v, ok := find(m, expr); ok {
			return v, true
		}
	}
	return nil, false
}

// interpolated is how DVC writes a value into a text.
func interpolated(v Value) string {
	if b, ok := v.(bool); ok {
		return strconv.FormatBool(b)
	}
	return Str(v)
}

// maxStages that foreach and matrix may make of one file.
const maxStages = 2000

// expanded is a stage of dvc.yaml with the context that its texts stand in.
type expanded struct {
	name    string
	stage   field
	context scope
}

// expand makes the stages of one entry: itself, or one for each of foreach or
// of matrix.
func expand(name string, entry field, context scope) ([]expanded, error) {
	if foreach := entry.at("foreach"); foreach.v != nil {
		return expandForeach(name, entry, foreach, context)
	}
	if matrix := entry.at("matrix"); matrix.v != nil {
		return expandMatrix(name, entry, matrix, context)
	}
	return []expanded{{name, entry, context}}, nil
}

func expandForeach(name string, entry, foreach field, context scope) ([]expanded, error) {
	foreach, err := resolve(foreach, context)
	if err != nil {
		return nil, err
	}
	var all []expanded
	add := func(key string, item Value, isMap bool) error {
		if len(all) == maxStages {
			return foreach.fail("more than %d stages", maxStages)
		}
		c := context.with("item", item)
		if isMap {
			c = c.with("key", key)
		}
		all = append(all, expanded{name + "@" + key, entry.at("do"), c})
		return nil
	}
	switch v := foreach.v.(type) {
	case *Map:
		for _, k := range v.Keys {
			if err := add(k, v.Values[k], true); err != nil {
				return nil, err
			}
		}
	case []Value:
		composite := false
		for _, e := range v {
			composite = composite || isComposite(e)
		}
		for i, e := range v {
			e, err := resolve(field{file: foreach.file, path: foreach.path, line: foreach.line, v: e}, context)
			if err != nil {
				return nil, err
			}
			key := interpolated(e.v)
			if composite {
				key = strconv.Itoa(i)
			}
			if err := add(key, e.v, false); err != nil {
				return nil, err
			}
		}
	default:
		return nil, foreach.fail("want a list or a map")
	}
	return all, nil
}

func expandMatrix(name string, entry, matrix field, context scope) ([]expanded, error) {
	axes, names, err := matrix.fields()
	if err != nil {
		return nil, err
	}
	type point struct {
		key  []string
		item *Map
	}
	points := []point{{nil, newMap()}}
	for i, axis := range axes {
		if axis, err = resolve(axis, context); err != nil {
			return nil, err
		}
		values, err := axis.items()
		if err != nil {
			return nil, err
		}
		if len(points)*len(values) > maxStages {
			return nil, matrix.fail("more than %d stages", maxStages)
		}
		var next []point
		for _, p := range points {
			for j, v := range values {
				text := interpolated(v.v)
				if isComposite(v.v) {
					text = names[i] + strconv.Itoa(j)
				}
				next = append(next, point{append(p.key[:len(p.key):len(p.key)], text), with(p.item, names[i], v.v)})
			}
		}
		points = next
	}
	var all []expanded
	for _, p := range points {
		key := strings.Join(p.key, "-")
		all = append(all, expanded{fmt.Sprintf("%s@%s", name, key), entry, context.with("item", p.item).with("key", key)})
	}
	return all, nil
}

func isComposite(v Value) bool {
	switch v.(type) {
	case []Value, *Map:
		return true
	}
	return false
}

// with is a point of a matrix with one value more; the map stays as it is.
func with(m *Map, key string, v Value) *Map {
	c := newMap()
	for _, k := range m.Keys {
		c.set(k, m.Values[k])
	}
	c.set(key, v)
	return c
}
