package lint

import (
	"strings"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/leeway-dev/leeway/rules"
)

const (
	// scrapesForStatistics is the fewest scrapes to a window on which statistics
	// rest: increase extrapolates by up to one, which the rules allow for.
	scrapesForStatistics = 20
	scrapesForRates      = 4
)

// checkCause wants of an alert with a cause what an agent needs to take it for
// one of a version.
func (l *linter) checkCause(r ruleAt) {
	if _, ok := r.labels["leeway_cause"]; !ok {
		for _, name := range sortedKeys(r.labels) {
			if strings.HasPrefix(name, "leeway_") && !strings.HasPrefix(r.name, "Leeway") {
				l.found(r, r.line, "cause", Note, "add leeway_cause: "+strings.Join(rules.Causes(), ", "), "has the label %s but no leeway_cause: it is for people, agents pass it by", name)
				return
			}
		}
		return
	}
	if r.labels["severity"] == "" {
		l.found(r, r.line, "cause", Warning, "add severity: critical, warning or info", "has no severity, by which it would be routed to people")
	}
	have := l.labelsOf(r.expr).and(sortedKeys(r.labels)...)
	for _, name := range []string{"namespace", "model_name", "model_version"} {
		if !have.has(name) {
			l.found(r, r.line, "cause", Error, "keep it in the expression: sum by (namespace, model_name, model_version) (…)", "does not have the label %s, so it is about no version, and agents pass it by", name)
		}
	}
}

// checkFires looks for reasons why an alert can never fire.
func (l *linter) checkFires(r ruleAt) {
	if r.hold > l.options.Retention {
		l.found(r, r.line, "never", Error, "make it shorter", "for: %s is longer than the %s that samples are kept", rules.Duration(r.hold), rules.Duration(l.options.Retention))
	}
	if b := l.boundsOf(r.expr); b.empty {
		line, part := r.line, r.expr.String()
		if b.why != nil {
			line, part = r.at(b.why), b.why.String()
		}
		l.found(r, line, "never", Error, "compare with a value that it can have", "can never fire: %s has no result, whatever the data", shorten(part))
	}
}

func shorten(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 100 {
		s = s[:99] + "…"
	}
	return s
}

// checkRanges looks at how far back an expression reads.
func (l *linter) checkRanges(r ruleAt) {
	parser.Inspect(r.expr, func(n parser.Node, path []parser.Node) error {
		s, ok := n.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		var window time.Duration
		back := s.OriginalOffset
		matrix := false
		for _, p := range path {
			switch p := p.(type) {
			case *parser.MatrixSelector:
				matrix, window = true, p.Range
				back += p.Range
			case *parser.SubqueryExpr:
				back += p.Range + p.OriginalOffset
				matrix = true
			}
		}
		if back > l.options.Retention {
			l.found(r, r.at(s), "retention", Error, "shorten it, or keep samples for longer and check with --retention",
				"reads %s of the last %s, but samples are kept for %s", s.Name, rules.Duration(back), rules.Duration(l.options.Retention))
		}
		if window > 0 {
			l.checkWindow(r, s, window)
		}
		if !matrix {
			l.checkSeen(r, s)
		}
		return nil
	})
}

// checkWindow counts the samples in a window.
func (l *linter) checkWindow(r ruleAt, s *parser.VectorSelector, window time.Duration) {
	if _, exported := l.metrics[s.Name]; !exported {
		return
	}
	n := int(window / l.options.ScrapeInterval)
	w, every := rules.Duration(window), rules.Duration(l.options.ScrapeInterval)
	statistics := l.drift[s.Name] && (l.drift[r.name] || r.labels["leeway_clock"] != "") && strings.HasSuffix(s.Name, "_observations_total")
	switch {
	case n < 2:
		l.found(r, r.at(s), "window", Error, "make it "+rules.Duration(scrapesForRates*l.options.ScrapeInterval).String()+" or more",
			"a window of %s holds less than two scrapes, one every %s: no rate comes of it", w, every)
	case n < scrapesForRates:
		l.found(r, r.at(s), "window", Warning, "make it "+rules.Duration(scrapesForRates*l.options.ScrapeInterval).String()+" or more",
			"a window of %s holds %d scrapes, one every %s: one that is late makes a gap", w, n, every)
	case n < scrapesForStatistics && statistics:
		l.found(r, r.at(s), "window", Warning, "make it "+rules.Duration(scrapesForStatistics*l.options.ScrapeInterval).String()+" or more, or scrape more often",
			"drift over %s rests on %d scrapes, one every %s: under %d its false alarms are more than promised", w, n, every, scrapesForStatistics)
	}
}

// checkSeen finds series that are recorded so rarely that an instant selector
// sees them for a part of the time only.
func (l *linter) checkSeen(r ruleAt, s *parser.VectorSelector) {
	records := l.records[s.Name]
	if len(records) == 0 || records[0].group == r.group && records[0].file == r.file {
		return // of the same evaluation
	}
	for _, rec := range records {
		if l.every(rec) <= lookback {
			return
		}
	}
	every := rules.Duration(l.every(records[0]))
	l.found(r, r.at(s), "stale", Error, "read last_over_time("+s.Name+"["+rules.Duration(2*l.every(records[0])).String()+"])",
		"%s is recorded every %s, and is seen for %s only: in between there is nothing", s.Name, every, rules.Duration(lookback))
}
