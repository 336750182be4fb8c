package rules_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/rules"
	"github.com/leeway-dev/leeway/rules/promapi"
)

const (
	expectedBins   = 20
	expectedModels = 100 // of each kind
	validationRows = 5000
	windowRows     = 3000
)

// kinds of live rows, around a place and so wide; the first is as in training.
// Then rows are easier to tell, and harder.
var kinds = []struct{ at, wide float64 }{{0, 1}, {1, 1}, {0, 0.5}}

// The error that is expected without labels, of classifications by twenty bins
// of the predicted probability: right on the average when rows move, and as
// uncertain as it says it is when they don't.
func TestExpectedErrorIsTheTrueOne(t *testing.T) {
	v := rules.Defaults()
	v.Clustering.Assumed = 1
	v.ExpectedError.Window, v.ExpectedError.For = rules.Duration(time.Hour), 0
	r := newRig(t, v)
	rng := rand.New(rand.NewPCG(1, 2))
	var live [][expectedBins]float64
	end := midnight.Add(time.Hour)
	for i := range len(kinds) * expectedModels {
		name := fmt.Sprintf("m%d", i)
		edges, ratio, wrong := validation(rng)
		counts := bins(rng, edges, i/expectedModels)
		live = append(live, counts)
		for b := range expectedBins {
			bin := []string{"output", "y", "bin", fmt.Sprintf("%02d", b)}
			r.append(end,
				sample{model("leeway_prediction_reference_ratio", name, bin...), ratio[b]},
				sample{model("leeway_prediction_bin_expected_error", name, append(bin, "metric", "error_rate")...), wrong[b]})
		}
		r.append(end, sample{model("leeway_prediction_reference_samples", name, "output", "y"), validationRows})
	}
	for m := time.Duration(0); m <= 60; m += 5 {
		var samples []sample
		for i, counts := range live {
			for b, n := range counts {
				samples = append(samples, sample{
					model("leeway_prediction_observations_total", fmt.Sprintf("m%d", i), "output", "y", "bin", fmt.Sprintf("%02d", b)),
					n * float64(m) / 60,
				})
			}
		}
		r.append(midnight.Add(m*time.Minute), samples...)
	}
	r.eval(end, "leeway-expected-error")

	expected := r.query(end, "leeway:prediction:expected_error1h", "model_name")
	surprise := r.query(end, "(leeway:prediction:expected_error1h - leeway:prediction:reference_expected_error) / leeway:prediction:expected_error_standard_error1h", "model_name")
	firing := r.query(end, `ALERTS{alertname="LeewayExpectedError"}`, "model_name")
	var mean, squares, alerts [3]float64
	for i := range len(kinds) * expectedModels {
		name, kind := fmt.Sprintf("m%d", i), i/expectedModels
		mean[kind] += expected[name] / expectedModels
		squares[kind] += surprise[name] * surprise[name] / expectedModels
		alerts[kind] += firing[name]
	}
	for kind, got := range mean {
		want := trueError(kind)
		t.Logf("rows of %+v: expected %.4f, true %.4f, %.0f alerts of %d", kinds[kind], got, want, alerts[kind], expectedModels)
		if math.Abs(got-want) > 0.005 {
			t.Errorf("rows of %+v: expected is an error of %.4f, the true one is %.4f", kinds[kind], got, want)
		}
	}
	t.Logf("where nothing moved differences are of %.2f standard errors", math.Sqrt(squares[0]))
	if s := math.Sqrt(squares[0]); s < 0.85 || s > 1.15 {
		t.Errorf("differences where nothing moved are of %.2f standard errors, not 1", s)
	}
	if alerts != [3]float64{0, 0, expectedModels} {
		t.Errorf("alerts %v, want them where rows are harder to tell, and there of all %d", alerts, expectedModels)
	}
}

// probability that a row at x is of the class.
func probability(x float64) float64 { return 1 / (1 + math.Exp(-1.5*x)) }

// validation draws labelled rows, and gives equal-frequency bins of the
// predicted probability with their shares and measured errors.
func validation(rng *rand.Rand) (edges []float64, ratio, wrong [expectedBins]float64) {
	scores := make([]float64, validationRows)
	for i := range scores {
		scores[i] = probability(rng.NormFloat64())
	}
	sorted := slices.Sorted(slices.Values(scores))
	for b := 1; b < expectedBins; b++ {
		edges = append(edges, sorted[b*validationRows/expectedBins])
	}
	for _, p := range scores {
		b := binOf(edges, p)
		ratio[b] += 1. / validationRows
		if yes := rng.Float64() < p; yes != (p >= 0.5) {
			wrong[b]++
		}
	}
	for b := range wrong {
		wrong[b] /= math.Round(ratio[b] * validationRows)
	}
	return edges, ratio, wrong
}

