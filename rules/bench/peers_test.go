package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/leeway-dev/leeway/registry/profile"
)

// A change of the kinds that are drawn is what its name says, and not there
// before.
func TestMadeChanges(t *testing.T) {
	const rows = 200_000
	mean := func(f func(r *rand.Rand) float64) (mean, sd float64) {
		r := rand.New(rand.NewPCG(1, 2))
		var sum, squares float64
		for range rows {
			x := f(r)
			sum, squares = sum+x, squares+x*x
		}
		mean = sum / rows
		return mean, math.Sqrt(squares/rows - mean*mean)
	}
	// A tenth of the labels is false: where two concepts differ nine tenths of the
	// answers are wrong, elsewhere one.
	after := map[string]struct{ mean, sd float64 }{
		"mean 0.25 sd":                     {0.25, 1},
		"mean 0.5 sd":                      {0.5, 1},
		"mean 1 sd":                        {1, 1},
		"sd × 1.5":                         {0, 1.5},
		"ramp to 1 sd in 2,000 rows":       {0.5, 1}, // half-way
		"ramp to 1 sd in 10,000 rows":      {0.1, 1},
		"categories of 20 % and 10 % swap": {2.3, 2.08},
		"a new category has 5 %":           {2.395, 2.41},
		"label noise, 10 to 20 %":          {0.2, 0.4},
		"SEA, threshold 8 to 9.5":          {0.1 + 0.8*(9.5*9.5-8*8)/200, 0.405},
		"STAGGER, concept 1 to 2":          {0.1 + 0.8*16/27, 0.49}, // small and red: 3 in 27; green or circular: 15 in 27; both: 1
		"Sine, function 1 to 2":            {0.1 + 0.8*0.268, 0.46},
		"Agrawal, function 1 to 2":         {0.1 + 0.8*(41*8.0/13+20*5.0/13)/61, 0.5},
		"Mixed, classes swap":              {0.9, 0.3},
	}
	changes := madeChanges()
	if len(changes) != len(after) {
		t.Errorf("%d changes, %d are checked", len(changes), len(after))
	}
	for _, c := range changes {
		want := after[c.name]
		got, sd := mean(func(r *rand.Rand) float64 { return c.value(r, 1000) })
		if math.Abs(got-want.mean) > 0.01 || math.Abs(sd-want.sd) > 0.03 {
			t.Errorf("%s: mean %.3f and sd %.3f, want %.3f and %.3f", c.name, got, sd, want.mean, want.sd)
		}
		if c.calm.kind == wrong {
			if before, _ := mean(c.calm.value); math.Abs(before-wrongBefore) > 0.005 {
				t.Errorf("%s: %.3f of the answers are wrong before", c.name, before)
			}
		}
	}
}

func TestTrialsAreDrawnFromTheirSeed(t *testing.T) {
	c := madeChanges()[2]
	a, b := c.trial(rand.New(rand.NewPCG(1, 2)), nil), c.trial(rand.New(rand.NewPCG(1, 2)), nil)
	if !slices.Equal(a.rows, b.rows) || a.change != b.change {
		t.Error("the same seed gives other rows")
	}
	if a.change < peerBefore || a.change >= peerBefore+peerPhase || len(a.rows)-a.change < peerAfter {
		t.Errorf("the change is at row %d of %d", a.change, len(a.rows))
	}
	if other := c.trial(rand.New(rand.NewPCG(1, 3)), nil); slices.Equal(a.rows, other.rows) {
		t.Error("another seed gives the same rows")
	}
}

// Bins are those of a profile: a category that training rows have not is unseen.
func TestNewCategoryIsUnseen(t *testing.T) {
	var c change
	for _, other := range madeChanges() {
		if other.name == "a new category has 5 %" {
			c = other
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	one := c.trial(r, c.calm.training(r))
	column, err := c.calm.profiled(one.reference)
	if err != nil {
		t.Fatal(err)
	}
	binner, err := profile.NewBinner(column)
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, x := range one.rows[one.change:] {
		count[binner.Names()[c.calm.bin(binner, x)]]++
	}
	if share := float64(count["unseen"]) / float64(len(one.rows)-one.change); math.Abs(share-0.05) > 0.01 {
		t.Errorf("%.3f of the rows are in the bin unseen: %v", share, count)
	}
	if plain(binner) != 8 {
		t.Errorf("%d bins hold values, want 8", plain(binner))
	}
}

func TestRealRegimes(t *testing.T) {
	byMonth := func(get func(string) string) string { return get("month") }
	months, err := monthly("../../"+flightsFile, byMonth, "humid", number)
	if err != nil {
		t.Fatal(err)
	}
	c, err := regimes{"flights", "humid", "1", "2", number}.change(months)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	if x := c.calm.value(r); !slices.Contains(months["1"], x) {
		t.Errorf("%g before the change is of no flight in January", x)
	}
	if x := c.value(r, 0); !slices.Contains(months["2"], x) {
		t.Errorf("%g after the change is of no flight in February", x)
	}
	if _, err := (regimes{"flights", "humid", "1", "13", number}).change(months); err == nil {
		t.Error("a thirteenth month is taken")
	}
	codes, err := monthly("../../"+flightsFile, byMonth, "origin", category)
	if err != nil || slices.Max(codes["7"]) != 2 {
		t.Errorf("three airports are not categories 0 to 2: %v", err)
	}
	if _, err := monthly("nowhere.csv", byMonth, "humid", number); err == nil {
		t.Error("a file that is not there is read")
	}
}

func TestParseFindings(t *testing.T) {
	found, err := parseFindings(strings.NewReader(`a package says something
{"version": "0.26.1", "package": "river"}
{"change": "mean 1 sd", "package": "river", "detector": "ADWIN", "values": true, "setting": "delta 0.001", "variant": "", "size": 0, "delays": [53, 0, 40], "early": 1}
{"change": "mean 1 sd", "package": "evidently", "detector": "PSI", "values": false, "setting": "score > 0.1", "variant": "", "size": 400, "delays": [124, 0, 0], "early": 0}
`))
	if err != nil || len(found) != 3 {
		t.Fatalf("%d findings, %v", len(found), err)
	}
	if found[0].Version != "0.26.1" || found[0].Change != "" {
		t.Errorf("%+v is no version", found[0])
	}
	adwin, psi := found[1], found[2]
	if got := adwin.cell(); got != "53, 67 % see it" || adwin.what() != "ADWIN" || !adwin.Values || adwin.Early != 1 {
		t.Errorf("%q of %+v", got, adwin)
	}
	if got := psi.cell(); got != "never, 33 % see it" || psi.what() != "PSI, 400 rows" || psi.Values {
		t.Errorf("%q of %+v", got, psi)
	}
	if best, ok := findings(found).of("mean 1 sd", func(finding) bool { return true }).best(); !ok || best.Detector != "ADWIN" {
		t.Errorf("the soonest is %+v", best)
	}
	adwin.Early = 9
	if best, ok := (findings{adwin, psi}).best(); !ok || best.Detector != "PSI" {
		t.Errorf("the soonest is %+v, that fires always", best)
	}
	for _, bad := range []string{`{"change": "mean 1 sd", "delays": []}`, `{"change": 1}`, `{`} {
		if _, err := parseFindings(strings.NewReader(bad)); err == nil {
			t.Errorf("%s is taken for a finding", bad)
		}
	}
}
