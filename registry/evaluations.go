package registry

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/leeway-dev/leeway/registry/atlas"
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
	numbers []int64 // of the versions, in the table's order
	homes   []int64 // of the data sets
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

// profiles are the training profiles of the versions.
type profiles interface {
	// usable says that a version's profile can be compared with the others'.
	usable(number int64) bool
	// apart is how far the data of one lies from each of some.
	apart(from []int64, of int64) ([]float64, error)
}

// evaluated learns from the evaluations of versions, oldest first, by the metric
// that most of them have.
func evaluated(versions []Version, p profiles) (*evaluations, error) {
	cells := cellsOf(versions)
	e := &evaluations{metric: commonest(cells)}
	mine := cells[e.metric]
	homes := homesOf(mine, p)
	row := map[int64]bool{}
	for c := range mine {
		row[c.version] = true
	}
	at := map[int64]*Version{}
	for i := range versions {
		at[versions[i].Number] = &versions[i]
	}
	t := atlas.Table{}
	for _, v := range versions {
		if !row[v.Number] {
			continue
		}
		e.numbers = append(e.numbers, v.Number)
		var errors []float64
		var trained []bool
		for _, h := range homes {
			x, ok := mine[cell{v.Number, h}]
			if !ok {
				x = math.NaN()
			}
			errors, trained = append(errors, x), append(trained, trainedOn(at[v.Number], at[h.version]))
		}
		t.Error, t.Trained = append(t.Error, errors), append(t.Trained, trained)
	}
	for _, h := range homes {
		e.homes = append(e.homes, h.version)
		t.Apart = append(t.Apart, make([]float64, len(homes)))
	}
	for k, of := range e.homes {
		apart, err := p.apart(e.homes, of)
		if err != nil {
			return nil, fmt.Errorf("data sets of evaluations: version %d: %w", of, err)
		}
		for j := range apart {
			t.Apart[j][k] = apart[j]
		}
	}
	var err error
	e.atlas, err = atlas.Fit(t)
	return e, err
}

// cellsOf reads the errors of all versions by metric; of an evaluation that is
// there twice the later registered counts.
func cellsOf(versions []Version) map[string]map[cell]float64 {
	out := map[string]map[cell]float64{}
	for i, v := range versions {
		for _, one := range v.Spec.Evaluations {
			x, ok := errorOf(one.Metric, one.Value)
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
func errorOf(name, value string) (float64, bool) {
	x, err := strconv.ParseFloat(value, 64)
	switch {
	case err != nil:
		return 0, false
	case slices.Contains(higherIsBetter, name):
		x = 1 - x
	case !slices.Contains(lowerIsBetter, name):
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
func homesOf(cells map[cell]float64, p profiles) []home {
	var out []home
	seen := map[home]bool{}
	for c := range cells {
		if !seen[c.home] && p.usable(c.home.version) {
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
func trainedOn(v, home *Version) bool {
	if v.Number == home.Number {
		return true
	}
	a, b := v.Spec, home.Spec
	if a.Profile != nil && b.Profile != nil && a.Profile.Digest == b.Profile.Digest {
		return true
	}
	from, to, begin, end := a.Dataset.From, a.Dataset.To, b.Dataset.From, b.Dataset.To
	return from != nil && to != nil && begin != nil && end != nil && from.Before(end) && begin.Before(to)
}
