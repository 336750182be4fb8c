package rules

import (
	"fmt"
	"strings"
)

// brokenKinds are what an upstream pipeline fills when it breaks, by kind: the
// word in the label kind, the bins, and how a person says it. Values just
// outside the training range are drift; only far ones are broken.
var brokenKinds = []struct{ name, bins, noun string }{
	{"missing", "missing", "missing"},
	{"unseen", "unseen", "unseen in training"},
	{"far_out_of_range", "far_under|far_over", "outside the training range by more than its width"},
}

// brokenInput is the rule file about values that can't be right.
func brokenInput(v Values) file {
	b := v.BrokenInput
	f := file{name: "broken-input.yaml", comment: `Does a feature hold values that can't be right, and of which kind?

The share of rows that are missing, unseen in training, or outside the training
range by more than its width, each against the same share of the training data:
more by so many points and by so many standard errors. One alert per feature and
kind. And the share of requests that can't be read at all: the training data has
none such, so it is measured against the version's own past, a new version's
against that of the versions before it.`}
	if !b.Enabled {
		return f
	}
	f.groups = append(brokenColumns(v), unparsable(v)...)
	return f
}

func brokenColumns(v Values) []group {
	b := v.BrokenInput
	w := b.Window.String()
	t := newText(features(v), b.Window, v.Clustering.Assumed)
	t.with("bad", "leeway:feature_bad:share"+w).
		with("reference", "leeway:feature_bad:reference_share").
		with("points", number(b.Points)).with("sigmas", number(b.Sigmas)).with("minRows", number(b.MinRows))
	t.names["N"], t.names["E"] = "leeway:feature_bad:rows"+w, "leeway:feature_bad:effective_rows"+w
	reference := group{name: "leeway-broken-reference", interval: unhurried(b.Interval, b.Window)}
	g := group{
		name: "leeway-broken-input", interval: b.Interval,
		rules: []rule{
			{record: t.names["N"], expr: t.sprint("sum by ($F) (increase($raw[$w]))")},
			{
				comment: "Effective rows: bad rows come in clusters as good ones do.",
				record:  t.names["E"],
				expr:    t.sprint("$N\n/ on ($F) group_left ()\n") + nearestClustering(v, t),
			},
		},
	}
	for _, kind := range brokenKinds {
		t.with("bins", kind.bins)
		labels := []pair{{"kind", kind.name}}
		reference.rules = append(reference.rules, rule{record: t.names["reference"], labels: labels, expr: t.sprint(`sum by ($F) (
  max by ($B) ($ratio{bin=~"$bins"})
)`)})
		g.rules = append(g.rules, rule{record: t.names["bad"], labels: labels, expr: atMostAll(t.sprint(`sum by ($F) (increase($raw{bin=~"$bins"}[$w]))
/
($N > 0)`))})
	}
	g.rules = append(g.rules, brokenAlert(v, t))
	return []group{reference, g}
}

// atMostAll is a share of what an earlier rule of the group counted. Where rows came
// between the two, it may be more than all of them, which has no standard error:
// what is wrong with every row would go unseen.
func atMostAll(share string) string {
	return "clamp_max(\n  " + strings.ReplaceAll(share, "\n", "\n  ") + ",\n  1\n)"
}

// unhurried is how often to evaluate what a rule is measured against, which
// changes slowly but must be there before the rule can fire.
func unhurried(interval, window Duration) Duration {
	return max(interval, min(window/2, Duration(60e9)))
}

// nearestClustering takes the clustering of the longest window for drift within
// the window, else of the shortest: an overestimate for a shorter window, so the
// rule errs towards silence.
func nearestClustering(v Values, t text) string {
	ladder := v.Ladder()
	if len(ladder) == 0 {
		return t.sprint("($N * 0 + $assumed)")
	}
	r := ladder[0]
	for _, other := range ladder[1:] {
		switch {
		case other.Window <= t.window && (other.Window > r.Window || r.Window > t.window),
			r.Window > t.window && other.Window < r.Window:
			r = other
		}
	}
	t.with("shorterClustering", "leeway:"+t.kind+":clustering"+r.shorter.String())
	t.with("clustering", "leeway:"+t.kind+":clustering"+r.Window.String()).with("w", r.Window.String())
	text := clusteringOf(t, r)
	t.with("w", t.window.String())
	return text
}

