package dvc

import (
	"path"
	"strings"
)

// project is what a dvc.yaml says, as far as dvc.lock does not.
type project struct {
	stages map[string]stage
	// metrics and params below "metrics:" and "params:" of the file itself.
	metrics, params []string
}

type stage struct {
	wdir    string
	metrics []string // paths below the root
	plots   []string
	params  []tracked
}

// tracked is a file of parameters that a stage depends on: all of it, when it
// names no keys.
type tracked struct {
	file string
	keys []string
}

// defaultParams is the file that DVC reads without being told to.
const defaultParams = "params.yaml"

// parseProject reads a dvc.yaml. read gives the parsed content of another file
// for its templates, nil where there is none.
func parseProject(file string, b []byte, read func(file string) (*Map, error)) (project, error) {
	p := project{stages: map[string]stage{}}
	v, err := parseYAML(file, b, limits)
	if err != nil {
		return p, err
	}
	top, dir := field{file: file, v: v}, path.Dir(file)
	entries, names, err := top.at("stages").fields()
	if err != nil {
		return p, err
	}
	context, err := contextOf(scope{}, top.at("vars"), dir, read, true)
	if err != nil {
		return p, err
	}
	total := 0
	for i, e := range entries {
		list, err := expand(names[i], e, context)
		if err != nil {
			return p, err
		}
		if total += len(list); total > maxStages {
			return p, top.at("stages").fail("more than %d stages", maxStages)
		}
		for _, x := range list {
			if p.stages[x.name], err = parseStage(x, dir, read); err != nil {
				return p, err
			}
		}
	}
	if p.metrics, err = paths(top.at("metrics"), dir, "", context); err != nil {
		return p, err
	}
	p.params, err = paths(top.at("params"), dir, "", context)
	return p, err
}

// contextOf adds what "vars:" names: maps, and files or parts of them, written
// FILE:KEY,KEY. Of the file itself params.yaml comes first.
func contextOf(outer scope, vars field, dir string, read func(string) (*Map, error), top bool) (scope, error) {
	context := outer
	if top {
		m, err := read(path.Join(dir, defaultParams))
		if err != nil {
			return nil, err
		}
		if m != nil {
			context = append(context, m)
		}
	}
	items, err := vars.items()
	if err != nil {
		return nil, err
	}
	for _, v := range items {
		if m, ok := v.v.(*Map); ok {
			context = append(context, m)
			continue
		}
		v, err := resolve(v, context)
		if err != nil {
			return nil, err
		}
		text, err := v.text()
		if err != nil {
			return nil, err
		}
		name, keys, _ := strings.Cut(text, ":")
		v.v = name
		clean, ok, err := v.local(dir, "")
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, v.fail("%s lies outside of the repository", name)
		}
		m, err := read(clean)
		if err != nil {
			return nil, err
		}
		if m == nil {
			return nil, v.fail("%s is not there", clean)
		}
		context = append(context, part(m, keys))
	}
	return context, nil
}

func part(m *Map, keys string) *Map {
	if keys == "" {
		return m
	}
	only := newMap()
	for _, k := range strings.Split(keys, ",") {
		if v, ok := find(m, k); ok {
			put(only, k, v)
		}
	}
	return only
}

func parseStage(x expanded, dir string, read func(string) (*Map, error)) (s stage, err error) {
	context, err := contextOf(x.context, x.stage.at("vars"), dir, read, false)
	if err != nil {
		return s, err
	}
	wdir, err := resolve(x.stage.at("wdir"), context)
	if err != nil {
		return s, err
	}
	if s.wdir, err = wdir.text(); err != nil {
		return s, err
	}
	if s.metrics, err = paths(x.stage.at("metrics"), dir, s.wdir, context); err != nil {
		return s, err
	}
	if s.plots, err = paths(x.stage.at("plots"), dir, s.wdir, context); err != nil {
		return s, err
	}
	items, err := x.stage.at("params").items()
	if err != nil {
		return s, err
	}
	for _, p := range items {
		if s.params, err = appendTracked(s.params, p, dir, s.wdir, context); err != nil {
			return s, err
		}
	}
	return s, nil
}

// appendTracked reads an entry of "params:": a key of params.yaml, or a map of
// files to lists of keys, or to nothing for all of a file.
func appendTracked(list []tracked, p field, dir, wdir string, context scope) ([]tracked, error) {
	files, names, err := p.fields()
	if err != nil { // no map
		p, err := resolve(p, context)
		if err != nil {
			return nil, err
		}
		key, err := p.text()
		if err != nil {
			return nil, err
		}
		p.v = defaultParams
		file, _, err := p.local(dir, wdir)
		return append(list, tracked{file, []string{key}}), err
	}
	for i, f := range files {
		name, err := resolve(field{file: f.file, path: f.path, line: f.line, v: names[i]}, context)
		if err != nil {
			return nil, err
		}
		file, ok, err := name.local(dir, wdir)
		if err != nil {
			return nil, err
		}
		t := tracked{file: file}
		items, err := f.items()
		if err != nil {
			return nil, err
		}
		for _, item := range items {
			if item, err = resolve(item, context); err != nil {
				return nil, err
			}
			key, err := item.text()
			if err != nil {
				return nil, err
			}
			t.keys = append(t.keys, key)
		}
		if ok {
			list = append(list, t)
		}
	}
	return list, nil
}

// paths are those of a list of texts, or of maps whose keys are the paths.
func paths(list field, dir, wdir string, context scope) ([]string, error) {
	if m, ok := list.v.(*Map); ok { // as plots may be written
		list.v = []Value{m}
	}
	items, err := list.items()
	if err != nil {
		return nil, err
	}
	var all []string
	for _, item := range items {
		named := []field{item}
		if m, ok := item.v.(*Map); ok {
			named = nil
			for _, k := range m.Keys {
				named = append(named, field{file: item.file, path: item.path, line: m.lines[k], v: k})
			}
		}
		for _, f := range named {
			if f, err = resolve(f, context); err != nil {
				return nil, err
			}
			clean, ok, err := f.local(dir, wdir)
			if err != nil {
				return nil, err
			}
			if ok {
				all = append(all, clean)
			}
		}
	}
	return all, nil
}
