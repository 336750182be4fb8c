package atlas_test

import (
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/registry/atlas"
)

var nan, inf = math.NaN(), math.Inf(1)

type golden struct {
	Name      string       `json:"name"`
	Error     [][]*float64 `json:"error"`
	Apart     [][]float64  `json:"apart"`
	Trained   [][]bool     `json:"trained"`
	Width     *float64     `json:"width"`
	R2        float64      `json:"r2"`
	S         float64      `json:"s"`
	T         float64      `json:"t"`
	Datasets  int          `json:"datasets"`
	Today     []float64    `json:"today"`
	Predicted []float64    `json:"predicted"`
	Labels    []float64    `json:"labels"`
	Rows      int64        `json:"rows"`
	Blended   []float64    `json:"blended"`
}

func (g golden) table() atlas.Table {
	t := atlas.Table{Apart: g.Apart, Trained: g.Trained}
	for _, row := range g.Error {
		var out []float64
		for _, e := range row {
			if e == nil {
				out = append(out, nan)
			} else {
				out = append(out, *e)
			}
		}
		t.Error = append(t.Error, out)
	}
	return t
}

// What numpy computes from the description of the rule (testdata/golden.py).
func TestGolden(t *testing.T) {
	b, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []golden
	if err := json.Unmarshal(b, &cases); err != nil {
		t.Fatal(err)
	}
	gates := map[atlas.Gate]int{}
	for _, g := range cases {
		t.Run(g.Name, func(t *testing.T) {
			a := fit(t, g.table())
			width := inf
			if g.Width != nil {
				width = *g.Width
			}
			if a.Width != width || a.Datasets != g.Datasets {
				t.Errorf("width %g over %d data sets, want %g over %d", a.Width, a.Datasets, width, g.Datasets)
			}
			near(t, "R2", a.R2, g.R2)
			near(t, "S", a.S, g.S)
			near(t, "T", a.T, g.T)
			p := predict(t, a, g.Today, nil)
			for i, want := range g.Predicted {
				near(t, "predicted", p.Log[i], want)
			}
			p = predict(t, a, g.Today, &atlas.Labels{Rows: g.Rows, Span: atlas.MinSpan, Error: g.Labels})
			for i, want := range g.Blended {
				near(t, "blended", p.Log[i], want)
			}
			want := atlas.Closed
			if a.Datasets < atlas.GateDatasets {
				want = atlas.NoGate
			} else if g.R2 >= atlas.GateR2 && g.T >= atlas.GateT {
				want = atlas.Open
			}
			if a.Gate != want {
				t.Errorf("gate %s, want %s", a.Gate, want)
			}
			gates[a.Gate]++
			t.Logf("%s (width %g, S %.3f, T %.1f)", a, a.Width, a.S, a.T)
		})
	}
	if len(gates) != 3 {
		t.Errorf("only the gates %v were seen", gates)
	}
}

// regimes is a table of three regimes that come in turn; a version is good in
// its own, and the levels of the data sets differ.
func regimes(n int, seed uint64) atlas.Table {
	r := rand.New(rand.NewPCG(seed, 1))
	var t atlas.Table
	for i := range n {
		var e, d []float64
		for j := range n {
			apart, x := 0.05+0.02*r.Float64(), 0.1*r.NormFloat64()
			if i%3 != j%3 {
				apart, x = apart+0.3, x+0.5
			}
			if i == j {
				apart = 0
			}
			e, d = append(e, math.Exp(x+0.5*math.Sin(float64(j)))), append(d, apart)
		}
		t.Error, t.Apart = append(t.Error, e), append(t.Apart, d)
	}
	return t
}

func TestSwitchesToTheRegime(t *testing.T) {
	table := regimes(12, 1)
	a := fit(t, table)
	if a.Gate != atlas.Open {
		t.Fatalf("%s", a)
	}
	today := make([]float64, 12)
	for j := range today {
		if today[j] = 0.1; j%3 != 1 {
			today[j] = 0.4
		}
	}
	p := predict(t, a, today, nil)
	best := p.Best(func(int) bool { return true })
	if best%3 != 1 || !p.Better(0, best) {
		t.Errorf("best is %d, better than 0: %v; want one of regime 1", best, p.Better(0, best))
	}
	if p.Better(best, 0) || p.Better(1, best) && best != 1 {
		t.Error("it would leave the right regime")
	}
	if only := p.Best(func(i int) bool { return i == 0 }); only != 0 {
		t.Errorf("of version 0 alone the best is %d", only)
	}
	if none := p.Best(func(int) bool { return false }); none != -1 || p.Better(none, 0) || p.Better(0, none) {
		t.Errorf("of none the best is %d", none)
	}
}

