package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/registry/atlas"
	"github.com/leeway-dev/leeway/registry/profile"
)

// The learner learns what can be learned, by numbers, categories and missing
// values, and no more than the noise leaves.
func TestTrain(t *testing.T) {
	s := &stream{columns: []column{{name: "x"}, {name: "k", categories: []string{"a", "b", "c"}}}, targets: []target{{"y", squared}, {"late", logarithmic}}}
	draw := func(n int, seed uint64) (rows []row) {
		r := rand.New(rand.NewPCG(seed, 1))
		for range n {
			x, k := 4*r.Float64()-2, float64(r.IntN(3))
			y := x*x + 2*k + 0.3*r.NormFloat64()
			late := 0.0
			if x > 0 != (r.Float64() < 0.1) {
				late = 1
			}
			if r.Float64() < 0.05 {
				x = math.NaN()
			}
			rows = append(rows, row{x: []float64{x, k}, y: []float64{y, late}})
		}
		return rows
	}
	test := draw(4000, 2)
	all := make([]int, len(test))
	for i := range all {
		all[i] = i
	}
	// With every twentieth x missing the best that can be is 0.40 and 0.344.
	for target, limits := range [][2]float64{{0.39, 0.52}, {0.32, 0.40}} {
		m := train(s, draw(6000, 1), target)
		predicted := make([]float64, len(test))
		for i := range test {
			predicted[i] = m.predict(&test[i])
		}
		if e := judge(s.targets[target].loss, predicted, test, target, all); e < limits[0] || e > limits[1] {
			t.Errorf("%s: error %.3f, want %.3f to %.3f", s.targets[target].name, e, limits[0], limits[1])
		}
	}
}

func TestJudge(t *testing.T) {
	rows := []row{{y: []float64{1}}, {y: []float64{0}}, {y: []float64{9}}}
	for l, want := range map[loss]float64{absolute: 0.375, squared: math.Sqrt((0.0625 + 0.25) / 2), logarithmic: -(math.Log(0.75) + math.Log(0.5)) / 2} {
		if got := judge(l, []float64{0.75, 0.5, 0}, rows, 0, []int{0, 1}); math.Abs(got-want) > 1e-12 {
			t.Errorf("loss %d: %g, want %g", l, got, want)
		}
	}
}

// The rows that are shipped and made: whole, in order, and none of them both
// trains and judges.
func TestStreams(t *testing.T) {
	for _, name := range []string{"flights", "bikes", "hyperplane", "sea"} {
		s, err := load(name, "../profile/testdata/flights-8000-per-month.csv.gz", "data", regretBlocks)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range s.rows {
			if len(r.x) != len(s.columns) || len(r.y) != len(s.targets) || r.block >= s.blocks {
				t.Fatalf("%s: row %d: %+v", name, i, r)
			}
			if i > 0 && r.at.Before(s.rows[i-1].at.Add(-24*time.Hour)) {
				t.Fatalf("%s: row %d is out of order", name, i)
			}
		}
		for _, way := range []string{"half", "even-odd"} {
			p := parts(s, way)
			seen := map[int]bool{}
			for b := range s.blocks {
				for _, list := range [][]int{p.train[b], p.held[b], p.test[b]} {
					if len(list) == 0 {
						t.Errorf("%s, %s: block %d has an empty part", name, way, b)
					}
					for _, i := range list {
						if seen[i] {
							t.Fatalf("%s, %s: row %d is in two parts", name, way, i)
						}
						seen[i] = true
					}
				}
			}
			if len(seen) != len(s.rows) {
				t.Errorf("%s, %s: %d of %d rows have a part", name, way, len(seen), len(s.rows))
			}
			for _, w := range p.windows {
				if w.kind != "s" && s.rows[w.rows[len(w.rows)-1]].day >= s.rows[w.judged[0]].day {
					t.Fatalf("%s: a window is judged by its own days", name)
				}
			}
		}
		t.Logf("%s: %d rows, %d blocks", name, len(s.rows), s.blocks)
	}
}

