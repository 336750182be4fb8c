// Package lint finds in rule files what promtool can't, because it takes to know
// what Leeway exports and what its agents read: metrics and labels that nobody
// has, alerts that can never fire or never take part in a diagnosis, windows too
// short for their statistics or too long for the storage, and what the rules
// cost.
//
// It reasons about expressions without data: which labels a result has
// (labels.go), between which bounds its values lie (bounds.go), how many series it
// has (cost.go). Where it can't know, as with other people's metrics, it is
// silent.
package lint

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/leeway-dev/leeway/rules"
)

// Severity of a finding.
type Severity string

// Severities: an error is a rule that can't do what it is there for, a warning
// one that does it badly, a note something to know.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Note    Severity = "note"
)

// Finding is one thing to look at.
type Finding struct {
	File string `json:"file"`
	Line int    `json:"line"`
	// Group and Rule say where in the file; both may be empty.
	Group    string   `json:"group,omitempty"`
	Rule     string   `json:"rule,omitempty"`
	Check    string   `json:"check"` // file, metric, label, cause, window, retention, never, stale
	Severity Severity `json:"severity"`
	Message  string   `json:"message"`
	// Do says what to do about it.
	Do string `json:"do,omitempty"`
}

func (f Finding) String() string {
	s := fmt.Sprintf("%s:%d: %s: ", f.File, f.Line, f.Severity)
	if f.Rule != "" {
		s += f.Rule + ": "
	}
	s += f.Message
	if f.Do != "" {
		s += ": " + f.Do
	}
	return s
}

// Options say for what installation the files are.
type Options struct {
	ScrapeInterval time.Duration // 0: 15 s
	Retention      time.Duration // 0: 15 d
	// Labels that the scrape configuration or the server adds to all series.
	Labels []string
	Size   Size
}

// Size of an installation, for the estimate of cost. Zeros are the defaults.
type Size struct {
	Models  int // versions in service; 10
	Pods    int // of each; 2
	Columns int // features of each; 20
	Bins    int // of each column; 15
}

func (o Options) withDefaults() Options {
	o.ScrapeInterval = cmp.Or(o.ScrapeInterval, 15*time.Second)
	o.Retention = cmp.Or(o.Retention, 15*24*time.Hour)
	o.Size.Models = cmp.Or(o.Size.Models, 10)
	o.Size.Pods = cmp.Or(o.Size.Pods, 2)
	o.Size.Columns = cmp.Or(o.Size.Columns, 20)
	o.Size.Bins = cmp.Or(o.Size.Bins, 15)
	return o
}

// Report is all that is to be said about some files, which are loaded together.
type Report struct {
	Findings []Finding   `json:"findings"`
	Groups   []GroupCost `json:"groups"`
}

// Failed says that something should be put right: errors or warnings.
func (r Report) Failed() bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Severity != Note })
}

// Check looks at files that are loaded together: a rule may rest on what another
// file records.
func Check(files map[string][]byte, o Options) Report {
	o = o.withDefaults()
	var r Report
	good := map[string][]byte{}
	for _, name := range sortedKeys(files) {
		if err := rules.Check(map[string][]byte{name: files[name]}); err != nil {
			r.Findings = append(r.Findings, refusals(name, err)...)
			continue
		}
		good[name] = files[name]
	}
	l := newLinter(good, o)
	for _, rule := range l.rules {
		l.check(rule)
	}
	r.Findings = append(r.Findings, l.findings...)
	r.Groups = l.costs()
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	r.Findings = slices.Compact(r.Findings)
	return r
}
