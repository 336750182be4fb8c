package dvc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

// Text is a value as a version keeps it: its JSON, where a float has a point or
// an exponent and a whole number has neither; or, for a string that does not
// read as something else, the string itself. Value takes it back.
func Text(v Value) string {
	s, ok := v.(string)
	if !ok {
		var b strings.Builder
		writeJSON(&b, v)
		return b.String()
	}
	if back, ok := Parse(s).(string); ok && back == s {
		return s
	}
	return quoteJSON(s)
}

// Parse reads what Text writes. Whatever is no JSON is a string.
func Parse(text string) Value {
	if !likeJSON(text) {
		return text
	}
	v, err := parseJSON("", []byte(text), limits)
	if err != nil {
		return text
	}
	return v
}

var number = regexp.MustCompile(`^-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)

func likeJSON(text string) bool {
	if text == "" || text != strings.TrimSpace(text) {
		return false
	}
	switch text {
	case "true", "false", "null", "NaN", "Infinity", "-Infinity":
		return true
	}
	return strings.ContainsRune(`["{`, rune(text[0])) || number.MatchString(text)
}

func writeJSON(b *strings.Builder, v Value) {
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case *big.Int:
		b.WriteString(v.String())
	case float64:
		switch {
		case math.IsNaN(v):
			b.WriteString("NaN")
		case math.IsInf(v, 1):
			b.WriteString("Infinity")
		case math.IsInf(v, -1):
			b.WriteString("-Infinity")
		default:
			b.WriteString(reprFloat(v))
		}
	case string:
		b.WriteString(quoteJSON(v))
	case date:
		b.WriteString(quoteJSON(string(v)))
	case []Value:
		b.WriteByte('[')
		for i, e := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			writeJSON(b, e)
		}
		b.WriteByte(']')
	case *Map:
		b.WriteByte('{')
		for i, k := range v.Keys {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(quoteJSON(k) + ":")
			writeJSON(b, v.Values[k])
		}
		b.WriteByte('}')
	}
}

func quoteJSON(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string has always a JSON form
	return strings.TrimSuffix(b.String(), "\n")
}

// nonFinite stands for a word that Python writes into JSON and JSON does not
// have. No file holds it by itself: the key is made of what JSON can't say.
const nonFinite = "\u0000leeway "

// parseJSON reads JSON as Python does: NaN and Infinity are numbers.
func parseJSON(file string, b []byte, l bounds) (Value, error) {
	if len(b) > l.bytes {
		return nil, &Error{File: file, Err: fmt.Errorf("more than %d bytes", l.bytes)}
	}
	d := json.NewDecoder(bytes.NewReader(finite(b)))
	d.UseNumber()
	p := jsonReader{d: d, budget: budget{bounds: l}}
	v, err := p.value(0)
	if err == nil {
		if _, e := d.Token(); e != io.EOF {
			err = fmt.Errorf("more than one value")
		}
	}
	if err != nil {
		line := 1 + bytes.Count(b[:min(int(d.InputOffset()), len(b))], []byte("\n"))
		return nil, &Error{File: file, Line: line, Err: fmt.Errorf("not valid JSON: %w", err)}
	}
	return v, nil
}

var words = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|-?Infinity|NaN`)

func finite(b []byte) []byte {
	return words.ReplaceAllFunc(b, func(word []byte) []byte {
		if word[0] == '"' {
			return word
		}
		return []byte(quoteJSON(nonFinite + string(word)))
	})
}

type jsonReader struct {
	d *json.Decoder
	budget
}

func (p *jsonReader) value(depth int) (Value, error) {
	if err := p.spend(depth); err != nil {
		return nil, err
	}
	token, err := p.d.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case json.Number:
		return parseNumber(t.String())
	case string:
		switch strings.TrimPrefix(t, nonFinite) {
		case t:
			return t, nil
		case "NaN":
			return math.NaN(), nil
		case "Infinity":
			return math.Inf(1), nil
		}
		return math.Inf(-1), nil
	case json.Delim:
		if t == '[' {
			return p.list(depth)
		}
		return p.object(depth)
	}
	return token, nil // nil or a bool
}

func (p *jsonReader) list(depth int) (Value, error) {
	list := []Value{}
	for p.d.More() {
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := p.d.Token()
	return list, err
}

func (p *jsonReader) object(depth int) (Value, error) {
	m := newMap()
	for p.d.More() {
		key, err := p.d.Token()
		if err != nil {
			return nil, err
		}
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		m.set(key.(string), v) // of a key twice the last counts, as to Python
	}
	_, err := p.d.Token()
	return m, err
}

// maxDigits of a whole number; DVC's own interpreter refuses more than 4,300.
const maxDigits = 4300

func parseNumber(s string) (Value, error) {
	if strings.ContainsAny(s, ".eE") {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil && !math.IsInf(f, 0) { // out of range is infinite to Python
			return nil, fmt.Errorf("%q is not a number", s)
		}
		return f, nil
	}
	if len(s) > maxDigits {
		return nil, fmt.Errorf("a number of %d digits", len(s))
	}
	i, ok := new(big.Int).SetString(s, 10)
	if !ok {
		return nil, fmt.Errorf("%q is not a number", s)
	}
	return i, nil
}
