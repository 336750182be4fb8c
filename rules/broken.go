package rules

import (
	"cmp"
	"fmt"
	"slices"
)

// brokenBins are what an upstream pipeline fills when it breaks. Values just
// outside the training range are drift; only far ones are broken.
const brokenBins = "missing|unseen|far_under|far_over"

// brokenInput is the rule file about values that can't be right.
func brokenInput(v Values) file {
	b := v.BrokenInput
	f := file{name: "broken-input.yaml", comment: `Does a feature hold values that can't be right?

The share of rows that are missing, unseen in training, or outside the training
range by more than its width, against the same share of the training data:
more by so many points and by so many standard errors. One alert per feature.`}
	if !b.Enabled {
		return f
	}
	w := b.Window.String()
	t := newText(features(v), b.Window, v.Clustering.Assumed)
	t.with("bins", brokenBins).
		with("bad", "leeway:feature_bad_bin:share"+w).
		with("a", "leeway:feature_bad:share"+w).
		with("r", "leeway:feature_bad:reference_share"+w).
		with("points", number(b.Points)).with("sigmas", number(b.Sigmas)).with("minRows", number(b.MinRows))
	t.names["N"], t.names["E"] = "leeway:feature_bad:rows"+w, "leeway:feature_bad:effective_rows"+w
	f.groups = []group{{
		name: "leeway-broken-input", interval: b.Interval,
		rules: []rule{
			{record: t.names["N"], expr: t.sprint("sum by ($F) (increase($raw[$w]))")},
			{
				comment: "Effective rows: bad rows come in clusters as good ones do.",
				record:  t.names["E"],
				expr:    t.sprint("$N\n/ on ($F) group_left ()\n") + brokenClustering(v, t),
			},
			{
				record: t.names["bad"],
				expr: t.sprint(`sum by ($B) (increase($raw{bin=~"$bins"}[$w]))
/ on ($F) group_left ()
($N > 0)`),
			},
			{record: t.names["a"], expr: t.sprint("sum by ($F) ($bad)")},
			{record: t.names["r"], expr: t.sprint(`sum by ($F) (
  max by ($B) ($ratio{bin=~"$bins"})
)`)},
			brokenAlert(v, t),
		},
	}}
	return f
}

// brokenClustering takes the clustering of the shortest window for drift, which
// is an overestimate for a shorter one: the rule errs towards silence.
func brokenClustering(v Values, t text) string {
	ladder := v.Ladder()
	if len(ladder) == 0 {
		return t.sprint("($N * 0 + $assumed)")
	}
	r := slices.MinFunc(ladder, func(a, b Rung) int { return cmp.Compare(a.Window, b.Window) })
	t.with("clustering", "leeway:feature:clustering"+r.Window.String()).with("w", r.Window.String())
	t.with("shorterClustering", "leeway:feature:clustering"+r.shorter.String())
	text := clusteringOf(t, r)
	t.with("w", t.window.String())
	return text
}

func brokenAlert(v Values, t text) rule {
	b := v.BrokenInput
	kinds := fmt.Sprintf(`{{ with printf "%s{namespace=%%q,model_name=%%q,model_version=%%q,feature=%%q} > 0" $labels.namespace $labels.model_name $labels.model_version $labels.feature | query }}`+
		"{{ range $i, $bin := . }}{{ if $i }}, {{ end }}{{ $bin.Labels.bin }} {{ $bin.Value | humanizePercentage }}{{ end }}{{ end }}", t.names["bad"])
	return alertRule{
		name: "LeewayBrokenInput", cause: "broken_input", severity: b.Severity, window: b.Window, hold: b.For,
		expr: t.sprint(`$a - $r > $points
and
$a - $r > $sigmas * sqrt($a * (1 - $a) / $E)
and
$N >= $minRows`),
		summary: fmt.Sprintf("Feature {{ $labels.feature }} of %s is broken:\n%s of its values over the last %s can't be right, {{ $value | humanizePercentage }} more than in training.",
			subject, value(t.names["a"], "feature", "humanizePercentage"), b.Window),
		description: fmt.Sprintf("Of %s rows: %s.\nLook upstream of the model: a column that is gone, renamed, or in another unit.",
			value(t.names["N"], "feature", `printf "%.0f"`), kinds),
	}.rule(v)
}