// One data set like today's on which it was worse is enough not to switch; one
// that is unlike today's says nothing, and nothing measured is no reason either.
func TestSwitchesWhereAllAgree(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(table *atlas.Table, best int)
		want   bool
	}{
		{"all agree", func(*atlas.Table, int) {}, true},
		{"one does not", func(table *atlas.Table, best int) {
			table.Error[0][10] = 0.99 * table.Error[best][10]
		}, false},
		{"one that is unlike today does not", func(table *atlas.Table, best int) {
			table.Error[0][3] = 0.99 * table.Error[best][3]
		}, true},
		{"nothing like today was measured", func(table *atlas.Table, _ int) {
			for _, j := range []int{1, 4, 7, 10} {
				table.Error[0][j] = math.NaN()
			}
		}, false},
	} {
		table, today := regimes(12, 1), make([]float64, 12)
		for j := range today {
			if today[j] = 0.1; j%3 != 1 {
				today[j] = 0.4
			}
		}
		for i := range table.Error {
			for j := range table.Error[i] {
				if i%3 != j%3 {
					table.Error[i][j] *= 2 // so that three of four data sets are margin enough
				}
			}
		}
		all := func(int) bool { return true }
		best := predict(t, fit(t, table), today, nil).Best(all)
		tt.change(&table, best)
		a := fit(t, table)
		p := predict(t, a, today, nil)
		if a.Gate != atlas.Open || p.Best(all) != best || p.Log[0]-p.Log[best] < p.MinGain {
			t.Fatalf("%s: %s, best %d and not %d, gain %g of %g", tt.name, a, p.Best(all), best, p.Log[0]-p.Log[best], p.MinGain)
		}
		if got := p.Better(0, best); got != tt.want {
			t.Errorf("%s: better is %v", tt.name, got)
		}
	}
}

// Inputs that do not order the versions never switch, whatever they say.
func TestClosedNeverSwitches(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	open := 0
	for seed := range uint64(100) {
		table := regimes(12, seed)
		for i := range table.Error { // each version has its level, and no regime
			for j := range table.Error[i] {
				table.Error[i][j] = math.Exp(0.1*float64(i%5) + 0.2*r.NormFloat64())
			}
		}
		a := fit(t, table)
		if a.Gate == atlas.Open {
			open++
			continue
		}
		p := predict(t, a, table.Apart[0], nil)
		for i := range 12 {
			for j := range 12 {
				if p.Better(i, j) {
					t.Fatalf("seed %d: %s, and yet it switches from %d to %d", seed, a, i, j)
				}
			}
		}
	}
	t.Logf("%d of 100 gates are open", open)
	if open > 2 {
		t.Errorf("%d of 100 gates are open", open)
	}
}

// What must not matter: the unit of the error, the level of a data set, and the
// order of versions and data sets.
func TestInvariance(t *testing.T) {
	for seed := range uint64(20) {
		table := regimes(10, seed)
		r := rand.New(rand.NewPCG(seed, 2))
		for range 12 {
			table.Error[r.IntN(10)][r.IntN(10)] = nan
		}
		base := fit(t, table)
		today := table.Apart[r.IntN(10)]
		p := predict(t, base, today, nil)

		scaled, order := regimes(10, seed), r.Perm(10)
		for i := range order {
			for j := range order {
				x := table.Error[order[i]][order[j]]
				scaled.Error[i][j] = 60 * math.Exp(math.Cos(float64(order[j]))) * x
				scaled.Apart[i][j] = table.Apart[order[i]][order[j]]
			}
		}
		var moved []float64
		for _, i := range order {
			moved = append(moved, today[i])
		}
		a := fit(t, scaled)
		if a.Width != base.Width || a.Datasets != base.Datasets || a.Gate != base.Gate {
			t.Errorf("seed %d: %v became %v", seed, base, a)
		}
		near(t, "R2", a.R2, base.R2)
		near(t, "S", a.S, base.S)
		near(t, "T", a.T, base.T)
		q := predict(t, a, moved, nil)
		for i := range order {
			near(t, "difference", q.Log[i]-q.Log[0], p.Log[order[i]]-p.Log[order[0]])
		}
	}
}

// A table that is a level of the version plus a level of the data set is known
// wholly, whatever is missing of it.
func TestMissing(t *testing.T) {
	table := regimes(9, 5)
	for i := range table.Error {
		for j := range table.Error[i] {
			if table.Error[i][j] = math.Exp(0.1*float64(i) + math.Sin(float64(j))); (i+2*j)%3 == 0 && i != j {
				table.Error[i][j] = nan
			}
		}
	}
	a := fit(t, table)
	near(t, "R2", a.R2, 0)
	p := predict(t, a, table.Apart[4], nil)
	for i := range 9 {
		near(t, "predicted", p.Log[i]-p.Log[0], 0.1*float64(i))
	}
}

