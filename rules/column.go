package rules

import (
	"fmt"
	"os"
	"strconv"
)

// Labels that every series of a model carries, and so every alert that an
// agent may act on.
const modelLabels = "namespace, model_name, model_version"

// modelOnly are those of a model, whichever versions answer for it.
const modelOnly = "namespace, model_name"

// column is a kind of column: the same rules serve features, outputs, and the
// answers of a classification.
type column struct {
	kind   string // in names: feature, prediction, answer
	label  string // feature, output; empty: a version has one such column
	alert  string
	cause  string
	noun   string
	budget Budget
	floor  float64
	binary float64
	// factor stands for the floors where only more wrong answers count.
	factor float64
}

func features(v Values) column {
	return column{
		kind: "feature", label: "feature", alert: "LeewayInputDrift", cause: "input_drift", noun: "feature",
		budget: v.Budgets.Inputs, floor: v.Floors.Inputs, binary: v.Floors.Binary,
	}
}

func outputs(v Values) column {
	return column{
		kind: "prediction", label: "output", alert: "LeewayPredictionDrift", cause: "prediction_drift", noun: "output",
		budget: v.Budgets.Outputs, floor: v.Floors.Outputs, binary: v.Floors.Binary,
	}
}

// answers is the column that labels make of a classification, of two bins: right
// and wrong. Its reference is the error that the version was registered with.
func answers(v Values) column {
	return column{
		kind: "answer", alert: "LeewayQuality", cause: "quality", noun: "answer",
		budget: v.Budgets.Answers, factor: v.Quality.Factor,
	}
}

// text writes out the expressions of one kind of column over one window. In a
// template $name stands for a series, a list of labels or a number; the
// letters are those of the formulas in docs/statistics.md.
type text struct {
	column
	window Duration
	names  map[string]string
}

func newText(c column, window Duration, assumed float64) text {
	w := window.String()
	level := "leeway:" + c.kind
	each := modelLabels
	if c.label != "" {
		each += ", " + c.label
	}
	t := text{column: c, window: window, names: map[string]string{
		"K": modelLabels,
		"F": each,
		"B": each + ", bin",
		"w": w,

		"raw":               "leeway_" + c.kind + "_observations_total",
		"ratio":             "leeway_" + c.kind + "_reference_ratio",
		"samples":           "leeway_" + c.kind + "_reference_samples",
		"rank":              "leeway_" + c.kind + "_reference_rank",
		"profileClustering": "leeway_" + c.kind + "_reference_clustering",
		"assumed":           number(assumed),

		// What the training data says, whatever the window.
		"q":        level + "_bin:reference_share",
		"q0":       level + "_bin:reference_filled",
		"M":        level + ":reference_rows",
		"used":     level + ":reference_bins",
		"logQ":     level + ":reference_log_share",
		"logQ0":    level + ":reference_filled_log",
		"plain":    level + ":plain_bins",
		"d":        level + "_bin:reference_rank",
		"V":        level + ":reference_rank_variance",
		"parts":    level + ":drift_tests",
		"hourRows": level + "_bin:rows1h",

		"registered": level + ":reference_wrong_share",

		"n":      level + "_bin:rows" + w,
		"N":      level + ":rows" + w,
		"E":      level + ":effective_rows" + w,
		"p":      level + "_bin:share" + w,
		"logP":   level + ":log_share" + w,
		"kappa":  level + ":relative_rows" + w,
		"pooled": level + "_bin:pooled" + w,
		"rho":    level + ":reference_total" + w,
		"df":     level + "_drift:df" + w,
		"y":      level + "_drift:noise_ratio" + w,
		"level":  level + "_drift:level" + w,
		"looks":  level + "_drift:looks" + w,
		"tests":  level + "_drift:tests" + w,
		"root":   level + "_drift:root" + w,
		"z":      level + "_drift:z" + w,
		"gZ":     level + "_drift:z" + w, // but where ranks are tested, too

		"T":         level + ":mean_rank" + w,
		"rankE":     level + ":rank_effective_rows" + w,
		"rankLevel": level + "_drift:rank_level" + w,
		"rankLooks": level + "_drift:rank_looks" + w,
		"rankTests": level + "_drift:rank_tests" + w,
		"rankRoot":  level + "_drift:rank_root" + w,
		"rankZ":     level + "_drift:rank_z" + w,

		"t":          level + "_model_drift:t" + w,
		"c":          level + "_model_drift:z_critical" + w,
		"j":          level + "_drift:js_distance" + w,
		"wrong":      level + ":wrong_share" + w,
		"dayRatio":   level + ":day_noise_ratio" + w,
		"clustering": level + ":clustering" + w,
		"weekRows":   level + ":week_relative_rows" + w,
		"weekPooled": level + "_bin:week_pooled" + w,
		"weekRatio":  level + ":week_noise_ratio" + w,
		"weekRoot":   level + "_drift:week_root" + w,
		"weekZ":      level + "_drift:week_z" + w,
		"weekGZ":     level + "_drift:week_z" + w,

		"dayRank":        level + ":day_rank_level" + w,
		"rankClustering": level + ":rank_clustering" + w,
		"weekRankLevel":  level + "_drift:week_rank_level" + w,
		"weekRankRoot":   level + "_drift:week_rank_root" + w,
		"weekRankZ":      level + "_drift:week_rank_z" + w,
	}}
	return t
}

// with adds a name.
func (t text) with(name, value string) text {
	t.names[name] = value
	return t
}

// sprint fills a template. An unknown name is a mistake in this package, and
// shows at once: the result does not parse.
func (t text) sprint(template string) string {
	return os.Expand(template, func(name string) string {
		if value, ok := t.names[name]; ok {
			return value
		}
		if name == "$" { // $$ is a dollar
			return name
		}
		return "<" + name + ">"
	})
}

// xlogx is x·ln x, and 0 at 0: the logarithm is taken of something that is
// never 0, and multiplied by the 0.
func xlogx(x string) string {
	factor := x
	if len(x) > 0 && containsSpace(x) {
		factor = "(" + x + ")"
	}
	return fmt.Sprintf("%s * ln(clamp_min(%s, 1e-9))", factor, x)
}

func containsSpace(s string) bool {
	for _, r := range s {
		if r == ' ' {
			return true
		}
	}
	return false
}

// number writes a float without exponent, as short as it comes back the same.
func number(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }
