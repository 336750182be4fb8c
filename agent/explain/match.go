package explain

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/registry"
)

// maxShareColumns are shown with their bins, maxShareBins of each.
const (
	maxShareColumns = 3
	maxShareBins    = 3
)

func match(s v1alpha1.ModelDecisionSpec) []string {
	m := s.Match
	if m == nil {
		return nil
	}
	lines := []string{fmt.Sprintf("%s live rows of %s from %s to %s were compared with the training data of %s.",
		count(m.Rows), plural(int64(m.Pods), "pod"), moment(m.From), moment(m.To), plural(int64(len(m.Candidates)), "version"))}
	var live float64
	for _, c := range m.Candidates {
		if c.Live {
			live, _ = strconv.ParseFloat(c.Distance, 64)
		}
	}
	for _, c := range m.Candidates {
		lines = append(lines, candidate(c, live, c.Version == s.To))
	}
	if len(m.Excluded) > 0 {
		var out []string
		for _, e := range m.Excluded {
			out = append(out, left(e))
		}
		lines = append(lines, "Left out: "+strings.Join(out, ", ")+".")
	}
	for i, c := range m.Shares {
		if i == maxShareColumns {
			break
		}
		if line := shares(c, s.To); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

func candidate(c v1alpha1.CandidateEvidence, live float64, chosen bool) string {
	name := "Version " + c.Version
	switch {
	case c.Live:
		name += " (live)"
	case chosen:
		name += " (chosen)"
	}
	line := fmt.Sprintf("%s: distance %s, tolerance %s%s:", name, short(c.Distance), short(c.Tolerance), from(c.ToleranceFrom))
	if c.Fits {
		line += " fits"
	} else {
		line += " does not fit"
	}
	distance, err := strconv.ParseFloat(c.Distance, 64)
	if !c.Live && live > 0 && err == nil {
		line += fmt.Sprintf("; %.2f of live's", distance/live)
		if c.Better {
			line += ", better"
		} else {
			line += ", not better by enough"
		}
	}
	if len(c.Worst) > 0 {
		var worst []string
		for _, w := range c.Worst[:min(len(c.Worst), maxShareColumns)] {
			worst = append(worst, w.Name+" "+short(w.Distance))
		}
		line += "; differs most in " + strings.Join(worst, ", ")
	}
	return line + "."
}

// left says why a version was left out; the words for artifacts are told at more
// length.
func left(e v1alpha1.ExcludedVersion) string {
	why := map[registry.Exclusion]string{
		registry.ExcludedArtifact:  "its artifact is gone, ",
		registry.ExcludedDigest:    "its artifact is not the one that was registered, ",
		registry.ExcludedForbidden: "its artifact may not be read, ",
	}[registry.Exclusion(e.Reason)]
	return fmt.Sprintf("%s (%s%s)", e.Version, why, e.Reason)
}

// from says where a tolerance is from, unless the guard gave it.
func from(basis string) string {
	switch registry.Basis(basis) {
	case registry.BasisBlocks:
		return " (of blocks of its training data)"
	case registry.BasisFallback:
		return " (a fallback)"
	}
	return ""
}

// shares tells the bins of a column that differ most.
func shares(c v1alpha1.ColumnShares, to string) string {
	type bin struct {
		name          string
		today, chosen float64
	}
	var bins []bin
	for i, name := range c.Bins {
		if i >= len(c.Today) || i >= len(c.Chosen) {
			break
		}
		today, err := strconv.ParseFloat(c.Today[i], 64)
		chosen, err2 := strconv.ParseFloat(c.Chosen[i], 64)
		if err == nil && err2 == nil {
			bins = append(bins, bin{name, today, chosen})
		}
	}
	if len(bins) == 0 {
		return ""
	}
	slices.SortStableFunc(bins, func(a, b bin) int {
		da, db := abs(a.today-a.chosen), abs(b.today-b.chosen)
		switch {
		case da > db:
			return -1
		case da < db:
			return 1
		}
		return 0
	})
	var parts []string
	for _, b := range bins[:min(len(bins), maxShareBins)] {
		parts = append(parts, fmt.Sprintf("bin %s %s today, %s there", b.name, percent(b.today), percent(b.chosen)))
	}
	with := "the version chosen"
	if to != "" {
		with = version(to)
	}
	return fmt.Sprintf("%s, today against the training data of %s: %s.", c.Name, with, strings.Join(parts, "; "))
}

func abs(f float64) float64 { return max(f, -f) }

func percent(f float64) string { return strconv.FormatFloat(100*f, 'f', 1, 64) + "%" }

// short is a decimal number to three digits; what is none stays as it is.
func short(s string) string {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return s
	}
	if abs(f) >= 1000 {
		return count(int64(f))
	}
	return strconv.FormatFloat(f, 'g', 3, 64)
}

// count is a whole number with its thousands apart.
func count(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return count(n) + " " + noun + "s"
}
