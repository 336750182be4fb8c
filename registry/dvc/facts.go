package dvc

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"
)

// Metrics are those of the repository's files as they are now, by FILE:KEY. A
// file that DVC has locked must have the locked hash; else the error wraps
// ErrChanged.
func (r *Repository) Metrics(ctx context.Context) (map[string]Value, error) {
	flat := map[string]Value{}
	files, outs := r.metricFiles()
	for _, name := range files {
		d := outs[name]
		v, err := r.parsed(name, d.MD5)
		if err == nil && v == nil && d.MD5 != "" {
			err = explain(name, fs.ErrNotExist)
		}
		if err != nil {
			return nil, err
		}
		if v == nil {
			continue
		}
		if d.MD5 != "" && !d.IsDir() {
			if _, err := r.Verify(ctx, d, nil); err != nil {
				return nil, err
			}
		}
		if err := flatten(name, metricsOf(v), flat); err != nil {
			return nil, err
		}
	}
	return flat, nil
}

// metricFiles are all files of metrics, by name, and what is locked of them.
func (r *Repository) metricFiles() (files []string, outs map[string]Data) {
	outs = map[string]Data{}
	for _, l := range r.locked {
		for _, d := range l.outs {
			if d.metric {
				files = append(files, d.Path)
				outs[d.Path] = d
			}
		}
	}
	for _, p := range r.projects {
		files = append(files, p.metrics...)
		for _, s := range p.stages {
			files = append(files, s.metrics...)
		}
	}
	slices.Sort(files)
	return slices.Compact(files), outs
}

// Params are those that "dvc params diff" compares, as they are now, by
// FILE:KEY: all of params.yaml and of files that are tracked whole, and the keys
// that stages name of others. They must be those that DVC has locked; else the
// error wraps ErrChanged.
func (r *Repository) Params() (map[string]Value, error) {
	if err := r.checkParams(); err != nil {
		return nil, err
	}
	keys := map[string][]string{defaultParams: nil} // none: all of the file
	add := func(t tracked) {
		have, there := keys[t.file]
		switch {
		case len(t.keys) == 0:
			keys[t.file] = nil
		case !there || have != nil:
			keys[t.file] = append(have, t.keys...)
		}
	}
	for _, p := range r.projects {
		for _, s := range p.stages {
			for _, t := range s.params {
				add(t)
			}
		}
		for _, file := range p.params {
			add(tracked{file: file})
		}
	}
	flat := map[string]Value{}
	for file, only := range keys {
		v, err := r.parsed(file, "")
		if err != nil {
			return nil, err
		}
		m, ok := v.(*Map)
		if !ok {
			if v != nil {
				return nil, &Error{File: file, Err: fmt.Errorf("%w: want a map of parameters", ErrFormat)}
			}
			continue
		}
		if only != nil {
			part := newMap()
			for _, k := range only {
				if v, ok := find(m, k); ok {
					put(part, k, v)
				}
			}
			m = part
		}
		if err := flatten(file, m, flat); err != nil {
			return nil, err
		}
	}
	return flat, nil
}

// checkParams compares the files with what DVC has locked: a run with other
// parameters is another run.
func (r *Repository) checkParams() error {
	for _, l := range r.locked {
		for _, p := range l.params {
			now, err := r.parsed(p.file, "")
			if err != nil {
				return err
			}
			for _, key := range p.values.Keys {
				want := p.values.Values[key]
				place := p.place.at(key)
				v, ok := find(now, key)
				if !ok {
					v = nil
				}
				if !equal(v, want) {
					key, v, want = differs(key, v, want)
					return &Error{File: p.file, Field: key, Err: fmt.Errorf("%w: it is %.100s, stage %s was run with %.100s (%s, line %d); run \"dvc repro\"",
						ErrChanged, Str(v), l.name, Str(want), place.file, place.line)}
				}
			}
		}
	}
	return nil
}

// differs goes down to the first value that differs.
func differs(key string, a, b Value) (string, Value, Value) {
	x, xok := a.(*Map)
	y, yok := b.(*Map)
	if !xok || !yok {
		return key, a, b
	}
	for _, k := range slices.Sorted(maps.Keys(union(x.Values, y.Values))) {
		if !equal(x.Values[k], y.Values[k]) {
			return differs(key+"."+k, x.Values[k], y.Values[k])
		}
	}
	return key, a, b
}
