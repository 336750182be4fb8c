package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/atlas"
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
	lines = append(lines, rule(m)...)
	var live v1alpha1.CandidateEvidence
	for _, c := range m.Candidates {
		if c.Live {
			live = c
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

// rule says what ranked, how far that is to be trusted, and what that rests on:
// what the gate asks for stands beside what there was.
func rule(m *v1alpha1.MatchEvidence) []string {
	if m.Rule == "" {
		return nil
	}
	by := map[registry.Rule]string{
		registry.RuleDistance:  "distance",
		registry.RulePredicted: "the error that evaluations predict",
		registry.RuleLabels:    "the error on labels of today, and what evaluations predict",
	}[registry.Rule(m.Rule)]
	line := fmt.Sprintf("Ranked by %s (%s)", cmp.Or(by, "another rule"), m.Rule)
	if m.Trust != "" {
		line += ": " + strings.TrimSuffix(m.Trust, ".")
	}
	line += "."
	if m.ProposeOnly {
		line += " So it may only propose."
	}
	lines := []string{line}
	if f := m.Forecast; f != nil {
		line = fmt.Sprintf("Predicted was %s. The gate was %s: %s, of %d at least", f.Metric, f.Gate, plural(int64(f.Datasets), "data set"), atlas.GateDatasets)
		if f.R2 != "" && f.Datasets >= atlas.GateDatasets {
			line += fmt.Sprintf("; R2 %s, of %g at least; t %s, of %g at least", short(f.R2), atlas.GateR2, short(f.T), float64(atlas.GateT))
		}
		lines = append(lines, line+".")
	}
	return lines
}

func candidate(c, live v1alpha1.CandidateEvidence, chosen bool) string {
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
	line += against(c, live)
	if c.Newer != "" {
		line += "; on the newer half of the rows " + short(c.Newer)
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

// against compares a candidate with the version in service: by distance, and by
// predicted error where there is one.
func against(c, live v1alpha1.CandidateEvidence) string {
	of := func(a, b string) string {
		x, err := strconv.ParseFloat(a, 64)
		y, err2 := strconv.ParseFloat(b, 64)
		if c.Live || err != nil || err2 != nil || !(y > 0) {
			return ""
		}
		return fmt.Sprintf("%.2f of live's", x/y)
	}
	var parts []string
	ratio := of(c.Distance, live.Distance)
	if ratio != "" {
		parts = append(parts, ratio)
	}
	if c.PredictedError != "" {
		predicted := "predicted error " + short(c.PredictedError)
		if r := of(c.PredictedError, live.PredictedError); r != "" {
			predicted += ", " + r
		}
		parts = append(parts, predicted)
	}
	line := ""
	for _, p := range parts {
		line += "; " + p
	}
	switch {
	case ratio == "":
	case c.Better:
		line += ", better"
	default:
		line += ", not better by enough"
		if c.Margin != "" && c.PredictedError == "" {
			line += fmt.Sprintf(" (%s at most)", short(c.Margin))
		}
	}
	return line
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
