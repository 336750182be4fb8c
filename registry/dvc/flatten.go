package dvc

import (
	"fmt"
	"strings"
)

// metricsOf is what DVC takes for metrics of a file's content: numbers, bools
// and strings, in maps of any depth. All else, lists above all, is left out.
func metricsOf(v Value) Value {
	m, ok := v.(*Map)
	if !ok {
		switch v := v.(type) {
		case nil, date, []Value:
			return newMap()
		default:
			if zero(v) {
				return newMap()
			}
			return v
		}
	}
	kept := newMap()
	for _, k := range m.Keys {
		switch v := m.Values[k].(type) {
		case nil, date, []Value:
		case *Map:
			if sub := metricsOf(v).(*Map); len(sub.Keys) > 0 {
				kept.set(k, sub)
			}
		default:
			kept.set(k, v)
		}
	}
	return kept
}

// zero says that a value is false to Python: a file that holds nothing but 0 has
// no metric.
func zero(v Value) bool { return equal(v, false) || v == "" }

// flatten writes the values of a file into flat, under "FILE:KEY" with the keys
// of nested maps joined by dots. An empty map has no keys.
func flatten(file string, v Value, flat map[string]Value) error {
	if strings.Contains(file, ":") {
		return &Error{File: file, Err: fmt.Errorf("a name with a colon can't be registered: it is written FILE:KEY")}
	}
	return flattenInto(file, "", v, flat)
}

func flattenInto(file, prefix string, v Value, flat map[string]Value) error {
	m, ok := v.(*Map)
	if !ok {
		name := file + ":" + strings.TrimSuffix(prefix, ".")
		if _, twice := flat[name]; twice {
			return &Error{File: file, Field: strings.TrimSuffix(prefix, "."), Err: fmt.Errorf("%w: two values have this name", ErrFormat)}
		}
		flat[name] = v
		return nil
	}
	for _, k := range m.Keys {
		if err := flattenInto(file, prefix+k+".", m.Values[k], flat); err != nil {
			return err
		}
	}
	return nil
}

// find is the value at a path of keys joined by dots, where a number is also a
// place in a list.
func find(v Value, path string) (Value, bool) {
	if m, ok := v.(*Map); ok {
		if v, ok := m.Values[path]; ok {
			return v, true
		}
	}
	key, rest, more := strings.Cut(path, ".")
	var child Value
	switch v := v.(type) {
	case *Map:
		c, ok := v.Values[key]
		if !ok {
			return nil, false
		}
		child = c
	case []Value:
		i := -1
		if _, err := fmt.Sscanf(key, "%d", &i); err != nil || i < 0 || i >= len(v) {
			return nil, false
		}
		child = v[i]
	default:
		return nil, false
	}
	if !more {
		return child, true
	}
	return find(child, rest)
}

// put sets the value at a path of keys joined by dots.
func put(m *Map, path string, v Value) {
	key, rest, more := strings.Cut(path, ".")
	if !more {
		m.set(key, v)
		return
	}
	child, ok := m.Values[key].(*Map)
	if !ok {
		child = newMap()
		m.set(key, child)
	}
	put(child, rest, v)
}

// Texts is the form in which a version keeps values: see Text.
func Texts[S ~string](values map[string]Value) map[string]S {
	texts := make(map[string]S, len(values))
	for k, v := range values {
		texts[k] = S(Text(v))
	}
	return texts
}
