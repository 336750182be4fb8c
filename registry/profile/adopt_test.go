package profile_test

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/registry/dataset"
	"github.com/leeway-dev/leeway/registry/profile"
)

// all columns, as they are.
var all = profile.AdoptOptions{}

// values of one column of flights, without the missing ones.
func values(tb testing.TB, rows []flight, column int) (list []float64) {
	tb.Helper()
	for _, f := range rows {
		if v, err := strconv.ParseFloat(f.fields[column], 64); err == nil && !math.IsNaN(v) {
			list = append(list, v)
		}
	}
	return list
}

// Adopted bins of real traffic are those of the same rows as training data, but
// for the sketch's error: each holds what it says, and they are as many.
func TestAdoptFlights(t *testing.T) {
	rows := flights(t)
	exact := train(t, rows)
	half := len(rows) / 2
	plain := definitions(exact)
	adopted, leftOut, err := profile.Adopt(all, record(t, plain, rows[:half]), record(t, plain, rows[half:]))
	if err != nil || len(leftOut) > 0 {
		t.Fatal(err, leftOut)
	}
	adopted = reread(t, adopted)
	if adopted.Source != profile.Live || adopted.Rows != int64(len(rows)) || adopted.From == nil || adopted.To == nil {
		t.Errorf("%q, %d rows from %v to %v", adopted.Source, adopted.Rows, adopted.From, adopted.To)
	}
	var worst float64
	for i, c := range adopted.Features {
		want := exact.Features[i]
		if c.Missing != want.Missing || c.Rows != want.Rows || c.Binary != want.Binary {
			t.Errorf("%s: %d rows, %d missing; want %d, %d", c.Name, c.Rows, c.Missing, want.Rows, want.Missing)
		}
		if c.Type == profile.Category {
			if len(c.Bins) != len(want.Bins) || c.Binning != want.Binning {
				t.Errorf("%s: bins %v, want %v", c.Name, c.Bins, want.Bins)
			}
			continue
		}
		if d := len(c.Bins) - len(want.Bins); d < -1 || d > 1 {
			t.Errorf("%s: %d bins, want %d", c.Name, len(c.Bins), len(want.Bins))
		}
		b, err := profile.NewBinner(c)
		if err != nil {
			t.Fatal(err)
		}
		counts := make([]float64, len(c.Bins))
		list := values(t, rows, i)
		for _, v := range list {
			counts[b.Number(v)]++
		}
		for k, bin := range c.Bins[:len(c.Bins)-1] {
			off := math.Abs(counts[k]-float64(bin.Count)) / float64(len(list))
			if worst = max(worst, off); off > 0.0054 {
				t.Errorf("%s: bin %s has %v values and says %d", c.Name, bin.Name, counts[k], bin.Count)
			}
			if k >= len(c.Bins)-5 && counts[k] != 0 {
				t.Errorf("%s: %v of the adopted values are %s", c.Name, counts[k], bin.Name)
			}
		}
	}
	t.Logf("greatest error of a bin: %.4f of the rows", worst)
	if d, err := profile.Compare(adopted, exact); err != nil || d.Mean > 0.01 {
		t.Errorf("distance from its own rows: %v, %v", d.Mean, err)
	}
}

