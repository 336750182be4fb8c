package profile_test

import (
	"math"
	"strings"
	"testing"

	"github.com/leeway-dev/leeway/registry/dataset"
)

// Ranks are those of the values, whatever the order of the bins in the profile, and
// their mean over the rows is a half.
func TestMeanRanks(t *testing.T) {
	var csv strings.Builder
	csv.WriteString("x,word\n")
	for i := range 1000 {
		cell := strings.Repeat("9", 1+i%3) // 9, 99, 999: a third each, heavy
		if i%10 == 0 {
			cell = ""
		}
		csv.WriteString(cell + ",w\n")
	}
	p, _, err := dataset.FromCSV("x.csv", strings.NewReader(csv.String()), dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if ranks := p.Features[1].MeanRanks(); ranks != nil {
		t.Errorf("categories have ranks: %v", ranks)
	}
	c := p.Features[0]
	ranks, mean := c.MeanRanks(), 0.0
	want := map[string]float64{"00": 1.0 / 6, "01": 3.0 / 6, "02": 5.0 / 6, "far_under": 0, "under": 0, "over": 1, "far_over": 1}
	for i, bin := range c.Bins {
		if bin.Name == "missing" {
			if !math.IsNaN(ranks[i]) {
				t.Errorf("missing values have the rank %g", ranks[i])
			}
			continue
		}
		mean += float64(bin.Count) / float64(c.Rows-c.Missing) * ranks[i]
		if math.Abs(ranks[i]-want[bin.Name]) > 1e-12 {
			t.Errorf("bin %s has the rank %g, want %g", bin.Name, ranks[i], want[bin.Name])
		}
	}
	if math.Abs(mean-0.5) > 1e-12 {
		t.Errorf("the mean rank is %g", mean)
	}
	c.Missing = c.Rows
	if ranks := c.MeanRanks(); ranks != nil {
		t.Errorf("a column without a value has ranks: %v", ranks)
	}
}
