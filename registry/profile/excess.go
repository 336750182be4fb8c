package profile

import "math"

// Excess adds up how much more often an answer among several classes is wrong
// than its highest probability lets expect, by the bins of the model's other
// predictions: the probability of each class, and the answer itself where it is
// a column. So a score that is worth less in one class than in another counts
// where that class is answered. The same rows give the same result in any order,
// and however they are divided between several that are merged. It is not safe
// for concurrent use.
//
// It is an additive model, whose sum over rows needs no more than the rows of
// each bin: the share of wrong answers in the bin of the highest, and what
// ridge regression (Hoerl and Kennard 1970) makes of the rest.
type Excess struct {
	predictions []Column
	first       []int // of each prediction's bins among all; the highest's come last
	bins        int
	pairs       []int64 // rows by two bins, that with the lower index first
	wrong       []int64 // wrong answers by bin
	at          []int   // bins of a row
}

const (
	// excessPenalty pulls the excess of a bin to 0 as so many rows without any
	// would. Of 10 to 300 it made little difference.
	excessPenalty = 30
	// excessBins at most, which is about 35 classes: 8 MiB of pairs. With more
	// there is no excess.
	excessBins = 1024
	// excessPlaces is what an excess is rounded to, to be the same on any machine.
	excessPlaces = 1e6
)

// NewExcess makes one for predictions with final bins, of which the last is the
// highest of classes' probabilities; nil where there are too many bins.
func NewExcess(predictions []Column) *Excess {
	e := &Excess{predictions: predictions, at: make([]int, len(predictions))}
	for _, c := range predictions {
		e.first = append(e.first, e.bins)
		e.bins += len(c.Bins)
	}
	if e.bins > excessBins {
		return nil
	}
	e.pairs, e.wrong = make([]int64, e.bins*e.bins), make([]int64, e.bins)
	return e
}

// Answer counts a row by the index of its bin in each prediction.
func (e *Excess) Answer(right bool, bin func(prediction int) uint8) {
	for k, first := range e.first {
		e.at[k] = first + int(bin(k))
	}
	for k, a := range e.at {
		if !right {
			e.wrong[a]++
		}
		for _, b := range e.at[k:] {
			e.pairs[a*e.bins+b]++
		}
	}
}

// Merge adds the rows of another that was made for the same predictions.
func (e *Excess) Merge(o *Excess) {
	for i, n := range o.pairs {
		e.pairs[i] += n
	}
	for i, n := range o.wrong {
		e.wrong[i] += n
	}
}

// Apply writes the excess of each bin that has rows into the predictions. Over
// the rows of the profile that of each prediction is 0 in the mean, so that it
// tells what live rows are beyond them.
func (e *Excess) Apply() {
	highest := e.first[len(e.first)-1]
	var rows float64
	for a := highest; a < e.bins; a++ {
		rows += e.rows(a, a)
	}
	if rows == 0 {
		return
	}
	excess := ridge(e.equations(highest, rows))
	for k, c := range e.predictions[:len(e.predictions)-1] {
		own := excess[e.first[k] : e.first[k]+len(c.Bins)]
		mean := 0.0
		for i, v := range own {
			mean += v * float64(c.Bins[i].Count) / float64(c.Rows)
		}
		for i, v := range own {
			if a := e.first[k] + i; e.rows(a, a) > 0 {
				v = math.Round(excessPlaces*(v-mean)) / excessPlaces
				c.Bins[i].Excess = new(max(-1, min(v, 1)))
			}
		}
	}
}

func (e *Excess) rows(a, b int) float64 { return float64(e.pairs[a*e.bins+b]) }

// equations are the normal ones of the bins before the highest's, each less its
// mean, for wrong answers less the share of them in the bin of the highest.
func (e *Excess) equations(highest int, rows float64) (matrix [][]float64, right []float64) {
	for a := range highest {
		line := make([]float64, highest)
		for b := range a + 1 {
			line[b] = e.rows(b, a) - e.rows(a, a)*e.rows(b, b)/rows
		}
		line[a] += excessPenalty
		matrix = append(matrix, line)
		rest := float64(e.wrong[a])
		for h := highest; h < e.bins; h++ {
			if n := e.rows(h, h); n > 0 {
				rest -= e.rows(a, h) * float64(e.wrong[h]) / n
			}
		}
		right = append(right, rest)
	}
	return matrix, right
}

// ridge solves equations whose matrix is symmetric and positive definite, of
// which it wants the lower half, and changes both (Cholesky).
func ridge(matrix [][]float64, right []float64) []float64 {
	for i, line := range matrix {
		for j := range i + 1 {
			sum := line[j]
			for k, v := range matrix[j][:j] {
				sum -= line[k] * v
			}
			if i == j {
				line[j] = math.Sqrt(sum)
			} else {
				line[j] = sum / matrix[j][j]
			}
		}
		for k, v := range line[:i] {
			right[i] -= v * right[k]
		}
		right[i] /= line[i]
	}
	for i := len(matrix) - 1; i >= 0; i-- {
		for k := i + 1; k < len(matrix); k++ {
			right[i] -= matrix[k][i] * right[k]
		}
		right[i] /= matrix[i][i]
	}
	return right
}
