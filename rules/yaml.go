package rules

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// file, group and rule are what Render writes. They are not rulefmt's own
// types because those can't carry comments, and the comments are half of what
// makes a rule file worth reading.
type file struct {
	name    string
	comment string
	groups  []group
}

type group struct {
	name     string
	comment  string
	interval Duration
	rules    []rule
}

type rule struct {
	comment     string
	record      string
	alert       string
	expr        string
	hold        Duration
	labels      []pair
	annotations []pair
}

type pair struct{ name, value string }

// bytes writes the file as YAML, expressions as literal blocks.
func (f file) bytes() []byte {
	var b bytes.Buffer
	comment(&b, "", f.comment)
	b.WriteString("groups:\n")
	for _, g := range f.groups {
		comment(&b, "  ", g.comment)
		fmt.Fprintf(&b, "  - name: %s\n    interval: %s\n    rules:\n", g.name, g.interval)
		for _, r := range g.rules {
			r.write(&b)
		}
	}
	return b.Bytes()
}

func (r rule) write(b *bytes.Buffer) {
	comment(b, "      ", r.comment)
	if r.alert != "" {
		fmt.Fprintf(b, "      - alert: %s\n", r.alert)
	} else {
		fmt.Fprintf(b, "      - record: %s\n", r.record)
	}
	block(b, "        ", "expr", "|-", r.expr)
	if r.hold > 0 {
		fmt.Fprintf(b, "        for: %s\n", r.hold)
	}
	if len(r.labels) > 0 {
		b.WriteString("        labels:\n")
		for _, p := range r.labels {
			fmt.Fprintf(b, "          %s: %s\n", p.name, strconv.Quote(p.value))
		}
	}
	if len(r.annotations) > 0 {
		b.WriteString("        annotations:\n")
		for _, p := range r.annotations {
			block(b, "          ", p.name, ">-", p.value)
		}
	}
}

func comment(b *bytes.Buffer, indent, text string) {
	if text == "" {
		return
	}
	for line := range strings.Lines(text) {
		b.WriteString(indent + strings.TrimRight("# "+strings.TrimRight(line, "\n"), " ") + "\n")
	}
}

// block writes a value as a block scalar, one level deeper than its key.
func block(b *bytes.Buffer, indent, key, style, value string) {
	fmt.Fprintf(b, "%s%s: %s\n", indent, key, style)
	for line := range strings.Lines(value) {
		b.WriteString(indent + "  " + strings.TrimRight(line, "\n") + "\n")
	}
}
