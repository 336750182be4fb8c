package embedded

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/leeway-dev/leeway/rules/lint"
)

const (
	maxRuleFiles = 256
	maxRuleFile  = 4 << 20
)

// ErrRules is what a refusal of rule files is, whatever the cause.
var ErrRules = errors.New("rules refused")

// ruleFiles is one state of the rules directory: names and contents.
type ruleFiles struct {
	names   []string // sorted
	content map[string][]byte
	hash    [sha256.Size]byte
}

// readRuleFiles reads the rule files of a directory. Hidden names are left out:
// a mounted ConfigMap has its generations in them.
func readRuleFiles(dir string) (ruleFiles, error) {
	files := ruleFiles{content: map[string][]byte{}}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return files, fmt.Errorf("%w: %w", ErrRules, err)
	}
	for _, e := range entries {
		ext := filepath.Ext(e.Name())
		if strings.HasPrefix(e.Name(), ".") || (ext != ".yaml" && ext != ".yml") {
			continue
		}
		files.names = append(files.names, e.Name())
	}
	switch {
	case len(files.names) == 0:
		return files, fmt.Errorf("%w: %s has no *.yaml file", ErrRules, dir)
	case len(files.names) > maxRuleFiles:
		return files, fmt.Errorf("%w: %s has %d files; the most is %d", ErrRules, dir, len(files.names), maxRuleFiles)
	}
	slices.Sort(files.names)
	sum := sha256.New()
	for _, name := range files.names {
		raw, err := readBounded(filepath.Join(dir, name))
		if err != nil {
			return files, fmt.Errorf("%w: %w", ErrRules, err)
		}
		files.content[name] = raw
		fmt.Fprintf(sum, "%q %d\n", name, len(raw))
		sum.Write(raw)
	}
	sum.Sum(files.hash[:0])
	return files, nil
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxRuleFile+1))
	if err == nil && len(raw) > maxRuleFile {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxRuleFile)
	}
	return raw, err
}

// save keeps the files in dir, so that a replica that starts while the mounted
// ones are bad has rules. The new directory is complete before it replaces the
// old one.
func (f ruleFiles) save(dir string) error {
	next := dir + ".next"
	if err := errors.Join(os.RemoveAll(next), os.MkdirAll(next, 0o750)); err != nil {
		return err
	}
	for _, name := range f.names {
		if err := os.WriteFile(filepath.Join(next, name), f.content[name], 0o640); err != nil {
			return err
		}
	}
	return errors.Join(os.RemoveAll(dir), os.Rename(next, dir))
}

// ruleSet is parsed and valid.
type ruleSet struct {
	files   ruleFiles
	groups  map[string]*rulefmt.RuleGroups
	slowest time.Duration // longest interval that a group names
}

// parse checks all files and reports every error, each with file and line.
func (f ruleFiles) parse(p parser.Parser, log *slog.Logger) (*ruleSet, error) {
	set := &ruleSet{files: f, groups: map[string]*rulefmt.RuleGroups{}}
	var errs []error
	for _, name := range f.names {
		groups, bad := rulefmt.Parse(f.content[name], false, model.UTF8Validation, p, log)
		for _, err := range bad {
			errs = append(errs, fmt.Errorf("%s:%w", name, err))
		}
		if len(bad) > 0 {
			continue
		}
		set.groups[name] = groups
		for _, g := range groups.Groups {
			set.slowest = max(set.slowest, time.Duration(g.Interval))
		}
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("%w: %w", ErrRules, errors.Join(errs...))
	}
	return set, nil
}

// judge refuses what an engine would load, but an agent could not use: unknown
// causes and clocks, and windows longer than samples are kept. What else is wrong
// with the rules it returns, to be told.
func (f ruleFiles) judge(cfg Config) (told []lint.Finding, err error) {
	report := lint.Check(f.content, lint.Options{ScrapeInterval: cfg.EvaluationInterval, Retention: cfg.Retention})
	var errs []error
	for _, finding := range report.Findings {
		switch {
		case finding.Severity == lint.Error && (finding.Check == "file" || finding.Check == "retention"):
			errs = append(errs, errors.New(finding.String()))
		case finding.Severity != lint.Note:
			told = append(told, finding)
		}
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("%w: %w", ErrRules, errors.Join(errs...))
	}
	return told, nil
}

// loader gives the rule manager the files that were checked, not what lies on
// the disk by the time it looks.
type loader struct {
	parser parser.Parser
	set    atomic.Pointer[ruleSet]
}

// Load returns the groups of a file by its name.
func (l *loader) Load(name string, _ bool, _ model.ValidationScheme) (*rulefmt.RuleGroups, []error) {
	if set := l.set.Load(); set != nil {
		if groups, ok := set.groups[name]; ok {
			return groups, nil
		}
	}
	return nil, []error{fmt.Errorf("%s: no such rule file", name)}
}

// Parse parses an expression.
func (l *loader) Parse(query string) (parser.Expr, error) { return l.parser.ParseExpr(query) }
