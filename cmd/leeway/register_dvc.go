package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/leeway-dev/leeway/registry/artifact"
	"github.com/leeway-dev/leeway/registry/dataset"
	"github.com/leeway-dev/leeway/registry/dvc"
	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// dvcFlags say which DVC repository a version comes from, which of its data it
// was trained on, and how that is profiled.
type dvcFlags struct {
	dir, data string
	rows      dataset.Options
	types     []string
	maxBad    string
}

func (d *dvcFlags) addFlags(fs *pflag.FlagSet) {
	fs.StringVar(&d.dir, "dvc", "", "`DIR` of a DVC repository to fill the version from")
	fs.StringVar(&d.data, "dvc-data", "", "`PATH` of the training data, a file or folder that DVC tracks; by default the only one that can be meant")
	fs.StringVar(&d.rows.Label, "label", "", "with --dvc: `column` with the truth; left out")
	fs.StringVar(&d.rows.Time, "time", "", "with --dvc: `column` with the time of the row; left out")
	fs.StringSliceVar(&d.rows.Predictions, "prediction", nil, "with --dvc: `columns` with the model's answers")
	fs.StringSliceVar(&d.rows.Ignore, "ignore", nil, "with --dvc: `columns` to leave out")
	fs.StringSliceVar(&d.types, "type", nil, "with --dvc: `column=number` or column=category, where the type found is wrong")
	fs.StringSliceVar(&d.rows.Redact, "redact", nil, "with --dvc: `columns` whose categories are kept as hashes only")
	fs.StringVar(&d.maxBad, "max-bad", "1%", "with --dvc: share of rows that may be unreadable")
}

// addDVC fills a version from a DVC repository, where one is named. What the
// flags say stays.
func (a *app) addDVC(ctx context.Context, spec *v1alpha1.ModelVersionSpec, r *registration) (err error) {
	d := &r.dvc
	if d.dir == "" {
		if d.data != "" || d.rows.Label != "" || d.rows.Time != "" || len(d.rows.Predictions)+len(d.rows.Ignore)+len(d.types)+len(d.rows.Redact) > 0 {
			return usage("--dvc-data, --label, --time, --prediction, --ignore, --type and --redact go with --dvc DIR")
		}
		return nil
	}
	if d.rows.Types, err = columnTypes(d.types); err != nil {
		return usageError{err}
	}
	if d.rows.MaxBadRatio, err = badRatio(d.maxBad); err != nil {
		return usageError{err}
	}
	repo, err := dvc.Open(ctx, d.dir)
	if err != nil {
		return err
	}
	defer repo.Close()
	data, err := repo.Choose(d.data, artifactPath(spec.Artifact.URI))
	if err != nil {
		return fmt.Errorf("%w\nname it with --dvc-data", err)
	}
	if err := a.addDVCData(spec, repo, data); err != nil {
		return err
	}
	if err := addDVCFacts(ctx, spec, repo); err != nil {
		return err
	}
	r.encoded, err = a.profileDVC(ctx, repo, data, d.rows)
	if err != nil || r.profile == "" {
		return err
	}
	given, err := a.readFile(r.profile, profile.MaxBytes)
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	if !bytes.Equal(given, r.encoded) {
		return fmt.Errorf("%s is not the profile of %s as DVC has locked it: it has %s, the data gives %s; leave --profile out, or give the flags that it was made with",
			r.profile, data.Path, profile.Digest(given), profile.Digest(r.encoded))
	}
	return nil
}

// artifactPath is the path of an artifact that is a file of this machine, "" for
// others.
func artifactPath(uri string) string {
	abs, err := artifact.Absolute(uri)
	if err != nil {
		return ""
	}
	path, _ := artifact.Path(abs)
	return path
}

func (a *app) addDVCData(spec *v1alpha1.ModelVersionSpec, repo *dvc.Repository, data dvc.Data) error {
	set := &spec.Dataset
	set.Name = or(set.Name, data.Path)
	set.URI = or(set.URI, repo.URI(data))
	set.MD5 = or(set.MD5, data.MD5)
	if set.MD5 != data.MD5 {
		return fmt.Errorf("--dataset-md5 %s: DVC has locked %s with MD5 %s", set.MD5, data.Path, data.MD5)
	}
	if set.Commit != "" {
		return nil
	}
	commit, changed, err := repo.Commit()
	if err != nil {
		return fmt.Errorf("%w; --dataset-commit says it instead", err)
	}
	switch {
	case commit == "":
		a.note("%s has no git commit; none is registered", repo.Dir())
	case changed != "":
		a.note("%s is not as in git commit %s, which is registered as %[2]s-dirty: commit first, and the data can be found again by it", changed, commit)
		commit += "-dirty"
	}
	set.Commit = commit
	return nil
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// addDVCFacts adds parameters and metrics. A metric of the flags stands for all
// of its name.
func addDVCFacts(ctx context.Context, spec *v1alpha1.ModelVersionSpec, repo *dvc.Repository) error {
	params, err := repo.Params()
	if err != nil {
		return err
	}
	given := spec.Params
	spec.Params = dvc.Texts[v1alpha1.Value](params)
	for name, value := range given {
		spec.Params[name] = value
	}
	metrics, err := repo.Metrics(ctx)
	if err != nil {
		return err
	}
	spec.Reported = dvc.Texts[v1alpha1.Value](metrics)
	addNumbers(spec)
	return nil
}

// addNumbers names the reported numbers by their key alone, for guards and
// people, or by FILE:KEY where several files have the key.
func addNumbers(spec *v1alpha1.ModelVersionSpec) {
	files := map[string]int{}
	for name := range spec.Reported {
		_, key, _ := strings.Cut(name, ":")
		files[key]++
	}
	for name, value := range spec.Reported {
		_, key, _ := strings.Cut(name, ":")
		short := key
		if key == "" || files[key] > 1 {
			short = name
		}
		if _, given := spec.Metrics[short]; given {
			delete(spec.Reported, name)
			continue
		}
		if f, err := strconv.ParseFloat(string(value), 64); err != nil || f-f != 0 { // a word, or not finite
			continue
		}
		if spec.Metrics == nil {
			spec.Metrics = map[string]string{}
		}
		spec.Metrics[short] = string(value)
	}
}

// profileDVC profiles data, and sees to it that it is what DVC has locked
// before and after.
func (a *app) profileDVC(ctx context.Context, repo *dvc.Repository, data dvc.Data, o dataset.Options) ([]byte, error) {
	p := newProgress(a.err)
	p.more = " of " + data.Path + " to check its MD5"
	files, err := repo.Verify(ctx, data, p.add)
	p.done()
	if err != nil {
		return nil, err
	}
	before, err := stamps(files)
	if err != nil {
		return nil, err
	}
	made, report, err := a.profileFiles(ctx, files, "", o)
	a.tellBadRows(report)
	if err != nil {
		return nil, err
	}
	after, err := stamps(files)
	if err != nil {
		return nil, err
	}
	if before != after {
		return nil, fmt.Errorf("%s was changed while it was read: register again", data.Path)
	}
	return made.Encode()
}

// stamps change when a file is written.
func stamps(files []string) (string, error) {
	h := sha256.New()
	for _, name := range files {
		info, err := os.Stat(name)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(h, info.Size(), info.ModTime().UnixNano())
	}
	return string(h.Sum(nil)), nil
}
