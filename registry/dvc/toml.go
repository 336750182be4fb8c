package dvc

import (
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"time"

	"github.com/BurntSushi/toml"
)

// parseTOML reads TOML. Maps in lists have their keys in the order of names.
func parseTOML(file string, b []byte, l bounds) (Value, error) {
	fail := func(line int, err error) (Value, error) { return nil, &Error{File: file, Line: line, Err: err} }
	if len(b) > l.bytes {
		return fail(0, fmt.Errorf("%w: more than %d bytes", ErrFormat, l.bytes))
	}
	// The parser goes down with every bracket and dot, so they are counted
	// before it starts: on a line of TOML there are few.
	if deepest(b) > l.depth {
		return fail(0, fmt.Errorf("%w: nested more than %d deep", ErrFormat, l.depth))
	}
	var m map[string]any
	if _, err := toml.Decode(string(b), &m); err != nil {
		var at toml.ParseError
		if errors.As(err, &at) {
			return fail(at.Position.Line, fmt.Errorf("%w: %s", ErrFormat, at.Message))
		}
		return fail(0, fmt.Errorf("%w: %w", ErrFormat, err))
	}
	v, err := fromTOML(m, 0, &budget{bounds: l})
	if err != nil {
		return fail(0, err)
	}
	return v, nil
}

func deepest(b []byte) int {
	open, most, dots := 0, 0, 0
	for _, c := range b {
		switch c {
		case '[', '{':
			open++
		case ']', '}':
			open = max(0, open-1)
		case '.':
			dots++
		case '\n', '=', ',', '"', '\'':
			dots = 0
		}
		most = max(most, open+dots)
	}
	return most
}

func fromTOML(v any, depth int, b *budget) (Value, error) {
	if err := b.spend(depth); err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case int64:
		return big.NewInt(v), nil
	case time.Time:
		return date(v.Format(time.RFC3339Nano)), nil
	case map[string]any:
		m := newMap()
		for _, k := range slices.Sorted(maps.Keys(v)) {
			e, err := fromTOML(v[k], depth+1, b)
			if err != nil {
				return nil, err
			}
			m.set(k, e)
		}
		return m, nil
	case []map[string]any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = v[i]
		}
		return fromTOML(list, depth, b)
	case []any:
		list := make([]Value, len(v))
		for i := range v {
			e, err := fromTOML(v[i], depth+1, b)
			if err != nil {
				return nil, err
			}
			list[i] = e
		}
		return list, nil
	}
	return v, nil // bool, float64, string
}