// On a small stream of regimes the rules come out as they must: the right
// version beats a random one, and labels of the window do, too.
func TestStudy(t *testing.T) {
	if testing.Short() {
		t.Skip("trains models: some seconds")
	}
	s := hyperplane(9)
	p, err := newSplit(s, "even-odd")
	if err != nil {
		t.Fatal(err)
	}
	results := map[string]*regrets{}
	if err := measure(p, 0).all(results); err != nil {
		t.Fatal(err)
	}
	r := results["R L even-odd"]
	if r == nil || r.gated.gates[atlas.Open] != 9 {
		t.Fatalf("the gates of 9 blocks: %+v", r)
	}
	regret := func(rule string) float64 { m, _, _ := r.mean(rule); return m }
	random := regret("stay with any, random")
	for _, rule := range []string{"atlas", "closest", "labels of the window", "labels and atlas"} {
		if regret(rule) > random/4 {
			t.Errorf("regret of %s %.0f %%, of a random version %.0f %%", rule, regret(rule), random)
		}
	}
	var out strings.Builder
	s.print(&out, "class", results)
	var g goals
	g.add("hyperplane class", results)
	g.print(&out)
	if text := out.String(); !strings.Contains(text, "| atlas |") || !strings.Contains(text, "at most 5 % |") {
		t.Error(text)
	}
}

// Thresholds, areas and versions of a table that can be checked by hand.
func TestExcess(t *testing.T) {
	e := excess{own: []float64{-2, -1, -1, 1}, novel: []float64{-1.5, 0.5, 2, 3}}
	e.versions = [][]float64{e.novel[:2], e.novel[2:]}
	if got, want := e.String(), "75.0 | 75.0 | 50.0 | 0, 100 | 75.0"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// Columns that move together count less than what they do apart.
func TestMahalanobis(t *testing.T) {
	c := &contest{binners: make([]*profile.Binner, 2)}
	for i := range 100 {
		x := 0.1 * math.Sin(float64(i))
		c.blocks = append(c.blocks, block{apart: []float64{0.3 + x, 0.3 + x}})
	}
	d := c.mahalanobis()
	if together, apart := d([]float64{0.4, 0.4}), d([]float64{0.3 + 0.1*math.Sqrt2, 0.2}); together > 0.9*apart || d([]float64{0.2, 0.2}) != 0 {
		t.Errorf("together %.2f, apart %.2f, below %.2f", together, apart, d([]float64{0.2, 0.2}))
	}
}

// On a stream whose regimes have inputs of their own every test tells them, and
// best the one that knows both.
func TestCeiling(t *testing.T) {
	if testing.Short() {
		t.Skip("trains a model and compares hundreds of blocks: some seconds")
	}
	s := hyperplane(40)
	days := 0
	trial := s.groups()[0].trials[0]
	trial.own[ceilingLength], trial.novel[ceilingLength] = trial.own[ceilingLength][:8], trial.novel[ceilingLength][:40]
	c, ok, err := s.newContest(trial)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	for _, b := range c.blocks {
		days = max(days, int(b.to-b.from))
	}
	tests, err := c.tests()
	if err != nil || len(tests) != 7 || days != 10 {
		t.Fatalf("%d tests, blocks of %d days: %v", len(tests), days, err)
	}
	for _, one := range tests {
		var e excess
		if err := e.add(c, one); err != nil {
			t.Fatal(err)
		}
		if slices.Min(e.own) > 0 || slices.Max(e.novel) < 0 || slices.Max(e.own) > slices.Max(e.novel) {
			t.Errorf("%s: own %.2f, novel %.2f", one.name, e.own, e.novel)
		}
		if one.name == tests[6].name && slices.Min(e.novel) < slices.Max(e.own) {
			t.Errorf("who knows both regimes does not tell them: own %.2f, novel %.2f", e.own, e.novel)
		}
	}
}

func TestColumnsOutside(t *testing.T) {
	c := profile.Comparison{Columns: []profile.ColumnComparison{{Distance: 0.1}, {Distance: 0.3}}}
	if got := columnsOutside(c, func(int) float64 { return 0.2 }); len(got) != 1 || got[0] != 1 {
		t.Errorf("outside: %v", got)
	}
}
