package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// editor collects replacements of parts of a text.
type editor struct {
	text  []byte
	edits []edit
}

type edit struct {
	from, to int // bytes
	text     string
}

// apply makes the edits, the last first, so that positions stay true.
func (e *editor) apply() []byte {
	slices.SortStableFunc(e.edits, func(a, b edit) int { return b.from - a.from })
	out := slices.Clone(e.text)
	for _, x := range e.edits {
		out = slices.Replace(out, x.from, x.to, []byte(x.text)...)
	}
	return out
}

// put sets keys of a mapping below a mapping, each of which may be missing.
func (e *editor) put(parent *yaml.Node, name string, pairs [][2]string) error {
	mapping := at(parent, name)
	if mapping == nil || mapping.Kind != yaml.MappingNode || len(mapping.Content) == 0 {
		if k, v := entry(parent, name); k != nil {
			return fmt.Errorf("line %d: %s is empty or no mapping: change it by hand", v.Line, name)
		}
		return e.insertMapping(parent, name, pairs)
	}
	var missing [][2]string
	for _, p := range pairs {
		_, v := entry(mapping, p[0])
		if v == nil {
			missing = append(missing, p)
			continue
		}
		if err := e.replace(v, p[1]); err != nil {
			return err
		}
	}
	return e.insert(mapping, missing)
}

// insert writes entries in front of the first of a mapping.
func (e *editor) insert(mapping *yaml.Node, pairs [][2]string) error {
	if len(pairs) == 0 {
		return nil
	}
	first := mapping.Content[0]
	where, indent, err := e.position(first)
	if err != nil {
		return err
	}
	text := ""
	for _, p := range pairs {
		text += scalar(p[0], first.Style) + ": " + scalar(p[1], quoted(first.Style)) + separator(mapping, indent)
	}
	e.edits = append(e.edits, edit{where, where, text})
	return nil
}

// insertMapping writes a mapping in front of the first entry of another.
func (e *editor) insertMapping(parent *yaml.Node, name string, pairs [][2]string) error {
	if parent == nil || parent.Kind != yaml.MappingNode || len(parent.Content) == 0 {
		return fmt.Errorf("there is no place for %s: change it by hand", name)
	}
	first := parent.Content[0]
	where, indent, err := e.position(first)
	if err != nil {
		return err
	}
	var entries []string
	for _, p := range pairs {
		entries = append(entries, scalar(p[0], first.Style)+": "+scalar(p[1], quoted(first.Style)))
	}
	text := scalar(name, first.Style) + ": {" + strings.Join(entries, ", ") + "}"
	if parent.Style&yaml.FlowStyle == 0 {
		text = scalar(name, first.Style) + ":\n" + indent + "  " + strings.Join(entries, "\n"+indent+"  ")
	}
	e.edits = append(e.edits, edit{where, where, text + separator(parent, indent)})
	return nil
}

// separator is what stands behind an entry that was put in front of others.
func separator(mapping *yaml.Node, indent string) string {
	if mapping.Style&yaml.FlowStyle != 0 {
		return ", "
	}
	return "\n" + indent
}

// quoted is a style for values where keys have one: as JSON has it, else plain
// as far as that goes.
func quoted(style yaml.Style) yaml.Style {
	return style & (yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle)
}

// replace writes another value of a scalar, in the style of the one that is there.
func (e *editor) replace(n *yaml.Node, value string) error {
	from, _, err := e.position(n)
	if err != nil {
		return err
	}
	length := rawLength(e.text[from:], n)
	if n.Kind != yaml.ScalarNode || n.Anchor != "" || length == 0 {
		return fmt.Errorf("line %d: %q is an anchor, an alias or over several lines, which is not edited: write %q there by hand", n.Line, n.Value, value)
	}
	if n.Value != value {
		e.edits = append(e.edits, edit{from, from + length, scalar(value, n.Style)})
	}
	return nil
}

// rawLength is how many bytes a scalar on one line takes; 0: it isn't one.
func rawLength(text []byte, n *yaml.Node) int {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	switch quoted(n.Style) {
	case yaml.DoubleQuotedStyle:
		for i := 1; i < len(line); i++ {
			switch line[i] {
			case '\\':
				i++
			case '"':
				return i + 1
			}
		}
	case yaml.SingleQuotedStyle:
		for i := 1; i < len(line); i++ {
			if line[i] != '\'' {
				continue
			}
			if i+1 < len(line) && line[i+1] == '\'' {
				i++
				continue
			}
			return i + 1
		}
	default:
		if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 && bytes.HasPrefix(line, []byte(n.Value)) {
			return len(n.Value)
		}
	}
	return 0
}

// position is where a node begins, and the indentation of its line as spaces.
// Columns count characters.
func (e *editor) position(n *yaml.Node) (offset int, indent string, err error) {
	for range n.Line - 1 {
		i := bytes.IndexByte(e.text[offset:], '\n')
		if i < 0 {
			return 0, "", fmt.Errorf("line %d is not there", n.Line)
		}
		offset += i + 1
	}
	for range n.Column - 1 {
		_, size := utf8.DecodeRune(e.text[offset:])
		offset += size
	}
	return offset, strings.Repeat(" ", n.Column-1), nil
}

// scalar writes a string in a style, plain where that reads as the same string.
func scalar(s string, style yaml.Style) string {
	switch quoted(style) {
	case yaml.DoubleQuotedStyle:
		b, err := json.Marshal(s)
		if err == nil {
			return string(b)
		}
	case yaml.SingleQuotedStyle:
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	b, err := yaml.Marshal(&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s})
	if err != nil || bytes.Count(b, []byte("\n")) > 1 {
		quoted, _ := json.Marshal(s)
		return string(quoted)
	}
	return strings.TrimSuffix(string(b), "\n")
}
