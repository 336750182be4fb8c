package dvc

import (
	"cmp"
	"slices"
	"strings"
)

// Change is one line of a comparison, a value that two versions have apart.
type Change struct {
	File, Key string
	Old, New  Value // nil where a version has none
	// Diff is New - Old of two numbers, else nil.
	Diff Value
}

// Diff compares values as versions keep them (FILE:KEY and Text) the way
// "dvc metrics diff" and "dvc params diff" do: flat, 1 and 1.0 and True the
// same, lists by how they are written. Unchanged values are left out unless all
// is set. DVC's order of files is by chance; here they are in the order of
// names, and their keys as there in that order too.
func Diff[S ~string](old, new map[string]S, all bool) []Change {
	a, b := byFile(old), byFile(new)
	var changes []Change
	for file := range union(a, b) {
		for key := range union(a[file], b[file]) {
			c := Change{File: file, Key: key, Old: side(a[file], key), New: side(b[file], key)}
			if !all && equal(c.Old, c.New) {
				continue
			}
			if key == "" && (c.Old == nil || c.New == nil) {
				continue // a file that is one number, against none: DVC shows nothing
			}
			c.Diff = minus(c.New, c.Old)
			changes = append(changes, c)
		}
	}
	slices.SortFunc(changes, func(a, b Change) int { return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Key, b.Key)) })
	return changes
}

func byFile[S ~string](texts map[string]S) map[string]map[string]Value {
	files := map[string]map[string]Value{}
	for name, text := range texts {
		file, key, ok := strings.Cut(name, ":")
		if !ok { // named by a person
			file, key = "", name
		}
		if files[file] == nil {
			files[file] = map[string]Value{}
		}
		v := Parse(string(text))
		if list, ok := v.([]Value); ok {
			v = Str(list)
		}
		files[file][key] = v
	}
	return files
}

func union[V any](a, b map[string]V) map[string]bool {
	all := make(map[string]bool, len(a))
	for k := range a {
		all[k] = true
	}
	for k := range b {
		all[k] = true
	}
	return all
}

// side is a file's value. Where a file is a single value on one side and has
// keys on the other, DVC says so.
func side(file map[string]Value, key string) Value {
	if v, ok := file[key]; ok {
		return v
	}
	if _, single := file[""]; single {
		return "unable to parse"
	}
	return nil
}
