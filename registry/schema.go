package registry

import (
	"fmt"
	"slices"
	"strings"

	"github.com/leeway-dev/leeway/registry/profile"
)

// field is what a schema knows of a column.
type field struct {
	name string
	typ  profile.Type
}

func fields(columns []profile.Column) []field {
	list := make([]field, len(columns))
	for i, c := range columns {
		list[i] = field{c.Name, c.Type}
	}
	return list
}

// equal says whether schemas are, first by where they are: a Matcher keeps each
// once.
func equal(a, b []field) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0] || slices.Equal(a, b))
}

// schemaDiffers says in words how a version's columns differ from those of the
// other: the data, or the version in service; "" where they don't. Their order
// counts: rows without names are read by position.
func schemaDiffers(kind, other string, got, want []field) string {
	types := map[string]profile.Type{}
	for _, f := range want {
		types[f.name] = f.typ
	}
	var lacks, more, typed []string
	for _, f := range got {
		typ, there := types[f.name]
		delete(types, f.name)
		switch {
		case !there:
			lacks = append(lacks, f.name)
		case typ != f.typ:
			typed = append(typed, fmt.Sprintf("%s %q is a %s, in %s a %s", kind, f.name, f.typ, other, typ))
		}
	}
	for _, f := range want {
		if _, left := types[f.name]; left {
			more = append(more, f.name)
		}
	}
	var words []string
	if len(lacks) > 0 {
		words = append(words, fmt.Sprintf("its %s %s not in %s", named(kind, lacks), isOrAre(lacks), other))
	}
	if len(more) > 0 {
		words = append(words, fmt.Sprintf("it has no %s, which %s in %s", named(kind, more), isOrAre(more), other))
	}
	words = append(words, typed...)
	if len(words) == 0 {
		words = moved(kind, other, got, want)
	}
	return strings.Join(words, "; ")
}

// moved says which of the same columns is the first in another place.
func moved(kind, other string, got, want []field) []string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return []string{fmt.Sprintf("the same %ss in another order: %s %d is %q, in %s %q", kind, kind, i+1, got[i].name, other, want[i].name)}
		}
	}
	return nil
}

// shownNames of columns are listed.
const shownNames = 5

func named(kind string, names []string) string {
	var list []string
	for _, n := range names[:min(len(names), shownNames)] {
		list = append(list, fmt.Sprintf("%q", n))
	}
	if n := len(names) - shownNames; n > 0 {
		list = append(list, fmt.Sprintf("%d more", n))
	}
	if len(names) > 1 {
		kind += "s"
	}
	return kind + " " + strings.Join(list, ", ")
}

func isOrAre(names []string) string {
	if len(names) == 1 {
		return "is"
	}
	return "are"
}
