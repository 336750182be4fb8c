package dvc

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// ErrChoice: it is not clear which data a version was trained on.
var ErrChoice = errors.New("which data is the training data?")

// Tracked is all data that DVC has locked with an MD5 and that is neither
// metrics nor plots, by path.
func (r *Repository) Tracked() []Data {
	var all []Data
	for _, l := range r.locked {
		for _, d := range l.outs {
			if d.MD5 != "" && !d.metric && !d.plot {
				all = append(all, d)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Data) int { return strings.Compare(a.Path, b.Path) })
	return all
}

// Choose says which data is meant. named is a path below the root, or one of
// this machine; a file of a locked directory is not data of its own. Without a
// name it is the one thing that DVC tracks and that the stage which made the
// artifact depends on (artifact is a path of this machine, or ""), or else the
// only one that was added and no stage makes. The error wraps ErrChoice and
// lists what there is.
func (r *Repository) Choose(named, artifact string) (Data, error) {
	all := r.Tracked()
	if named != "" {
		want := []string{path.Clean(filepath.ToSlash(named))}
		if below, ok := r.below(named); ok {
			want = append(want, below)
		}
		for _, name := range want {
			for _, d := range all {
				if d.Path == name {
					return d, nil
				}
			}
		}
		return Data{}, fmt.Errorf("%s is not what DVC has locked in %s%s", named, r.dir, list(all))
	}
	made, isMade := r.below(artifact)
	if isMade {
		if found := r.inputs(made, all); len(found) == 1 {
			return found[0], nil
		}
	}
	added := slices.DeleteFunc(slices.Clone(all), func(d Data) bool { return d.Stage != "" || isMade && d.Path == made })
	if len(added) == 1 {
		return added[0], nil
	}
	return Data{}, fmt.Errorf("%w%s", ErrChoice, list(all))
}

// below is a path of this machine as one below the root.
func (r *Repository) below(name string) (string, bool) {
	if name == "" {
		return "", false
	}
	abs, err := filepath.Abs(name)
	if err != nil {
		return "", false
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(abs)); err == nil {
		abs = filepath.Join(dir, filepath.Base(abs))
	}
	rel, err := filepath.Rel(r.dir, abs)
	if err != nil || !filepath.IsLocal(rel) {
		return "", false
	}
	return filepath.ToSlash(rel), true
}

// inputs are what DVC tracks of what the stage of an out depends on: its code
// is not.
func (r *Repository) inputs(made string, all []Data) []Data {
	var found []Data
	for _, l := range r.locked {
		if !slices.ContainsFunc(l.outs, func(d Data) bool { return d.Path == made }) {
			continue
		}
		for _, dep := range l.deps {
			for _, d := range all {
				if d.Path == dep.Path {
					found = append(found, d)
				}
			}
		}
	}
	return found
}

// listed is how many choices an error names.
const listed = 20

func list(all []Data) string {
	if len(all) == 0 {
		return "; DVC has locked nothing here: \"dvc add\" does it, or \"dvc repro\""
	}
	var b strings.Builder
	b.WriteString("; there is")
	for i, d := range all {
		if i == listed {
			fmt.Fprintf(&b, "\n  and %d more", len(all)-listed)
			break
		}
		by := "added"
		if d.Stage != "" {
			by = "made by stage " + d.Stage
		}
		fmt.Fprintf(&b, "\n  %s (%s, MD5 %s)", d.Path, by, d.MD5)
	}
	return b.String()
}

// URI is where the remote has the data, "" without a remote.
func (r *Repository) URI(d Data) string {
	if d.MD5 == "" {
		return ""
	}
	return r.config.uri(d, r.dir)
}