// adopt records the values of one column, as a feature or a prediction, and
// adopts them.
func adopt(t *testing.T, list []float64, prediction bool) profile.Column {
	t.Helper()
	columns := []profile.Column{{Name: "x", Type: profile.Number}}
	features, predictions := columns, []profile.Column(nil)
	if prediction {
		features, predictions = nil, columns
	}
	r, err := profile.NewRecorder(features, predictions)
	if err != nil {
		t.Fatal(err)
	}
	r.Lock(noon)
	r.AddRows(int64(len(list)))
	for _, v := range list {
		if prediction {
			r.Output(0).Number(v)
		} else {
			r.Feature(0).Number(v)
		}
	}
	r.Unlock()
	p, _, err := profile.Adopt(all, r.Profile(noon, noon.Add(time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	p = reread(t, p)
	return append(p.Features, p.Predictions...)[0]
}

func TestAdoptNumbers(t *testing.T) {
	many := make([]float64, 200_000)
	for i := range many {
		many[i] = float64(i%1000) / 1000
	}
	rare := make([]float64, 1_000_000)
	for i := range rare {
		rare[i] = 1
	}
	rare[500_000] = 0
	for _, c := range []struct {
		name       string
		values     []float64
		prediction bool
		bins       int
		lower      float64
		upper      float64
	}{
		{"one", []float64{72.3}, false, 1, 72.3, 72.3},
		{"few", []float64{1, 2, 3, 4}, false, 4, 1, 4},
		{"decimals", []float64{0.1, 0.2, 0.3}, false, 3, 0.1, 0.3},
		{"probability", many, true, 20, 0, 0.999},
		{"a rare least value", rare, false, 2, 0, 1},
		{"negative zero", []float64{math.Copysign(0, -1), 0, 0, 0}, false, 1, 0, 0},
	} {
		got := adopt(t, c.values, c.prediction)
		n := len(got.Bins) - 5
		if n != c.bins || *got.Bins[0].Lower != c.lower || *got.Bins[n-1].Upper != c.upper {
			t.Errorf("%s: %d bins from %v to %v, want %d from %v to %v",
				c.name, n, *got.Bins[0].Lower, *got.Bins[n-1].Upper, c.bins, c.lower, c.upper)
		}
		if got.Probability != (c.name == "probability") || got.Rows != int64(len(c.values)) {
			t.Errorf("%s: probability %v, %d rows", c.name, got.Probability, got.Rows)
		}
	}
}

// What float32 can't hold is inside of the adopted range all the same.
func TestAdoptRange(t *testing.T) {
	list := []float64{123456789, 123456791.5, 987654321, 1e300, math.Pi}
	got := adopt(t, list, false)
	b, err := profile.NewBinner(got)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range list {
		if name := b.Names()[b.Number(v)]; v < 1e300 && (name == profile.Under || name == profile.Over) {
			t.Errorf("%v is %s", v, name)
		}
	}
}

// observed is a live profile of rows, of which value gives the values.
func observed(
	t *testing.T, columns []profile.Column, rows int, value func(s *profile.Series, column, row int),
) *profile.Profile {
	t.Helper()
	r, err := profile.NewRecorder(columns, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Lock(noon)
	r.AddRows(int64(rows))
	for row := range rows {
		for i := range columns {
			value(r.Feature(i), i, row)
		}
	}
	r.Unlock()
	return r.Profile(noon, noon.Add(time.Hour))
}

func TestAdoptCategories(t *testing.T) {
	columns := []profile.Column{{Name: "c", Type: profile.Category}}
	p := observed(t, columns, 10_000, func(s *profile.Series, _, row int) {
		switch {
		case row < 6000:
			s.Category("often")
		case row < 6100:
			s.Category("rarely")
		case row < 6110:
			s.Category("too rarely")
		case row < 6130:
			s.Missing()
		default:
			s.Category("once-" + strconv.Itoa(row)) // 3,870 of them: most names are not kept
		}
	})
	got, _, err := profile.Adopt(all, p)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int64{"00": 6000, "01": 100, profile.Other: 10, profile.Unseen: 3870, profile.Missing: 20}
	bins := reread(t, got).Features[0].Bins
	for _, b := range bins {
		if b.Count != want[b.Name] {
			t.Errorf("%s: %d, want %d", b.Name, b.Count, want[b.Name])
		}
	}
	if len(bins) != len(want) {
		t.Errorf("%d bins, want %d", len(bins), len(want))
	}
}

// Pods that have learned other columns are joined: what one has not seen is
// missing there.
func TestAdoptUnion(t *testing.T) {
	number := func(s *profile.Series, _, row int) { s.Number(float64(row)) }
	a := observed(t, []profile.Column{{Name: "x", Type: profile.Number}}, 100, number)
	b := observed(t, []profile.Column{{Name: "y", Type: profile.Number}, {Name: "x", Type: profile.Number}}, 50, number)
	got, _, err := profile.Adopt(all, a, b)
	if err != nil {
		t.Fatal(err)
	}
	x, y := got.Features[0], got.Features[1]
	if x.Name != "x" || x.Rows != 150 || x.Missing != 0 || y.Rows != 150 || y.Missing != 100 {
		t.Errorf("x %d, %d missing; y %d, %d missing", x.Rows, x.Missing, y.Rows, y.Missing)
	}
}

func TestAdoptRefuses(t *testing.T) {
	missing := func(s *profile.Series, _, _ int) { s.Missing() }
	x := []profile.Column{{Name: "x", Type: profile.Number}}
	empty := observed(t, x, 10, missing)
	if _, leftOut, err := profile.Adopt(all, empty); !errors.Is(err, profile.ErrEmpty) || len(leftOut) != 1 {
		t.Errorf("without values: %v, %v", leftOut, err)
	}
	if _, _, err := profile.Adopt(all); !errors.Is(err, profile.ErrEmpty) {
		t.Errorf("nothing: %v", err)
	}
	text := observed(t, []profile.Column{{Name: "x", Type: profile.Category}}, 10, missing)
	if _, _, err := profile.Adopt(all, empty, text); !errors.Is(err, profile.ErrSchema) {
		t.Errorf("two types: %v", err)
	}
	trained, _, err := dataset.FromCSV("t.csv", strings.NewReader("x\n1\n2\n"), dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := profile.Adopt(all, trained); err == nil || !strings.Contains(err.Error(), "only live profiles merge") {
		t.Errorf("training data: %v", err)
	}
}

func TestAdoptOptions(t *testing.T) {
	columns := []profile.Column{{Name: "id", Type: profile.Number}, {Name: "c", Type: profile.Category}}
	p := observed(t, columns, 90, func(s *profile.Series, column, row int) {
		if column == 0 {
			s.Number(float64(row))
		} else {
			s.Category([]string{"a", "b", "b"}[row%3])
		}
	})
	got, _, err := profile.Adopt(profile.AdoptOptions{Ignore: []string{"id"}, Redact: []string{"c"}}, p)
	if err != nil {
		t.Fatal(err)
	}
	c := reread(t, got).Features[0]
	if len(got.Features) != 1 || !c.Redacted || c.Categories[0].Name != profile.Key("b", true) {
		t.Errorf("%d features, %v", len(got.Features), c.Categories)
	}
	b, err := profile.NewBinner(c)
	if err != nil {
		t.Fatal(err)
	}
	if name := b.Names()[b.Category("a")]; name != "01" {
		t.Errorf("a is %s", name)
	}
	if _, _, err := profile.Adopt(profile.AdoptOptions{Ignore: []string{"nosuch"}}, p); err == nil {
		t.Error("an unknown column is no error")
	}
}
