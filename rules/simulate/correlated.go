package simulate

import "math"

// Correlated is a model whose columns go together: all of one kind, every pair
// with the same correlation of what lies behind the bins (a Gaussian copula with
// one factor). At 1 they are copies.
type Correlated struct {
	Kind        Kind
	Columns     int
	Correlation float64
	// Rows of a window, and of the training data.
	Rows, Reference float64
}

// Clumps are the alarms of models that don't drift, and how they come together.
type Clumps struct {
	// Alarms of columns.
	Alarms int
	// Episodes are times at which a column fires after none did.
	Episodes int
	// Largest is the greatest number of alarms in an episode.
	Largest int
	// Models is the number of alarms of each model.
	Models []int
}

// The factor takes so many values that are equally likely; given it, bins are
// drawn from a table.
const (
	strata     = 64
	tableBits  = 12
	tableSlots = 1 << tableBits
)

// tables are by value of the factor the bins, each as often as it is likely.
func (c Correlated) tables() [][]uint8 {
	with, alone := math.Sqrt(c.Correlation), math.Sqrt(1-c.Correlation)
	out := make([][]uint8, strata)
	for i := range out {
		factor := with * normalQuantile((float64(i)+0.5)/strata)
		at := 0.0
		for b, p := range c.Kind.Shares {
			at += p
			until := tableSlots
			if b < len(c.Kind.Shares)-1 {
				until = int(math.Round(tableSlots * normalTail((factor-normalQuantile(at))/alone)))
			}
			for len(out[i]) < until {
				out[i] = append(out[i], uint8(b))
			}
		}
	}
	return out
}

// Clump lets time pass for so many models of one window each, with training data
// of their own, for so many windows.
func (c Correlated) Clump(r Random, rung Rung, models, windows int) Clumps {
	verdict := newVerdict(rung, c.Columns)
	var out Clumps
	for range models {
		before := out.Alarms
		newCorrelated(r, c, verdict).pass(windows, &out)
		out.Models = append(out.Models, out.Alarms-before)
	}
	return out
}

// correlated is one model in time.
type correlated struct {
	Random
	Correlated
	*verdict
	tables [][]uint8
	drawn  int // columns that are drawn; the others are copies
	copies int
	column []*Column
	steps  [][]float64 // counts of the steps of a window, a ring; all columns
	window []float64
	runs   []int
}

func newCorrelated(r Random, c Correlated, v *verdict) *correlated {
	m := &correlated{Random: r, Correlated: c, verdict: v, drawn: c.Columns, copies: 1}
	if c.Correlation == 1 {
		m.drawn, m.copies, m.Correlation = 1, c.Columns, 0
	}
	m.tables = m.Correlated.tables()
	bins := len(c.Kind.Shares)
	reference := make([]float64, m.drawn*bins)
	m.rows(int(c.Reference), reference)
	for i := range m.drawn {
		m.column = append(m.column, c.Kind.column(reference[i*bins:(i+1)*bins]))
	}
	for range v.Steps {
		m.steps = append(m.steps, make([]float64, m.drawn*bins))
	}
	m.window, m.runs = make([]float64, m.drawn*bins), make([]int, m.drawn)
	return m
}

// rows adds rows to the counts of all columns.
func (m *correlated) rows(n int, counts []float64) {
	bins := len(m.Kind.Shares)
	for range n {
		bits, left := m.Uint64(), 64
		table := m.tables[bits%strata]
		bits, left = bits>>6, left-6
		for at := 0; at < len(counts); at += bins {
			if left < tableBits {
				bits, left = m.Uint64(), 64
			}
			counts[at+int(table[bits%tableSlots])]++
			bits, left = bits>>tableBits, left-tableBits
		}
	}
}

func (m *correlated) pass(windows int, out *Clumps) {
	bins := len(m.Kind.Shares)
	firing, inEpisode := 0, 0
	for step := range windows * m.Steps {
		newest := m.steps[step%m.Steps]
		for i, n := range newest {
			m.window[i] -= n
		}
		clear(newest)
		m.rows(m.Poisson(m.Rows/float64(m.Steps)), newest)
		for i, n := range newest {
			m.window[i] += n
		}
		if step < m.Steps-1 {
			continue
		}
		began, still := 0, 0
		for i := range m.drawn {
			if !m.exceeds(m.column[i], m.window[i*bins:(i+1)*bins], independent) {
				m.runs[i] = 0
				continue
			}
			if m.runs[i]++; m.runs[i] == m.Hold+1 {
				began += m.copies
			}
			if m.runs[i] > m.Hold {
				still++
			}
		}
		if began > 0 && firing == 0 {
			out.Episodes++
			inEpisode = 0
		}
		inEpisode += began
		out.Alarms += began
		out.Largest = max(out.Largest, inEpisode)
		firing = still
	}
}
