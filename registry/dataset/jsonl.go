package dataset

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/registry/profile/summary"
)

// jsonReader reads chunks of JSON Lines, an object a line, into a batch.
type jsonReader struct {
	batch *batch
	names []string // keys that the plan does not have, of the line at hand
	kinds []evidence
}

// maxKeys that rows may have altogether.
const maxKeys = 4 * profile.MaxColumns

// read adds the lines of a chunk to the batch.
func (r *jsonReader) read(file int, name string, c chunk) error {
	line := c.line
	data := bytes.TrimPrefix(c.data, []byte(bom))
	for len(data) > 0 {
		var text []byte
		text, next := oneLine(data, 0)
		data = data[next:]
		if text = bytes.TrimSpace(text); len(text) > 0 {
			reason, err := r.object(text)
			if err != nil {
				return fmt.Errorf("%s: line %d: %w", name, line, err)
			}
			if reason != "" {
				r.batch.report.Bad++
				r.batch.report.add(BadRow{File: name, At: fmt.Sprintf("line %d", line), Reason: reason, file: file, at: line})
			}
		}
		line++
	}
	return nil
}

// object adds a line to the batch. A reason: it is bad. An error: it can't be
// read at all.
func (r *jsonReader) object(text []byte) (reason string, err error) {
	if text[0] != '{' || !json.Valid(text) {
		return "not a JSON object", nil
	}
	b := r.batch
	clear(b.row)
	r.names, r.kinds = r.names[:0], r.kinds[:0]
	guess := 0
	i := blank(text, 1)
	for text[i] != '}' {
		keyEnd := stringEnd(text, i)
		key := text[i:keyEnd]
		i = blank(text, keyEnd)
		i = blank(text, i+1) // behind the colon
		end := valueEnd(text, i)
		k, known := r.column(key, guess)
		if known {
			guess = k + 1
		}
		c, bad, objects := r.value(text[i:end])
		switch {
		case objects && !(known && b.plan.columns[k].mode == skip):
			return "", fmt.Errorf("column %s holds objects or lists of other things than numbers: leave it out with --ignore, or make columns of it", clip(string(key)))
		case bad && !(known && b.plan.columns[k].mode == skip):
			return fmt.Sprintf("column %s: %s is not a finite number", clip(string(key)), clip(string(text[i:end]))), nil
		case known:
			b.seen[k] |= sawColumn
			if slot := b.plan.columns[k].slot; slot >= 0 {
				b.row[slot] = c
			}
		default:
			r.names = append(r.names, unquoted(key))
			_, seen := b.summarised(c)
			r.kinds = append(r.kinds, seen|sawColumn)
		}
		i = blank(text, end)
		if text[i] == ',' {
			i = blank(text, i+1)
		}
	}
	if reason = b.push(); reason != "" {
		return reason, nil
	}
	return "", r.takeExtra()
}

// takeExtra notes the keys of a good row that the plan does not have.
func (r *jsonReader) takeExtra() error {
	b := r.batch
	for i, name := range r.names {
		if b.extra == nil {
			b.extra = map[string]evidence{}
		}
		b.extra[name] |= r.kinds[i]
	}
	if len(b.extra)+len(b.plan.columns) > maxKeys {
		return fmt.Errorf("more than %d different keys: are they values?", maxKeys)
	}
	return nil
}

// column finds a key, most likely at the guess.
func (r *jsonReader) column(key []byte, guess int) (k int, known bool) {
	p := r.batch.plan
	if plain := key[1 : len(key)-1]; guess < len(p.columns) && string(plain) == p.columns[guess].name && bytes.IndexByte(plain, '\\') < 0 {
		return guess, true
	}
	k, known = p.byName[unquoted(key)]
	return k, known
}

// value classes a JSON value.
func (r *jsonReader) value(text []byte) (c cell, bad, objects bool) {
	switch text[0] {
	case 'n':
		return cell{}, false, false
	case 't', 'f':
		return cell{kind: isText, text: text}, false, false
	case '"':
		var s []byte
		if plain := text[1 : len(text)-1]; bytes.IndexByte(plain, '\\') < 0 && utf8.Valid(plain) {
			s = plain
		} else {
			s = []byte(unquoted(text))
		}
		if missing(s) {
			return cell{}, false, false
		}
		return cell{kind: isText, text: s}, false, false
	case '{':
		return cell{}, false, true
	case '[':
		var ok bool
		if r.batch.vector, ok = summary.Parse(string(text), r.batch.vector); !ok {
			return cell{}, false, true
		}
		return cell{kind: isList, text: text}, false, false
	}
	v, err := strconv.ParseFloat(string(text), 64)
	return cell{kind: isNumber, number: v}, err != nil, false
}

// unquoted is what a JSON string says.
func unquoted(text []byte) string {
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return string(text)
	}
	return s
}

// The rest finds its way in text that is valid JSON.

func blank(text []byte, i int) int {
	for text[i] == ' ' || text[i] == '\t' || text[i] == '\r' || text[i] == '\n' {
		i++
	}
	return i
}

func stringEnd(text []byte, i int) int {
	for i++; text[i] != '"'; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	return i + 1
}

func valueEnd(text []byte, i int) int {
	switch text[i] {
	case '"':
		return stringEnd(text, i)
	case '{', '[':
		depth := 0
		for ; ; i++ {
			switch text[i] {
			case '"':
				i = stringEnd(text, i) - 1
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
		}
	}
	for ; text[i] != ',' && text[i] != '}' && text[i] > ' '; i++ {
	}
	return i
}

// jsonNames are the keys of the first objects of text, in their order.
func jsonNames(text []byte, limit int) []string {
	var names []string
	known := map[string]bool{}
	for rows := 0; len(text) > 0 && rows < limit; rows++ {
		line, next := oneLine(text, 0)
		text = text[next:]
		line = bytes.TrimSpace(bytes.TrimPrefix(line, []byte(bom)))
		if len(line) == 0 || line[0] != '{' || !json.Valid(line) {
			continue
		}
		for i := blank(line, 1); line[i] != '}'; {
			end := stringEnd(line, i)
			if name := unquoted(line[i:end]); !known[name] {
				known[name] = true
				names = append(names, name)
			}
			i = valueEnd(line, blank(line, blank(line, end)+1))
			if i = blank(line, i); line[i] == ',' {
				i = blank(line, i+1)
			}
		}
	}
	return names
}