// bins counts rows of a kind.
func bins(rng *rand.Rand, edges []float64, kind int) (counts [expectedBins]float64) {
	for range windowRows {
		counts[binOf(edges, probability(kinds[kind].at+kinds[kind].wide*rng.NormFloat64()))]++
	}
	return counts
}

func binOf(edges []float64, p float64) int {
	b, found := slices.BinarySearch(edges, p)
	if found {
		b++
	}
	return b
}

// trueError integrates the error of the best answer over the rows.
func trueError(kind int) float64 {
	sum, weight := 0.0, 0.0
	for z := -8.0; z <= 8; z += 1e-3 {
		p, density := probability(kinds[kind].at+kinds[kind].wide*z), math.Exp(-z*z/2)
		sum += density * min(p, 1-p)
		weight += density
	}
	return sum / weight
}

// What the bins of each class add counts for the answer, also where a server
// holds the series of several clusters.
func TestExpectedErrorOfClasses(t *testing.T) {
	v := rules.Defaults()
	v.Clustering.Assumed = 1
	v.ExpectedError.Window, v.ExpectedError.For = rules.Duration(time.Hour), 0
	files, err := rules.Render(v)
	if err != nil {
		t.Fatal(err)
	}
	matchers, err := promapi.ParseMatchers(`cluster="eu-1"`)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := rules.ForCluster(map[string][]byte{"expected-error.yaml": files["expected-error.yaml"]}, matchers)
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, v)
	const rows, training = 1000, 5000
	outputs := []struct {
		name                      string
		live, ratio, rate, excess [2]float64
	}{
		{"[highest]", [2]float64{.5, .5}, [2]float64{.3, .7}, [2]float64{.4, .1}, [2]float64{}},
		{"p_a", [2]float64{.2, .8}, [2]float64{.5, .5}, [2]float64{.1, .2}, [2]float64{-.03, .03}},
		{"answer", [2]float64{.6, .4}, [2]float64{.8, .2}, [2]float64{}, [2]float64{.01, -.04}},
	}
	end := midnight.Add(time.Hour)
	for m := 0.0; m <= 60; m += 5 {
		var samples []sample
		for _, o := range outputs {
			add := func(name string, value float64, more ...string) {
				samples = append(samples, sample{model(name, "m", append(more, "output", o.name, "cluster", "eu-1")...), value})
			}
			add("leeway_prediction_reference_samples", training)
			for b := range 2 {
				bin := []string{"bin", fmt.Sprintf("%02d", b)}
				add("leeway_prediction_observations_total", o.live[b]*rows*m/60, bin...)
				add("leeway_prediction_reference_ratio", o.ratio[b], bin...)
				if o.rate != [2]float64{} {
					add("leeway_prediction_bin_expected_error", o.rate[b], append(bin, "metric", "error_rate")...)
				}
				if o.excess != [2]float64{} {
					add("leeway_prediction_bin_excess_error", o.excess[b], bin...)
				}
			}
		}
		r.append(midnight.Add(time.Duration(m)*time.Minute), samples...)
	}

	expected, reference := .5*.4+.5*.1+(.2*-.03+.8*.03)+(.6*.01+.4*-.04), .3*.4+.7*.1
	variance := (.5*.4*.4 + .5*.1*.1 - .25*.25) / rows
	variance += (.3*.4*.4 + .7*.1*.1 - reference*reference) / training
	variance += (.2*.2*.4*.6/.3 + .2*.2*.1*.9/.7) / training
	variance += (.03*.03 + .6*.01*.01 + .4*.04*.04) / rows
	variance += (.03*.03 + .8*.01*.01 + .2*.04*.04) / training
	variance += (.3*.3/.5 + .3*.3/.5 + .2*.2/.8 + .2*.2/.2) * reference * (1 - reference) / training
	want := map[string]float64{
		`leeway:prediction:expected_error1h{cluster=%q}`:                expected,
		`leeway:prediction:reference_expected_error{cluster=%q}`:        reference,
		`leeway:prediction:expected_error_standard_error1h{cluster=%q}`: math.Sqrt(variance),
		`ALERTS{alertname="LeewayExpectedError",cluster=%q}`:            1,
	}
	// Those of no cluster in particular first: they would read what the others record.
	for _, cluster := range []string{"", "eu-1"} {
		if cluster != "" {
			r.groups = r.load("cluster.yaml", ours["expected-error.yaml"])
		}
		r.eval(end, "leeway-expected-error")
		for query, value := range want {
			query = fmt.Sprintf(query, cluster)
			if got, ok := r.query(end, query, "output")["[highest]"]; !ok || math.Abs(got-value) > 1e-9 {
				t.Errorf("%s is %v (%v), want %v", query, got, ok, value)
			}
		}
	}
}
