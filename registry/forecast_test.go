package registry_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/atlas"
	"github.com/leeway-dev/leeway/registry/dataset"
	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// weather is a profile of temperatures around a mean.
func weather(t *testing.T, mean float64, seed uint64) *profile.Profile {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	var b strings.Builder
	b.WriteString("temp,wind\n")
	for range 400 {
		fmt.Fprintf(&b, "%.3f,%.3f\n", mean+r.NormFloat64(), r.NormFloat64())
	}
	p, _, err := dataset.FromCSV("weather.csv", strings.NewReader(b.String()), dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// warmth of a version's season: three seasons come in turn.
func warmth(n int) float64 { return 1.5 * float64(n%3) }

// seasonal are versions that were evaluated on each other's data when they were
// registered. e is the error of a version on the data of another.
func seasonal(t *testing.T, n int, e func(version, dataset int) float64) []registry.Version {
	t.Helper()
	var out []registry.Version
	for i := 1; i <= n; i++ {
		b, err := weather(t, warmth(i), uint64(i)).Encode()
		if err != nil {
			t.Fatal(err)
		}
		p, err := registry.Pack(b)
		if err != nil {
			t.Fatal(err)
		}
		spec := v1alpha1.ModelVersionSpec{Model: "m", Profile: p, Dataset: v1alpha1.Dataset{Name: name(i)}}
		add := func(version, dataset int) {
			spec.Evaluations = append(spec.Evaluations, v1alpha1.Evaluation{
				Version: int64(version), Dataset: name(dataset), Metric: "mae", Value: strconv.FormatFloat(e(version, dataset), 'g', -1, 64),
			})
		}
		for j := 1; j <= i; j++ {
			if add(j, i); j < i {
				add(i, j)
			}
		}
		out = append(out, registry.Version{Model: "m", Number: int64(i), Spec: spec})
	}
	return out
}

func name(i int) string { return "week-" + strconv.Itoa(i) }

// tells is an error that is low in the version's own season; version 5 is the
// best of its season, and version 8 bad everywhere.
func tells(version, dataset int) float64 {
	e := 5 + 0.05*float64((version*7+dataset*3)%5)
	if version%3 != dataset%3 {
		e *= 2
	}
	switch version {
	case 5:
		e *= 0.9
	case 8:
		e *= 1.5
	}
	return e * (1 + 0.1*float64(dataset%4))
}

// silent is an error that has nothing to do with what the data looks like.
func silent(version, dataset int) float64 {
	return 5 + float64(rand.New(rand.NewPCG(uint64(version), uint64(dataset))).IntN(1000))/500
}

func matchSeason(t *testing.T, versions []registry.Version, season int, o registry.MatchOptions) registry.Result {
	t.Helper()
	if o.Tolerance == 0 {
		o.Tolerance = 0.2
	}
	r, err := registry.Match(versions, weather(t, warmth(season), 99), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestForecast(t *testing.T) {
	twelve := seasonal(t, 12, tells)
	stranger := seasonal(t, 12, tells)
	for i := range stranger { // version 1 was never evaluated
		stranger[i].Spec.Evaluations = slices.DeleteFunc(stranger[i].Spec.Evaluations, func(e v1alpha1.Evaluation) bool { return e.Version == 1 })
	}
	bare := seasonal(t, 12, tells)
	for i := range bare {
		bare[i].Spec.Evaluations = nil
	}
	for _, tt := range []struct {
		name     string
		versions []registry.Version
		live     int64
		rule     registry.Rule
		gate     atlas.Gate
		best     string // "near": the nearest
		propose  bool
		trust    string
	}{
		{"open: the best of the season, not the nearest", twelve, 1, registry.RulePredicted, atlas.Open, "5", false, "inputs predict quality for this model: R2 = "},
		{"open, and the best is in service", twelve, 5, registry.RulePredicted, atlas.Open, "", false, "inputs predict"},
		{"open, and nothing in service", twelve, 0, registry.RulePredicted, atlas.Open, "5", false, "inputs predict"},
		{"open, and the live version was not evaluated", stranger, 1, registry.RuleDistance, atlas.Open, "near", false, "version 1, in service, was evaluated on too few of them"},
		{"closed: distance proposes", seasonal(t, 12, silent), 1, registry.RuleDistance, atlas.Closed, "near", true, "inputs do not predict quality for this model: R2 = 0."},
		{"seven data sets: distance ranks", seasonal(t, 7, tells), 1, registry.RuleDistance, atlas.NoGate, "near", false, "it could be tried on 7 data sets, 8 are needed"},
		{"nothing was evaluated: distance ranks", bare, 1, registry.RuleDistance, "", "near", false, "versions were not evaluated on each other's data sets"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := matchSeason(t, tt.versions, 2, registry.MatchOptions{Live: tt.live})
			if tt.best == "near" {
				tt.best = r.Candidates[0].Version
			}
			if r.Rule != tt.rule || r.Best != tt.best || r.ProposeOnly != tt.propose || !strings.Contains(r.Trust, tt.trust) {
				t.Errorf("rule %s, best %q, proposes only %v, %q; want %s, %q, %v, %q", r.Rule, r.Best, r.ProposeOnly, r.Trust, tt.rule, tt.best, tt.propose, tt.trust)
			}
			if tt.gate == "" != (r.Forecast == nil) || r.Forecast != nil && r.Forecast.Gate != tt.gate {
				t.Errorf("forecast %+v, want gate %q", r.Forecast, tt.gate)
			}
			if first := r.Ranked()[0].Version; r.Rule == registry.RulePredicted && first != "5" || r.Rule == registry.RuleDistance && first != r.Candidates[0].Version {
				t.Errorf("ranked first is %s", first)
			}
			for _, c := range r.Candidates {
				if c.PredictedError != nil && !(*c.PredictedError > 4 && *c.PredictedError < 20) {
					t.Errorf("version %s: predicted error %g", c.Version, *c.PredictedError)
				}
				if c.Version == "5" && r.Rule == registry.RulePredicted && c.PredictedError == nil {
					t.Error("version 5 has no predicted error")
				}
			}
		})
	}
}

// Who writes a tolerance vouches that near is good for this model, as long as
// nothing shows that it isn't.
func TestProposeOnly(t *testing.T) {
	bare := seasonal(t, 3, tells)
	for i := range bare {
		bare[i].Spec.Evaluations = nil
	}
	week := &registry.Labelled{Rows: 20000, Span: 168 * time.Hour, Errors: map[string]map[int64]float64{"mae": {}}}
	for v := range int64(12) {
		week.Errors["mae"][v+1] = float64(v + 1)
	}
	for _, tt := range []struct {
		name          string
		versions      []registry.Version
		labelled      *registry.Labelled
		auto, vouched bool
	}{
		{"nothing was evaluated", bare, nil, true, false},
		{"too few data sets", seasonal(t, 7, tells), nil, true, false},
		{"closed", seasonal(t, 12, silent), nil, true, true},
		{"open", seasonal(t, 12, tells), nil, false, false},
		{"labels, too few data sets", seasonal(t, 7, tells), week, false, false},
		{"labels, closed", seasonal(t, 12, silent), week, false, false},
	} {
		for tolerance, want := range map[float64]bool{0: tt.auto, 0.2: tt.vouched} {
			r, err := registry.Match(tt.versions, weather(t, warmth(2), 99), registry.MatchOptions{Live: 1, Tolerance: tolerance, Labelled: tt.labelled})
			if err != nil {
				t.Fatal(err)
			}
			if r.ProposeOnly != want {
				t.Errorf("%s, tolerance %g: proposes only is %v", tt.name, tolerance, r.ProposeOnly)
			}
		}
	}
}

// Whatever was evaluated, a version that does not fit is not switched to on
// inputs: where nothing fits, the season is new.
func TestForecastNeedsFit(t *testing.T) {
	versions := seasonal(t, 12, tells)
	r, err := registry.Match(versions, weather(t, 9, 99), registry.MatchOptions{Live: 1, Tolerance: 0.2})
	if err != nil {
		t.Fatal(err)
	}
	if r.Rule != registry.RulePredicted || r.Best != "" {
		t.Errorf("rule %s, best %q in a season that was never there", r.Rule, r.Best)
	}
}

// A version with a much lower predicted error that is no nearer to the data than
// the one in service is not switched to on inputs.
func TestForecastNeedsNearer(t *testing.T) {
	plain := matchSeason(t, seasonal(t, 12, tells), 2, registry.MatchOptions{})
	live, _ := registry.ParseNumber(plain.Candidates[0].Version)
	star, _ := registry.ParseNumber(plain.Candidates[1].Version)
	versions := seasonal(t, 12, func(version, dataset int) float64 {
		if int64(version) == star {
			return 0.6 * tells(2, dataset)
		}
		return tells(version, dataset)
	})
	r := matchSeason(t, versions, 2, registry.MatchOptions{Live: live})
	nearest, second := r.Candidates[0], r.Candidates[1]
	if r.Rule != registry.RulePredicted || *second.PredictedError > 0.75**nearest.PredictedError {
		t.Fatalf("rule %s, predicted %g and %g", r.Rule, *nearest.PredictedError, *second.PredictedError)
	}
	if second.Better || r.Best != "" {
		t.Errorf("best %q, which is no nearer than version %d in service", r.Best, live)
	}
}

// Nor to one that was worse than the one in service on a data set like this, nor
// past it to the next.
func TestForecastNeedsAgreement(t *testing.T) {
	held := 0
	for _, week := range []int{2, 5, 8, 11} { // of the season
		for _, worse := range []float64{0.9, 1.1} { // version 5, over the version in service
			r := matchSeason(t, seasonal(t, 12, func(version, dataset int) float64 {
				switch {
				case version == 5 && dataset == week:
					return worse * tells(1, dataset)
				case version == 5 && dataset%3 == 2:
					return 0.3 * tells(version, dataset)
				}
				return tells(version, dataset)
			}), 2, registry.MatchOptions{Live: 1})
			if r.Rule != registry.RulePredicted || r.Ranked()[0].Version != "5" {
				continue // the week alone decides
			}
			switch {
			case r.Best == "" && worse > 1:
				held++
			case r.Best != "5" || worse < 1 && !r.Ranked()[0].Better:
				t.Errorf("week %d, %g of live's error: best %q", week, worse, r.Best)
			}
		}
	}
	if held == 0 {
		t.Error("no week like the data on which it was worse kept a version from being switched to")
	}
}

func TestForecastLabels(t *testing.T) {
	versions := seasonal(t, 12, tells)
	errorsOf := map[int64]float64{}
	for i := range int64(12) {
		errorsOf[i+1] = 10
	}
	errorsOf[3] = 4 // labels contradict the inputs
	labelled := func(span time.Duration, metric string) *registry.Labelled {
		return &registry.Labelled{Rows: 20000, Span: span, Errors: map[string]map[int64]float64{metric: errorsOf}}
	}
	for _, tt := range []struct {
		name  string
		l     *registry.Labelled
		rule  registry.Rule
		best  string
		trust string
	}{
		{"of a week", labelled(168*time.Hour, "mae"), registry.RuleLabels, "3", "inputs predict"},
		{"of a day", labelled(24*time.Hour, "mae"), registry.RulePredicted, "5", "the labels span 24h0m0s and are not used"},
		{"by another metric", labelled(168*time.Hour, "rmse"), registry.RulePredicted, "5", "not measured by mae"},
	} {
		r := matchSeason(t, versions, 2, registry.MatchOptions{Live: 1, Labelled: tt.l})
		if r.Rule != tt.rule || r.Best != tt.best || !strings.Contains(r.Trust, tt.trust) {
			t.Errorf("%s: rule %s, best %q, %q; want %s, %q, %q", tt.name, r.Rule, r.Best, r.Trust, tt.rule, tt.best, tt.trust)
		}
	}
}

// What a data set is called, where it is from, and what is counted twice.
func TestDatasets(t *testing.T) {
	datasets := func(versions []registry.Version) int {
		t.Helper()
		f := matchSeason(t, versions, 2, registry.MatchOptions{}).Forecast
		if f == nil {
			return -1
		}
		return f.Datasets
	}
	rename := func(f func(v int, e *v1alpha1.Evaluation)) []registry.Version {
		out := seasonal(t, 12, tells)
		for i := range out {
			for k := range out[i].Spec.Evaluations {
				f(i+1, &out[i].Spec.Evaluations[k])
			}
		}
		return out
	}
	if n := datasets(seasonal(t, 12, tells)); n != 12 {
		t.Errorf("12 data sets became %d", n)
	}
	// "holdout" is another data set with each version that registers it. Only
	// the versions before were measured on it.
	holdout := rename(func(v int, e *v1alpha1.Evaluation) {
		if e.Dataset == name(v) {
			e.Dataset = "holdout"
		} else {
			e.Metric = "other"
		}
	})
	if n := datasets(holdout); n < 8 {
		t.Errorf("the hold-out rows of 12 versions became %d data sets", n)
	}
	// Unknown metrics are not guessed at; higher can be better.
	if f := matchSeason(t, rename(func(_ int, e *v1alpha1.Evaluation) { e.Metric = "sharpness" }), 2, registry.MatchOptions{}).Forecast; f != nil && f.Datasets != 0 {
		t.Errorf("an unknown metric was used: %+v", f)
	}
	accuracy := rename(func(_ int, e *v1alpha1.Evaluation) {
		x, _ := strconv.ParseFloat(e.Value, 64)
		e.Metric, e.Value = "accuracy", strconv.FormatFloat(1-x/100, 'g', -1, 64)
	})
	if r := matchSeason(t, accuracy, 2, registry.MatchOptions{Live: 1}); r.Best != "5" || r.Forecast.Metric != "accuracy" {
		t.Errorf("by accuracy the best is %q (%+v)", r.Best, r.Forecast)
	}
	// Versions of the same time were trained on each other's data: none is left
	// to predict for.
	same := seasonal(t, 12, tells)
	from, to := metav1.NewTime(time.Unix(0, 0)), metav1.NewTime(time.Unix(1e6, 0))
	for i := range same {
		same[i].Spec.Dataset.From, same[i].Spec.Dataset.To = &from, &to
	}
	if n := datasets(same); n != 0 {
		t.Errorf("%d data sets were left out, though every version was trained on each", n)
	}
	// A data set without a profile can't be compared.
	lost := seasonal(t, 12, tells)
	lost[3].Spec.Profile = nil
	if n := datasets(lost); n != 11 {
		t.Errorf("one of 12 has no profile, and %d data sets are left", n)
	}
}

// The order of versions and the way to them do not matter, and what is asked
// does not change.
func TestForecastIsAFunction(t *testing.T) {
	versions := seasonal(t, 12, tells)
	live := weather(t, warmth(2), 99)
	o := registry.MatchOptions{Live: 1, Tolerance: 0.2}
	want, err := registry.Match(versions, live, o)
	if err != nil {
		t.Fatal(err)
	}
	m, err := registry.NewMatcher(versions[:9])
	if err != nil {
		t.Fatal(err)
	}
	shuffled := slices.Clone(versions)
	rand.New(rand.NewPCG(1, 1)).Shuffle(12, func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	for range 2 {
		if err := m.Update(shuffled); err != nil {
			t.Fatal(err)
		}
		got, err := m.Match(live, o)
		if err != nil {
			t.Fatal(err)
		}
		near := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-12 })
		if d := cmp.Diff(want, got, near); d != "" {
			t.Error(d)
		}
	}
	if err := m.Update(append(shuffled[:3:3], registry.Version{Model: "other", Number: 1})); !errors.Is(err, registry.ErrInvalid) {
		t.Errorf("versions of two models: %v", err)
	}
}
