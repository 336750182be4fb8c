package dvc

import (
	"path"
	"strings"
)

// Data is something that DVC has locked: a file, or all of a directory.
type Data struct {
	// Path below the root, with slashes.
	Path string
	// MD5 is DVC's hash: of the file, or of the directory's object and ".dir".
	MD5 string
	// Size in bytes and number of files, where DVC says so.
	Size, Files int64
	// Legacy hashes are of text whose line ends were normalised: DVC before 3.
	Legacy bool
	// Stage makes it; "" for data that was added.
	Stage string
	// Remote has it; "" is the default remote.
	Remote string

	metric, plot bool
	place        field
}

// IsDir says that it is a directory.
func (d Data) IsDir() bool { return strings.HasSuffix(d.MD5, ".dir") }

// locked is what a .dvc file or a stage of a dvc.lock says.
type locked struct {
	name       string // of the stage, or of the .dvc file
	deps, outs []Data
	// params by file, below the root; then by key.
	params []lockedParams
}

type lockedParams struct {
	file   string
	values *Map
	place  field
}

// parseAdded reads a .dvc file, which lies in dir.
func parseAdded(file string, b []byte) (locked, error) {
	v, err := parseYAML(file, b, limits)
	if err != nil {
		return locked{}, err
	}
	top := field{file: file, v: v}
	if _, _, err := top.fields(); err != nil {
		return locked{}, err
	}
	wdir, err := top.at("wdir").text()
	if err != nil {
		return locked{}, err
	}
	l := locked{name: file}
	if l.deps, err = entries(top.at("deps"), path.Dir(file), wdir); err != nil {
		return l, err
	}
	if l.outs, err = entries(top.at("outs"), path.Dir(file), wdir); err != nil {
		return l, err
	}
	if len(l.deps) > 0 && top.at("cmd").v != nil { // a stage, as old versions wrote it
		for i := range l.outs {
			l.outs[i].Stage = file
		}
	}
	return l, nil
}

// parseLock reads a dvc.lock: schema 2.0, or of DVC 1, where the stages are the
// top. wdir is where a stage runs, which dvc.yaml says.
func parseLock(file string, b []byte, wdir func(stage string) string) ([]locked, error) {
	v, err := parseYAML(file, b, limits)
	if err != nil {
		return nil, err
	}
	top := field{file: file, v: v}
	stages := top
	if schema := top.at("schema"); schema.v != nil {
		if text := Str(schema.v); text != "2.0" {
			return nil, schema.fail("schema %.20q is not known, 2.0 is", text)
		}
		stages = top.at("stages")
	}
	list, names, err := stages.fields()
	if err != nil {
		return nil, err
	}
	var all []locked
	for i, s := range list {
		l := locked{name: names[i]}
		dir, wd := path.Dir(file), wdir(names[i])
		if l.deps, err = entries(s.at("deps"), dir, wd); err != nil {
			return nil, err
		}
		if l.outs, err = entries(s.at("outs"), dir, wd); err != nil {
			return nil, err
		}
		for j := range l.outs {
			l.outs[j].Stage = names[i]
		}
		if l.params, err = paramsOf(s.at("params"), dir, wd); err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	return all, nil
}

// entries are the deps or outs that lie in the repository and have an MD5.
func entries(list field, dir, wdir string) ([]Data, error) {
	items, err := list.items()
	if err != nil {
		return nil, err
	}
	var all []Data
	for _, e := range items {
		if e.at("repo").v != nil || e.at("url").v != nil || e.at("db").v != nil { // where an import comes from
			continue
		}
		d, ok, err := entry(e, dir, wdir)
		if err != nil {
			return nil, err
		}
		if ok {
			all = append(all, d)
		}
	}
	return all, nil
}

func entry(e field, dir, wdir string) (d Data, ok bool, err error) {
	d.place = e.at("md5")
	if d.Path, ok, err = e.at("path").local(dir, wdir); err != nil || !ok {
		return d, false, err
	}
	md5 := e.at("md5")
	if d.MD5, err = md5.text(); err != nil {
		return d, false, err
	}
	if d.MD5 != "" && !md5Form.MatchString(d.MD5) {
		return d, false, md5.fail("%.40q is not an MD5", d.MD5)
	}
	hash, err := e.at("hash").text()
	if err != nil {
		return d, false, err
	}
	d.Legacy = hash == ""
	if hash != "" && hash != "md5" {
		d.MD5 = "" // another hash than Leeway knows
	}
	if d.Size, err = e.at("size").count(); err != nil {
		return d, false, err
	}
	if d.Files, err = e.at("nfiles").count(); err != nil {
		return d, false, err
	}
	if d.Remote, err = e.at("remote").text(); err != nil {
		return d, false, err
	}
	switch m := e.at("metric").v.(type) { // DVC before 1
	case bool:
		d.metric = m
	case *Map:
		d.metric = true
	}
	return d, true, nil
}

func paramsOf(p field, dir, wdir string) ([]lockedParams, error) {
	files, names, err := p.fields()
	if err != nil {
		return nil, err
	}
	var all []lockedParams
	for i, f := range files {
		file, ok, err := field{file: f.file, path: f.path, line: f.line, v: names[i]}.local(dir, wdir)
		if err != nil {
			return nil, err
		}
		if _, _, err := f.fields(); err != nil {
			return nil, err
		}
		if m, isMap := f.v.(*Map); ok && isMap {
			all = append(all, lockedParams{file, m, f})
		}
	}
	return all, nil
}
