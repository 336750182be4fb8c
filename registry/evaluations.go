package registry

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/leeway-dev/leeway/registry/atlas"
	"github.com/leeway-dev/leeway/registry/profile"
)

// maxDatasets bounds what a match learns from: the newest data sets.
const maxDatasets = 64

// Metrics that an atlas can be made of, the most telling first: of those that
// are lower for a better version the value is the error, of the others 1 less it.
var (
	lowerIsBetter  = []string{"log_loss", "logloss", "cross_entropy", "brier", "brier_score", "mae", "rmse", "mse", "medae", "mape", "smape", "wape", "rmsle", "error", "error_rate", "loss"}
	higherIsBetter = []string{"auc", "roc_auc", "pr_auc", "average_precision", "f1", "accuracy", "balanced_accuracy", "precision", "recall", "r2"}
)

// evaluations is what versions showed on each other's data sets.
//
// A data set is known by its name and by its home, the version whose training
// profile stands for it: the version that was trained on data of that name
// (dataset.name); of several the one that registers the evaluation or else the
// latest before it. A name that no version's data has is taken for held-out rows
// of the version that registers it, so "holdout" of two versions is two data
// sets.
type evaluations struct {
	metric  string
	atlas   *atlas.Atlas
	numbers []int64            // of the versions, in the table's order
	homes   []*profile.Profile // of the data sets
	of      []int64            // their versions' numbers
}

// home identifies a data set.
type home struct {
	version int64
	name    string
}

// cell is one error.
type cell struct {
	version int64
	home    home
}

// evaluated learns from the evaluations of versions, oldest first, by the metric
// that most of them have, or by the one that is named. profiles holds the
// training profiles of those that have the columns in question.
func evaluated(versions []Version, profiles map[int64]*profile.Profile, metric string) (*evaluations, error) {
	cells := cellsOf(versions, metric)
	if metric == "" {
		metric = commonest(cells)
	}
	e := &evaluations{metric: metric}
	homes := homesOf(cells[metric], profiles)
	row := map[int64]int{}
	for c := range cells[metric] {
		row[c.version] = 0
	}
	for _, v := range versions {
		if _, ok := row[v.Number]; ok {
			row[v.Number] = len(e.numbers)
			e.numbers = append(e.numbers, v.Number)
		}
	}
	t := atlas.Table{}
	for _, h := range homes {
		e.homes, e.of = append(e.homes, profiles[h.version]), append(e.of, h.version)
	}
	for i, number := range e.numbers {
		t.Error, t.Trained = append(t.Error, nil), append(t.Trained, nil)
		for _, h := range homes {
			x, ok := cells[metric][cell{number, h}]
			if !ok {
				x = math.NaN()
			}
			t.Error[i] = append(t.Error[i], x)
			t.Trained[i] = append(t.Trained[i], trainedOn(versions, number, h.version))
		}
	}
	for _, j := range e.homes {
		var apart []float64
		for _, k := range e.homes {
			d, err := profile.Compare(j, k)
			if err != nil {
				return nil, fmt.Errorf("data sets of evaluations: %w", err)
			}
			apart = append(apart, d.Mean)
		}
		t.Apart = append(t.Apart, apart)
	}
	var err error
	e.atlas, err = atlas.Fit(t)
	return e, err
}

// cellsOf reads the errors of all versions by metric; of an evaluation that is
// there twice the later registered counts.
func cellsOf(versions []Version, metric string) map[string]map[cell]float64 {
	out := map[string]map[cell]float64{}
	for i, v := range versions {
		for _, one := range v.Spec.Evaluations {
			x, ok := errorOf(one.Metric, one.Value, metric)
			if !ok {
				continue
			}
			if out[one.Metric] == nil {
				out[one.Metric] = map[cell]float64{}
			}
			out[one.Metric][cell{one.Version, home{homeOf(versions[:i+1], one.Dataset), one.Dataset}}] = x
		}
	}
	return out
}

// errorOf reads a metric as an error, which has to be above 0.
func errorOf(name, value, wanted string) (float64, bool) {
	x, err := strconv.ParseFloat(value, 64)
	switch {
	case err != nil || wanted != "" && name != wanted:
		return 0, false
	case slices.Contains(higherIsBetter, name):
		x = 1 - x
	case wanted == "" && !slices.Contains(lowerIsBetter, name):
		return 0, false
	}
	return x, x > 0 && !math.IsInf(x, 0)
}

// homeOf is the version that a data set belongs to, when the last of the
// versions names it.
func homeOf(versions []Version, dataset string) int64 {
	for _, v := range slices.Backward(versions) {
		if v.Spec.Dataset.Name == dataset {
			return v.Number
		}
	}
	return versions[len(versions)-1].Number
}

// commonest is the metric with the most cells; of equal ones the more telling.
func commonest(cells map[string]map[cell]float64) string {
	best := ""
	for _, name := range slices.Concat(lowerIsBetter, higherIsBetter) {
		if len(cells[name]) > len(cells[best]) {
			best = name
		}
	}
	return best
}

// homesOf are the newest data sets whose profile can be used, oldest first.
func homesOf(cells map[cell]float64, profiles map[int64]*profile.Profile) []home {
	var out []home
	seen := map[home]bool{}
	for c := range cells {
		if !seen[c.home] && profiles[c.home.version] != nil {
			seen[c.home] = true
			out = append(out, c.home)
		}
	}
	slices.SortFunc(out, func(a, b home) int {
		return cmp.Or(cmp.Compare(a.version, b.version), cmp.Compare(a.name, b.name))
	})
	return out[max(0, len(out)-maxDatasets):]
}

// trainedOn says that a version was trained on rows of the data set of another:
// it is that one, has the same data, or data of the same time.
func trainedOn(versions []Version, number, home int64) bool {
	if number == home {
		return true
	}
	i := slices.IndexFunc(versions, func(v Version) bool { return v.Number == number })
	j := slices.IndexFunc(versions, func(v Version) bool { return v.Number == home })
	if i < 0 || j < 0 {
		return false
	}
	a, b := versions[i].Spec, versions[j].Spec
	if a.Profile != nil && b.Profile != nil && a.Profile.Digest == b.Profile.Digest {
		return true
	}
	from, to, begin, end := a.Dataset.From, a.Dataset.To, b.Dataset.From, b.Dataset.To
	return from != nil && to != nil && begin != nil && end != nil && from.Before(end) && begin.Before(to)
}

// predict says what the evaluations make of a window.
func (e *evaluations) predict(live *profile.Profile) (atlas.Prediction, error) {
	var distance []float64
	for _, h := range e.homes {
		d, err := profile.Compare(h, live)
		if err != nil {
			return atlas.Prediction{}, err
		}
		distance = append(distance, d.Mean)
	}
	return e.atlas.Predict(distance, nil)
}

// row of a version in the table, -1 for none.
func (e *evaluations) row(number int64) int { return slices.Index(e.numbers, number) }