func TestTooLittle(t *testing.T) {
	few := func(n int) atlas.Table { return regimes(n, 1) }
	alone := regimes(12, 1)
	for j := range alone.Error[11] { // version 11 was measured on two data sets
		if j > 1 {
			alone.Error[11][j] = nan
		}
	}
	apart := regimes(12, 1) // two families that were never compared
	for i := range apart.Error {
		for j := range apart.Error[i] {
			if i < 7 != (j < 7) {
				apart.Error[i][j] = nan
			}
		}
	}
	for _, tt := range []struct {
		name      string
		table     atlas.Table
		gate      atlas.Gate
		predicted int
		datasets  int
	}{
		{"nothing", atlas.Table{}, atlas.NoGate, 0, 0},
		{"one", few(1), atlas.NoGate, 0, 0},
		{"two", few(2), atlas.NoGate, 0, 0},
		{"three", few(3), atlas.NoGate, 3, 3},
		{"seven", few(7), atlas.NoGate, 7, 7},
		{"eight", few(8), atlas.Open, 8, 8},
		{"a version of two data sets", alone, atlas.Open, 11, 12},
		{"two families: the larger counts", apart, atlas.NoGate, 7, 7},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := fit(t, tt.table)
			p := predict(t, a, make([]float64, len(tt.table.Apart)), nil)
			n := 0
			for _, x := range p.Log {
				if !math.IsNaN(x) {
					n++
				}
			}
			if a.Gate != tt.gate || n != tt.predicted || a.Datasets != tt.datasets {
				t.Errorf("gate %s, %d predicted, %d data sets; want %s, %d, %d", a.Gate, n, a.Datasets, tt.gate, tt.predicted, tt.datasets)
			}
			if tt.gate == atlas.NoGate && !strings.Contains(a.String(), "not known") {
				t.Errorf("it says %q", a)
			}
		})
	}
}

func TestLabels(t *testing.T) {
	a := fit(t, regimes(12, 1))
	today := regimes(12, 1).Apart[0]
	e := make([]float64, 12)
	for i := range e {
		e[i] = 1
	}
	e[5] = 0.5
	all := func(int) bool { return true }
	p := predict(t, a, today, &atlas.Labels{Rows: 5000, Span: 24 * time.Hour, Error: e})
	if p.Labelled {
		t.Error("labels of one day were believed")
	}
	p = predict(t, a, today, &atlas.Labels{Rows: 50000, Span: 6 * 24 * time.Hour, Error: e})
	if !p.Labelled || p.Best(all) != 5 || !p.Better(0, 5) {
		t.Errorf("labels of six days: used %v, best %d", p.Labelled, p.Best(all))
	}
	p = predict(t, a, today, &atlas.Labels{Rows: 1, Span: 6 * 24 * time.Hour, Error: e})
	if p.Best(all) == 5 {
		t.Error("one labelled row outweighs the atlas")
	}
	e[0] = nan
	p = predict(t, a, today, &atlas.Labels{Rows: 5000, Span: 6 * 24 * time.Hour, Error: e})
	if p.Better(0, 5) || !math.IsNaN(p.Log[0]) {
		t.Error("a version without labels was compared with versions that have some")
	}
	// Nothing is known but labels.
	p = predict(t, fit(t, atlas.Table{}), nil, &atlas.Labels{Rows: 5000, Span: 6 * 24 * time.Hour, Error: e})
	if !p.Labelled || p.Best(all) != 5 || !p.Better(3, 5) {
		t.Errorf("labels alone: used %v, best %d", p.Labelled, p.Best(all))
	}
}

func TestRefuses(t *testing.T) {
	bad := func(change func(*atlas.Table)) atlas.Table {
		table := regimes(4, 1)
		change(&table)
		return table
	}
	for name, table := range map[string]atlas.Table{
		"error of 0":        bad(func(t *atlas.Table) { t.Error[1][2] = 0 }),
		"infinite error":    bad(func(t *atlas.Table) { t.Error[1][2] = inf }),
		"short row":         bad(func(t *atlas.Table) { t.Error[1] = t.Error[1][:2] }),
		"no distance":       bad(func(t *atlas.Table) { t.Apart[1][2] = nan }),
		"short distances":   bad(func(t *atlas.Table) { t.Apart[1] = t.Apart[1][:1] }),
		"marks of too few":  bad(func(t *atlas.Table) { t.Trained = [][]bool{{true}} }),
		"marks too short":   bad(func(t *atlas.Table) { t.Trained = [][]bool{{}, {}, {}, {}} }),
		"negative distance": bad(func(t *atlas.Table) { t.Apart[0][1] = -1 }),
	} {
		if _, err := atlas.Fit(table); !errors.Is(err, atlas.ErrTable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	a := fit(t, regimes(9, 1))
	if _, err := a.Predict([]float64{0.1}, nil); !errors.Is(err, atlas.ErrTable) {
		t.Errorf("a window without distances: %v", err)
	}
}

func BenchmarkFit(b *testing.B) {
	table := regimes(64, 1)
	table.Error[3][4] = nan
	for b.Loop() {
		if _, err := atlas.Fit(table); err != nil {
			b.Fatal(err)
		}
	}
}

func fit(t *testing.T, table atlas.Table) *atlas.Atlas {
	t.Helper()
	a, err := atlas.Fit(table)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func predict(t *testing.T, a *atlas.Atlas, today []float64, l *atlas.Labels) atlas.Prediction {
	t.Helper()
	p, err := a.Predict(today, l)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-9) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}
