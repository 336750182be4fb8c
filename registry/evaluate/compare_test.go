package evaluate_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leeway-dev/leeway/registry/evaluate"
)

func compare(t *testing.T, text string, o evaluate.Options) evaluate.Comparison {
	t.Helper()
	c, err := evaluate.Compare("f.csv", strings.NewReader(text), o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCompare(t *testing.T) {
	close := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) <= 1e-12*max(1, math.Abs(a)) })
	for _, tt := range []struct {
		name, text string
		losses     bool
		want       evaluate.Comparison
	}{
		// Differences 3, 1, 2: mean 2, variance 1, of which the third is the mean's.
		{"numbers", "actual,3,1\n10,14,11\n20,17,18\n5,8,6\n", false, evaluate.Comparison{Rows: 3, Loss: "mae", Live: 10.0 / 3,
			Versions: []evaluate.Compared{{1, 4.0 / 3, 2, math.Sqrt(1.0 / 3)}}}},
		{"probabilities", "3,actual,1\n0.5,1,0.8\n0.5,0,0.2\n", false, evaluate.Comparison{Rows: 2, Loss: "log_loss", Live: math.Log(2),
			Versions: []evaluate.Compared{{1, -math.Log(0.8), math.Log(2) + math.Log(0.8), 0}}}},
		{"classes", "actual,3,v1\ncat,dog,cat\ncat,cat,cat\n", false, evaluate.Comparison{Rows: 2, Loss: "error", Live: 0.5,
			Versions: []evaluate.Compared{{1, 0, 0.5, 0.5}}}},
		{"losses", "1,3,2\n-1,0.5,0.5\n-1,0.5,1.5\n", true, evaluate.Comparison{Rows: 2, Loss: "loss", Live: 0.5,
			Versions: []evaluate.Compared{{1, -1, 1.5, 0}, {2, 1, -0.5, 0.5}}}},
		{"one that is to be registered, and one that was not evaluated", "actual,self,3,4\n1,1,2,\n1,1,2,\n", false,
			evaluate.Comparison{Rows: 2, Loss: "mae", Live: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, compare(t, tt.text, evaluate.Options{Against: 3, Losses: tt.losses}), close); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestCompareRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		o          evaluate.Options
		says       string
	}{
		{"not there", "actual,1\n1,1\n2,2\n", evaluate.Options{Against: 3}, "no predictions of version 3"},
		{"empty", "actual,1,3\n1,1,\n2,2,\n", evaluate.Options{Against: 3}, "no predictions of version 3"},
		{"none was named", "actual,1,self\n1,1,1\n", evaluate.Options{}, "no predictions of version 0"},
		{"one row", "actual,1,3\n1,1,1\n", evaluate.Options{Against: 3}, "one row"},
		{"two data sets", "dataset,actual,1,3\na,1,1,1\nb,1,1,1\n", evaluate.Options{Against: 3}, "2 data sets"},
		{"few blocks", "actual,1,3\n" + strings.Repeat("1,1,2\n", 99), evaluate.Options{Against: 3, Block: 10}, "99 rows make fewer than 10 blocks of 10"},
		{"too large", "actual,1,3\n1,-1e308,1e308\n1,-1e308,1e308\n", evaluate.Options{Against: 3}, "too large to add up"},
		{"truth with losses", "actual,1,3\n1,1,1\n", evaluate.Options{Against: 3, Losses: true}, `there is a column "actual"`},
		{"losses that are none", "1,3\n1,1\ncat,1\n", evaluate.Options{Against: 3, Losses: true}, `line 3: column "1": "cat" is no number`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := evaluate.Compare("f.csv", strings.NewReader(tt.text), tt.o)
			if !errors.Is(err, evaluate.ErrFile) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v, want it to say %q", err, tt.says)
			}
		})
	}
}

// alike writes rows whose losses keep to those before by so much, and whose versions
// do not differ: 1 loses what 3 does, and noise.
func alike(r *rand.Rand, rows int, keep float64) string {
	var b strings.Builder
	b.WriteString("1,3\n")
	x := r.NormFloat64()
	for range rows {
		x = keep*x + math.Sqrt(1-keep*keep)*r.NormFloat64()
		fmt.Fprintf(&b, "%g,%g\n", 5+x, 5.0)
	}
	return b.String()
}

// Of two that do not differ one is beyond two standard errors about one time in 40,
// also where rows near each other are alike. By the standard error of independent rows
// it would be one time in three there.
func TestRowsThatAreAlike(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for _, tt := range []struct {
		keep        float64
		atMost, low float64 // share of false verdicts
	}{{0, 0.05, 0.003}, {0.9, 0.07, 0.003}} {
		beyond, naive, runs := 0, 0, 300
		for range runs {
			c := compare(t, alike(r, 4000, tt.keep), evaluate.Options{Against: 3, Losses: true})
			v := c.Versions[0]
			if v.Gain > 2*v.StandardError {
				beyond++
			}
			if v.Gain > 2/math.Sqrt(4000) {
				naive++
			}
		}
		share := float64(beyond) / float64(runs)
		t.Logf("rows that keep %g of the one before: %.1f%% are beyond two standard errors by chance; by those of independent rows %.1f%%",
			tt.keep, 100*share, 100*float64(naive)/float64(runs))
		if share > tt.atMost || share < tt.low {
			t.Errorf("keep %g: %.3f, want %.3f to %.3f", tt.keep, share, tt.low, tt.atMost)
		}
	}
}

// Blocks whose size is found agree with those that were said to be so long.
func TestBlocks(t *testing.T) {
	text := alike(rand.New(rand.NewPCG(3, 3)), 32*100, 0.95)
	found := compare(t, text, evaluate.Options{Against: 3, Losses: true}).Versions[0].StandardError
	said := compare(t, text, evaluate.Options{Against: 3, Losses: true, Block: 128}).Versions[0].StandardError
	if math.Abs(found-said) > 1e-9*said { // 3,200 rows are 25 blocks of 128
		t.Errorf("found %g, said %g", found, said)
	}
	if short := compare(t, text, evaluate.Options{Against: 3, Losses: true, Block: 1}).Versions[0].StandardError; short > found/2 {
		t.Errorf("rows by themselves: %g, in blocks %g", short, found)
	}
}

// Whatever a file holds: an error, or finite numbers.
func FuzzCompare(f *testing.F) {
	f.Add([]byte("actual,3,1\n1,0.3,0.2\n0,1e300,1\n"), false, int64(0))
	f.Add([]byte("3,1\n1,0.3\n0,-1e300\n"), true, int64(1))
	f.Fuzz(func(t *testing.T, b []byte, losses bool, block int64) {
		c, err := evaluate.Compare("f", bytes.NewReader(b), evaluate.Options{Against: 3, Losses: losses, Block: max(block, 0)})
		if err != nil {
			if !errors.Is(err, evaluate.ErrFile) {
				t.Fatal(err)
			}
			return
		}
		for _, v := range c.Versions {
			if x := v.Mean + v.Gain + v.StandardError; c.Rows < 2 || math.IsNaN(v.Mean) || math.IsInf(v.Gain, 0) || v.StandardError < 0 || math.IsNaN(x) {
				t.Fatalf("%+v", c)
			}
		}
	})
}
