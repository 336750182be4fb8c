package simulate

import "math"

// Setting is what is simulated: so many rows a window against so many of the
// training data, in a model of so many columns of one kind.
type Setting struct {
	Kind      Kind
	Rows      float64
	Reference float64
	Columns   int
}

// Draw draws the training data of a column.
func (s Setting) Draw(r Random) *Column {
	rows := make([]float64, len(s.Kind.Shares))
	r.Multinomial(int(s.Reference), s.Kind.Shares, rows)
	return NewColumn(rows)
}

// Palm estimates how often the rule of one window fires on columns that do not
// drift, however seldom that is.
//
// A window is drawn from shares that are themselves drawn (Dirichlet), so wide
// that one in a few is an alarm, and weighs what it is likelier by (the
// multinomial over the Dirichlet-multinomial). What came before and comes
// after is drawn given the window, so that for is exact. An alarm is counted at
// the one evaluation in Hold that falls into it.
type Palm struct {
	Random
	*verdict
	setting Setting
	spread  []float64 // Dirichlet parameters
	total   float64   // their sum
	logs    []float64 // of the shares
	drawn   []float64
	window  []float64
	moved   []float64
	left    []float64 // of the window, not yet spread over steps
}

// NewPalm prepares draws.
func NewPalm(r Random, rung Rung, s Setting) *Palm {
	bins := len(s.Kind.Shares)
	p := &Palm{
		Random: r, verdict: newVerdict(rung, s.Columns), setting: s,
		spread: make([]float64, bins), logs: make([]float64, bins), drawn: make([]float64, bins),
		window: make([]float64, bins), moved: make([]float64, bins), left: make([]float64, bins),
	}
	df := float64(bins - 1)
	wider := max(p.critical(df)/df, 2) // times the variance
	p.total = s.Rows / (wider - 1)
	for b, share := range s.Kind.Shares {
		p.spread[b], p.logs[b] = p.total*share, math.Log(share)
	}
	return p
}

// Rate is how many alarms of a column begin in a window, and the part of all
// evaluations at which its expression is true, from so many draws.
func (p *Palm) Rate(c *Column, draws int) (alarms, above float64) {
	for range draws {
		weight, held := p.draw(c)
		above += weight
		if held {
			alarms += weight
		}
	}
	grid := float64(p.Steps) / float64(max(p.Hold, 1))
	return alarms * grid / float64(draws), above / float64(draws)
}

// draw is the weight of a window above the critical value, or 0, and whether it
// is in an alarm that is to be counted.
func (p *Palm) draw(c *Column) (float64, bool) {
	n := p.Poisson(p.setting.Rows)
	sum := 0.0
	for b, a := range p.spread {
		p.drawn[b] = p.Gamma(a)
		sum += p.drawn[b]
		p.window[b] = 0
	}
	for b := range p.drawn {
		p.drawn[b] /= sum
	}
	p.Multinomial(n, p.drawn, p.window)
	if !p.exceeds(c, p.window, 1) {
		return 0, false
	}
	weight := logGamma(float64(n)+p.total) - logGamma(p.total)
	for b, n := range p.window {
		weight += n*p.logs[b] + logGamma(p.spread[b]) - logGamma(n+p.spread[b])
	}
	return math.Exp(weight), p.held(c)
}

// held says whether the window is in a run that becomes an alarm, begun in the
// Hold evaluations before.
func (p *Palm) held(c *Column) bool {
	hold := max(p.Hold, 1)
	copy(p.left, p.window)
	steps := p.Steps
	before := p.walk(c, hold+1, &steps) // the newest rows go, older ones come back
	if before < 1 && p.Hold > 0 || before > hold {
		return false
	}
	if p.Hold == 0 {
		return before == 0
	}
	need := p.Hold - before
	return p.walk(c, need, &steps) >= need
}

// walk moves the window a step at a time for as long as it exceeds, at most so
// many steps: rows of the window leave, rows from outside come. steps are those
// of the window that have not left in either direction.
func (p *Palm) walk(c *Column, most int, steps *int) int {
	copy(p.moved, p.window)
	for i := range most {
		for b, share := range p.setting.Kind.Shares {
			gone := p.Binomial(int(p.left[b]), 1/float64(*steps))
			p.left[b] -= float64(gone)
			p.moved[b] += float64(p.Poisson(p.setting.Rows*share/float64(p.Steps)) - gone)
		}
		*steps--
		if !p.exceeds(c, p.moved, 1) {
			return i
		}
	}
	return most
}