func brokenAlert(v Values, t text) rule {
	b := v.BrokenInput
	return alertRule{
		name: "LeewayBrokenInput", cause: "broken_input", severity: b.Severity, window: b.Window, hold: b.For,
		expr: t.sprint(`$bad - $reference > $points
and
$bad - $reference
> $sigmas * sqrt($bad * (1 - $bad) / on ($F) group_left () $E)
and on ($F)
$N >= $minRows`),
		summary: fmt.Sprintf("Feature {{ $labels.feature }} of %s is broken:\n%s of its values over the last %s are %s, {{ $value | humanizePercentage }} more than in training.",
			subject, valueOf(t.names["bad"], "humanizePercentage", "namespace", "model_name", "model_version", "feature", "kind"), b.Window, brokenNoun()),
		threshold: limit(t, "clamp_min($sigmas * sqrt($bad * (1 - $bad) / on ($F) group_left () $E), $points)",
			map[string][]string{"bad": {"feature", "kind"}, "E": {"feature"}}),
		description: fmt.Sprintf("Of %s rows.\nLook upstream of the model: a column that is gone, renamed, or in another unit.",
			value(t.names["N"], "feature", `printf "%.0f"`)),
	}.rule(v)
}

// brokenNoun is a template that says the kind in words.
func brokenNoun() string {
	text := ""
	for _, kind := range brokenKinds {
		branch := "if"
		if text != "" {
			branch = "else if"
		}
		text += fmt.Sprintf("{{ %s eq $labels.kind %q }}%s", branch, kind.name, kind.noun)
	}
	return text + "{{ end }}"
}

// unparsable is about whole requests: no column can be blamed.
func unparsable(v Values) []group {
	b := v.BrokenInput
	w := b.Window.String()
	t := text{window: b.Window, names: map[string]string{
		"K": modelLabels, "w": w, "captures": "leeway_captures_total",
		"read":     "leeway:model:read_requests" + w,
		"bad":      "leeway:model:unparsable_requests" + w,
		"share":    "leeway:model:unparsable_share" + w,
		"ratio":    "leeway:model:unparsable_share" + w,
		"own":      "leeway:model:unparsable_share_past" + w,
		"dayBad":   "leeway:model:past_unparsable_requests" + w,
		"dayRead":  "leeway:model:past_read_requests" + w,
		"baseline": "leeway:model:unparsable_share_baseline" + w,
		"long":     b.Baseline.String(), "ago": b.BaselineOffset.String(), "cap": number(b.MaxBaseline),
		"points": number(b.Points), "sigmas": number(b.Sigmas), "minRows": number(b.MinRows), "assumed": number(v.Clustering.Assumed),
	}}
	alert := alertRule{
		name: "LeewayBrokenInput", cause: "broken_input", severity: b.Severity, window: b.Window, hold: b.For,
		extra: []pair{{"kind", "unparsable"}},
		expr: t.sprint(`$share - ($baseline or $share * 0) > $points
and
$share - ($baseline or $share * 0)
> $sigmas * sqrt($share * (1 - $share) * $assumed / $read)
and
$read >= $minRows`),
		summary: fmt.Sprintf("Requests to %s can't be read:\n%s of those over the last %s are unparsable, {{ $value | humanizePercentage }} more than before.",
			subject, value(t.names["share"], "", "humanizePercentage"), b.Window),
		threshold: limit(t, "clamp_min($sigmas * sqrt($share * (1 - $share) * $assumed / $read), $points)", nil),
		description: fmt.Sprintf("Of %s requests.\nTheir bodies, or those of their answers, are not what the protocol says, or fit no column of the profile.\nLook at what callers send, and whether the model's schema changed.",
			value(t.names["read"], "", `printf "%.0f"`)),
	}
	past := group{
		name: "leeway-unparsable-past", interval: unhurried(b.Interval, b.Window),
		rules: []rule{
			{
				comment: "The version's own past: a client that always sends nonsense must not hold the\nmodel for ever. A new version is measured against those before it.",
				record:  t.names["own"],
				expr: t.sprint(`clamp_max(
  sum_over_time($bad[$long] offset $ago)
  / (sum_over_time($read[$long] offset $ago) > $minRows),
  $cap
)`),
			},
			{record: t.names["dayBad"], expr: t.sprint("sum_over_time($bad[$long] offset $w)")},
			{record: t.names["dayRead"], expr: t.sprint("sum_over_time($read[$long] offset $w)")},
		},
	}
	return []group{past, {
		name: "leeway-unparsable", interval: b.Interval,
		rules: []rule{
			{record: t.names["read"], expr: t.sprint(`sum by ($K) (increase($captures{result=~"observed|learned|unparsable"}[$w]))`)},
			{record: t.names["bad"], expr: t.sprint(`sum by ($K) (increase($captures{result="unparsable"}[$w]))`)},
			{record: t.names["share"], expr: atMostAll(t.sprint("$bad / ($read > 0)"))},
			{record: t.names["baseline"], expr: t.sprint("$own\nor\n") + othersRatio(t, "dayBad", "dayRead", "minRows")},
			alert.rule(v),
		},
	}}
}
