package profile_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/leeway-dev/leeway/registry/dataset"
	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/registry/profile/summary"
)

func names(columns []profile.Column) string {
	var list []string
	for _, c := range columns {
		list = append(list, fmt.Sprintf("%s %s %d", c.Name, c.Type, c.Missing))
	}
	return strings.Join(list, ", ")
}

func trainOn(t *testing.T, csv string, o dataset.Options) *profile.Profile {
	t.Helper()
	p, _, err := dataset.FromCSV("t.csv", strings.NewReader(csv), o)
	if err != nil {
		t.Fatal(err)
	}
	return reread(t, p)
}

// embeddings is a CSV of vectors around a point.
func embeddings(seed uint64, center float64) string {
	rng := rand.New(rand.NewPCG(seed, 1))
	var csv strings.Builder
	csv.WriteString("n,emb\n")
	for i := range 500 {
		var list []string
		for range 32 {
			list = append(list, fmt.Sprintf("%.4f", center+rng.NormFloat64()))
		}
		fmt.Fprintf(&csv, "%d,\"[%s]\"\n", i%7, strings.Join(list, ","))
	}
	return csv.String()
}

// A column of vectors becomes columns of numbers, which compare as any other.
func TestVectorColumn(t *testing.T) {
	p := trainOn(t, "emb,a\n\"[3,4]\",1\n\"[1, null]\",2\n,3\n[],4\n\"[-3,-4,0]\",5\n", dataset.Options{})
	want := "emb[norm] number 3, emb[p0] number 3, emb[p1] number 3, emb[p2] number 3, emb[p3] number 3, " +
		"emb[p4] number 3, emb[p5] number 3, emb[p6] number 3, emb[p7] number 3, a number 0"
	if got := names(p.Features); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if q := p.Features[0].Quantiles; q[0] != 5 || q[len(q)-1] != 5 {
		t.Errorf("norms from %v to %v", q[0], q[len(q)-1])
	}
	of := summary.Of([]float64{3, 4})
	if q := p.Features[1].Quantiles; q[0] != of[1] && q[len(q)-1] != of[1] {
		t.Errorf("projections from %v to %v, want %v among them", q[0], q[len(q)-1], of[1])
	}
	january, again := trainOn(t, embeddings(1, 0), dataset.Options{}), trainOn(t, embeddings(2, 0), dataset.Options{})
	july := trainOn(t, embeddings(3, 2), dataset.Options{})
	same, err := profile.Compare(january, again)
	if err != nil {
		t.Fatal(err)
	}
	other, err := profile.Compare(january, july)
	if err != nil || other.Mean < 3*same.Mean {
		t.Errorf("distance %v, to other vectors %v, %v", same.Mean, other.Mean, err)
	}
}

// What is not a vector in every row is what it was: categories.
func TestNoVectorColumn(t *testing.T) {
	for _, cell := range []string{`x`, `"[1,x]"`, `"[[1],[2]]"`, `"[1e200,1e200]"`, `"[1e999]"`, `3`} {
		p := trainOn(t, "v,a\n\"[1,2]\",1\n"+cell+",2\n", dataset.Options{})
		if got := names(p.Features); got != "v category 0, a number 0" {
			t.Errorf("%s: %s", cell, got)
		}
	}
	p := trainOn(t, "v,a\n\"[1,2]\",1\n", dataset.Options{Types: map[string]profile.Type{"v": profile.Category}})
	if got := names(p.Features); got != "v category 0, a number 0" {
		t.Errorf("told to be a category: %s", got)
	}
	if p = trainOn(t, "v,a\n[],1\n[],1\n", dataset.Options{}); names(p.Features) != "v category 0, a number 0" {
		t.Errorf("without a value: %s", names(p.Features))
	}
}

// Probabilities of classes get a column more, whose bins are those of a probability.
func TestHighest(t *testing.T) {
	var csv strings.Builder
	csv.WriteString("a,cat,dog,cow\n")
	for i := range 100 {
		p := 0.4 + float64(i)/200
		fmt.Fprintf(&csv, "%d,%.4f,%.4f,%.4f\n", i, p, (1-p)/4, 3*(1-p)/4)
	}
	classes := []string{"cat", "dog", "cow"}
	p := trainOn(t, csv.String()+"1,0.2,,0.8\n", dataset.Options{Predictions: classes})
	if got := names(p.Predictions); got != "cat number 0, dog number 1, cow number 0, [highest] number 1" {
		t.Fatal(got)
	}
	c := p.Predictions[3]
	if !c.Probability || len(c.Bins) != 25 || math.Abs(c.Quantiles[0]-0.42) > 0.03 || c.Quantiles[1024] != 0.895 {
		t.Errorf("%d bins, probability %v, from %v to %v", len(c.Bins), c.Probability, c.Quantiles[0], c.Quantiles[1024])
	}
	for why, row := range map[string]string{"a sum of 1.1": "1,0.5,0.5,0.1\n", "a score": "1,-1,1,1\n"} {
		p := trainOn(t, csv.String()+row, dataset.Options{Predictions: classes})
		if n := len(p.Predictions); n != 3 {
			t.Errorf("%s: %d predictions", why, n)
		}
	}
	if p := trainOn(t, csv.String(), dataset.Options{Predictions: []string{"cat"}}); len(p.Predictions) != 1 {
		t.Errorf("of one: %d predictions", len(p.Predictions))
	}
}

// Vectors that were observed can be adopted, under the same names, without taking a norm for a probability.
func TestAdoptVectors(t *testing.T) {
	name := func(i int) string { return "out" + summary.Suffix(i) }
	var columns []profile.Column
	for i := range summary.Size {
		columns = append(columns, profile.Column{Name: name(i), Type: profile.Number})
	}
	r := recorder(t, nil, columns)
	r.Lock(noon)
	r.AddRows(100)
	for row := range 100 {
		of := summary.Of([]float64{0.5, float64(row) / 400})
		for i := range columns {
			r.Output(i).Number(of[i])
		}
	}
	r.Unlock()
	p, _, err := profile.Adopt(profile.AdoptOptions{}, r.Profile(noon, noon))
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range reread(t, p).Predictions {
		if c.Name != name(i) || c.Probability || len(c.Bins) > 15 {
			t.Errorf("%s: %d bins, probability %v", c.Name, len(c.Bins), c.Probability)
		}
	}
}
