package dvc

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// Value is a parameter or a metric as YAML, JSON and TOML know them: nil, a
// bool, a whole number of any size (*big.Int), a float64, a string, a date, a
// list ([]Value) or a map (*Map).
type Value any

// Map is a map that keeps the order of its keys.
type Map struct {
	Keys   []string
	Values map[string]Value
	// lines are where the keys stand, in files that say so.
	lines map[string]int
}

// date is a YAML date or time, which is no string to DVC: it is no metric.
type date string

func newMap() *Map { return &Map{Values: map[string]Value{}} }

func (m *Map) set(key string, v Value) {
	if _, there := m.Values[key]; !there {
		m.Keys = append(m.Keys, key)
	}
	m.Values[key] = v
}

// Str is a value as Python's str() writes it, which is how DVC shows it.
func Str(v Value) string {
	if s, ok := v.(string); ok {
		return s
	}
	return repr(v)
}

// repr is Python's repr().
func repr(v Value) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case *big.Int:
		return v.String()
	case float64:
		return reprFloat(v)
	case string:
		return reprString(v)
	case date:
		return string(v)
	case []Value:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = repr(e)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case *Map:
		parts := make([]string, len(v.Keys))
		for i, k := range v.Keys {
			parts[i] = reprString(k) + ": " + repr(v.Values[k])
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return ""
}

// reprFloat is float.__repr__: the shortest digits that read as the same number,
// with an exponent below 1e-4 and from 1e16 on.
func reprFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// reprString is str.__repr__.
func reprString(s string) string {
	quote := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	var b strings.Builder
	b.WriteByte(quote)
	for _, r := range s {
		switch {
		case r == rune(quote) || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == ' ' || strconv.IsPrint(r):
			b.WriteRune(r)
		case r <= 0xff:
			b.WriteString(`\x` + hexDigits(r, 2))
		case r <= 0xffff:
			b.WriteString(`\u` + hexDigits(r, 4))
		default:
			b.WriteString(`\U` + hexDigits(r, 8))
		}
	}
	b.WriteByte(quote)
	return b.String()
}

func hexDigits(r rune, digits int) string {
	s := strconv.FormatInt(int64(r), 16)
	return strings.Repeat("0", digits-len(s)) + s
}

// equal is Python's ==: True is 1 and 1 is 1.0.
func equal(a, b Value) bool {
	x, xok := exact(a)
	y, yok := exact(b)
	if xok && yok {
		return x.Cmp(y) == 0
	}
	switch a := a.(type) {
	case nil:
		return b == nil
	case float64: // one that is not finite
		b, ok := b.(float64)
		return ok && a == b
	case string:
		b, ok := b.(string)
		return ok && a == b
	case date:
		b, ok := b.(date)
		return ok && a == b
	case []Value:
		b, ok := b.([]Value)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !equal(a[i], b[i]) {
				return false
			}
		}
		return true
	case *Map:
		b, ok := b.(*Map)
		if !ok || len(a.Keys) != len(b.Keys) {
			return false
		}
		for _, k := range a.Keys {
			other, there := b.Values[k]
			if !there || !equal(a.Values[k], other) {
				return false
			}
		}
		return true
	}
	return false
}

// exact is the number that a value is to Python, where it is a finite one.
func exact(v Value) (*big.Rat, bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return big.NewRat(1, 1), true
		}
		return new(big.Rat), true
	case *big.Int:
		return new(big.Rat).SetInt(v), true
	case float64:
		r := new(big.Rat).SetFloat64(v)
		return r, r != nil
	}
	return nil, false
}

// minus is Python's a - b of two numbers, nil for anything else.
func minus(a, b Value) Value {
	x, xok := whole(a)
	y, yok := whole(b)
	if xok && yok {
		return new(big.Int).Sub(x, y)
	}
	f, fok := float(a)
	g, gok := float(b)
	if !fok || !gok {
		return nil
	}
	return f - g
}

func whole(v Value) (*big.Int, bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return big.NewInt(1), true
		}
		return new(big.Int), true
	case *big.Int:
		return v, true
	}
	return nil, false
}

func float(v Value) (float64, bool) {
	if f, ok := v.(float64); ok {
		return f, true
	}
	if i, ok := whole(v); ok {
		f, _ := new(big.Float).SetInt(i).Float64()
		return f, !math.IsInf(f, 0)
	}
	return 0, false
}

// round is Python's round(f, digits): correctly rounded, halves to even.
func round(f float64, digits int) float64 {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return f
	}
	r, err := strconv.ParseFloat(strconv.FormatFloat(f, 'f', digits, 64), 64)
	if err != nil {
		return f
	}
	return r
}
