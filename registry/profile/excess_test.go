package profile_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leeway-dev/leeway/registry/profile"
)

// classRows are predictions of three classes in four bins each and the highest
// of them in five, the bins of each row, and whether its answer was right: less
// often than by the highest where the second class has much.
func classRows(rng *rand.Rand, n int) (predictions []profile.Column, rows [][4]uint8, right []bool) {
	for k, bins := range []int{4, 4, 4, 5} {
		c := profile.Column{Name: fmt.Sprint(k), Type: profile.Number, Rows: int64(n), Bins: make([]profile.Bin, bins+1)}
		predictions = append(predictions, c) // the last bin stays empty
	}
	for range n {
		row := [4]uint8{uint8(rng.IntN(4)), uint8(rng.IntN(4)), uint8(rng.IntN(4)), 0}
		row[3] = min((row[0]+row[1]+row[2])/2, 4)
		wrong := 0.5 - 0.08*float64(row[3])
		if row[1] == 3 {
			wrong += 0.2
		}
		rows, right = append(rows, row), append(right, rng.Float64() >= wrong)
		for k, b := range row {
			predictions[k].Bins[b].Count++
		}
	}
	return predictions, rows, right
}

// excessOf counts rows in several parts that are merged.
func excessOf(predictions []profile.Column, rows [][4]uint8, right []bool, parts int) [][]float64 {
	list := make([]*profile.Excess, parts)
	for i := range list {
		list[i] = profile.NewExcess(predictions)
	}
	for i, row := range rows {
		list[i%parts].Answer(right[i], func(k int) uint8 { return row[k] })
	}
	for _, e := range list[1:] {
		list[0].Merge(e)
	}
	list[0].Apply()
	var out [][]float64
	for _, c := range predictions {
		var own []float64
		for _, b := range c.Bins {
			if b.Excess == nil {
				own = append(own, math.NaN())
			} else {
				own = append(own, *b.Excess)
			}
		}
		out = append(out, own)
	}
	return out
}

// The excess is the ridge regression of what the highest leaves, by the plain
// definition of its minimum: the rows of a bin are off by what pulls it to 0.
func TestExcessIsRidgeRegression(t *testing.T) {
	const penalty, n = 30, 4000
	predictions, rows, right := classRows(rand.New(rand.NewPCG(1, 2)), n)
	excess, rest := excessOf(predictions, rows, right, 1), rests(rows, right)
	for k := range 3 {
		mean, sum := 0.0, 0.0
		for b, v := range excess[k][:4] {
			mean += v * float64(predictions[k].Bins[b].Count) / n
			sum += v
		}
		if math.Abs(mean) > 1e-6 {
			t.Errorf("prediction %d: %v in the mean, want 0", k, mean)
		}
		if !math.IsNaN(excess[k][4]) {
			t.Errorf("prediction %d: a bin without rows has the excess %v", k, excess[k][4])
		}
		for b := range 4 {
			pull := penalty * (excess[k][b] - sum/4) // before it was made 0 in the mean the sum was
			off := 0.0
			for i, row := range rows {
				if int(row[k]) == b {
					off += rest[i] - excess[0][row[0]] - excess[1][row[1]] - excess[2][row[2]]
				}
			}
			if math.Abs(off-pull) > 0.02 { // of thousand rows, each rounded to a millionth
				t.Errorf("prediction %d, bin %d: rows are off by %v, want %v", k, b, off, pull)
			}
		}
	}
	for _, v := range excess[3] {
		if !math.IsNaN(v) {
			t.Errorf("the highest has the excess %v", v)
		}
	}
	if v := excess[1][3]; v < 0.1 || v > 0.2 {
		t.Errorf("where 0.15 more than in the mean are wrong, the excess is %v", v)
	}
}

// rests are whether each row is wrong, less the share of wrong ones in its bin of
// the highest.
func rests(rows [][4]uint8, right []bool) []float64 {
	var n, wrong [5]float64
	out := make([]float64, len(rows))
	for i, row := range rows {
		n[row[3]]++
		if !right[i] {
			wrong[row[3]]++
			out[i] = 1
		}
	}
	for i, row := range rows {
		out[i] -= wrong[row[3]] / n[row[3]]
	}
	return out
}

// However rows are divided between workers, the same bytes come out.
func TestExcessMerges(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	predictions, rows, right := classRows(rng, 1000)
	want := fmt.Sprint(excessOf(predictions, rows, right, 1))
	rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j], right[i], right[j] = rows[j], rows[i], right[j], right[i] })
	for _, parts := range []int{1, 2, 7} {
		if diff := cmp.Diff(want, fmt.Sprint(excessOf(predictions, rows, right, parts))); diff != "" {
			t.Errorf("%d parts: %s", parts, diff)
		}
	}
}

func TestExcessOfManyClassesOrNoRows(t *testing.T) {
	if e := profile.NewExcess([]profile.Column{{Bins: make([]profile.Bin, 1000)}, {Bins: make([]profile.Bin, 25)}}); e != nil {
		t.Error("1,025 bins have an excess")
	}
	predictions, _, _ := classRows(rand.New(rand.NewPCG(5, 6)), 100)
	profile.NewExcess(predictions).Apply()
	if predictions[0].Bins[0].Excess != nil {
		t.Error("without rows there is an excess")
	}
}
