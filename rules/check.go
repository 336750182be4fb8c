package rules

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"
)

// maxFile bounds one rule file: the largest shipped one is 60 kB.
const maxFile = 4 << 20

// Causes are the values of leeway_cause that an agent knows how to diagnose.
func Causes() []string {
	return []string{"input_drift", "prediction_drift", "quality", "errors", "latency", "broken_input"}
}

// clockNames are the values of leeway_clock.
func clockNames() []string { return []string{"page", "act", "slow"} }

// Check refuses rule files that an engine would refuse, or whose alerts an
// agent could not read: every error names its file and, where the parser knows
// it, the line. Files are checked in the order of their names.
func Check(files map[string][]byte) error {
	var errs []error
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		errs = append(errs, checkFile(name, files[name])...)
	}
	return errors.Join(errs...)
}

// Load reads the rule files (*.yaml, *.yml) of a directory and checks them. A
// directory without any is an error: an agent that watches nothing must say so.
func Load(dir fs.FS) (map[string][]byte, error) {
	entries, err := fs.ReadDir(dir, ".")
	if err != nil {
		return nil, fmt.Errorf("rule files: %w", err)
	}
	files := map[string][]byte{}
	for _, e := range entries {
		if ext := path.Ext(e.Name()); e.IsDir() || (ext != ".yaml" && ext != ".yml") {
			continue
		}
		data, err := read(dir, e.Name())
		if err != nil {
			return nil, err
		}
		files[e.Name()] = data
	}
	if len(files) == 0 {
		return nil, errors.New("rule files: the directory holds no *.yaml or *.yml: render some with leeway rules render")
	}
	return files, Check(files)
}

func read(dir fs.FS, name string) ([]byte, error) {
	f, err := dir.Open(name)
	if err != nil {
		return nil, fmt.Errorf("rule file: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("rule file %s: %w", name, err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s: more than %d bytes: split it", name, maxFile)
	}
	return data, nil
}

func checkFile(name string, data []byte) []error {
	parsed, errs := rulefmt.Parse(data, false, model.LegacyValidation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	for i, err := range errs {
		errs[i] = locate(name, err)
	}
	if len(errs) > 0 {
		return errs
	}
	if len(parsed.Groups) == 0 {
		return []error{fmt.Errorf("%s: no groups: nothing would be evaluated", name)}
	}
	if err := oneDocument(data); err != nil {
		return []error{fmt.Errorf("%s: %w", name, err)}
	}
	lines := alertLines(data)
	for i, g := range parsed.Groups {
		for j, r := range g.Rules {
			if err := checkCause(r); err != nil {
				errs = append(errs, fmt.Errorf("%s:%d: group %q, alert %s: %w", name, lines[[2]int{i, j}], g.Name, r.Alert, err))
			}
		}
	}
	return errs
}

// alertLines are the lines of the alerts' names, by the places of group and rule.
func alertLines(data []byte) map[[2]int]int {
	var doc struct {
		Groups []struct {
			Rules []struct{ Alert yaml.Node }
		}
	}
	lines := map[[2]int]int{}
	if yaml.Unmarshal(data, &doc) != nil {
		return lines
	}
	for i, g := range doc.Groups {
		for j, r := range g.Rules {
			lines[[2]int{i, j}] = r.Alert.Line
		}
	}
	return lines
}

// locate starts an error with file:line:column, as compilers have it, where
// the parser says where it is.
func locate(name string, err error) error {
	if at := new(rulefmt.Error); errors.As(err, &at) {
		return fmt.Errorf("%s:%w", name, err)
	}
	return fmt.Errorf("%s: %w", name, err)
}

// oneDocument refuses a second YAML document: engines ignore it without a word.
func oneDocument(data []byte) error {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc any
	if err := dec.Decode(&doc); err != nil {
		return err
	}
	if err := dec.Decode(&doc); !errors.Is(err, io.EOF) {
		return errors.New("more than one YAML document: engines read only the first; put the groups together")
	}
	return nil
}

// checkCause checks the labels by which an agent knows an alert for one that it
// may act on. An alert without leeway_cause is for people, and free.
func checkCause(r rulefmt.Rule) error {
	cause, ok := r.Labels["leeway_cause"]
	if !ok || r.Alert == "" {
		return nil
	}
	if !slices.Contains(Causes(), cause) {
		return fmt.Errorf("leeway_cause %q is none of %s", cause, strings.Join(Causes(), ", "))
	}
	if _, err := model.ParseDuration(r.Labels["leeway_window"]); err != nil {
		return fmt.Errorf("leeway_window %q is not a duration: an alert counts once its version is settled for longer than that", r.Labels["leeway_window"])
	}
	clock, ok := r.Labels["leeway_clock"]
	if (ok || strings.HasSuffix(cause, "_drift")) && !slices.Contains(clockNames(), clock) {
		return fmt.Errorf("leeway_clock %q is none of %s", clock, strings.Join(clockNames(), ", "))
	}
	return nil
}
