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
	return s.Kind.column(rows)
}

// Palm estimates how often the rule of one window fires on columns that do not
// drift, however seldom that is.
//
// A window is drawn from shares that are themselves drawn (Dirichlet), so wide
// that one in a few is an alarm, and weighs what it is likelier by (the
// multinomial over the Dirichlet-multinomial). Where the rank test is, half of them
// are drawn from shares that are tilted towards high or low ranks, which G hardly
// notices, and weigh by the mixture. What came before and comes
// after is drawn given the window, so that for is exact. An alarm is counted at
// the one evaluation in Hold that falls into it.
type Palm struct {
	Random
	*verdict
	setting Setting
	spread  []float64 // Dirichlet parameters
	total   float64   // their sum
	logs    []float64 // of the shares
	tilted  [2]tilt   // towards low and high ranks; nil without the rank test
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
	wider := max(p.critical(df, 1)/df, 2) // times the variance
	p.total = s.Rows / (wider - 1)
	if ordered := s.Kind.column(s.Kind.Shares); p.parts(ordered) > 1 {
		far := math.Sqrt(p.critical(1, 2) * ordered.spread * (1/s.Rows + 1/s.Reference))
		p.tilted = [2]tilt{ordered.tilt(-far), ordered.tilt(far)}
	}
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
	clear(p.window)
	if p.tilted[0].shares != nil && p.Float64() < 0.5 {
		p.Multinomial(n, p.tilted[p.IntN(2)].shares, p.window)
	} else {
		p.spreadOut(n)
	}
	if !p.exceeds(c, p.window, independent) {
		return 0, false
	}
	weight := logGamma(float64(n)+p.total) - logGamma(p.total)
	for b, n := range p.window {
		weight += n*p.logs[b] + logGamma(p.spread[b]) - logGamma(n+p.spread[b])
	}
	if p.tilted[0].shares == nil {
		return math.Exp(weight), p.held(c)
	}
	likelier := math.Exp(-weight) / 2
	for _, t := range p.tilted {
		likelier += math.Exp(t.likelier(p.window)) / 4
	}
	return 1 / likelier, p.held(c)
}

// spreadOut draws a window of shares that are drawn.
func (p *Palm) spreadOut(n int) {
	sum := 0.0
	for b, a := range p.spread {
		p.drawn[b] = p.Gamma(a)
		sum += p.drawn[b]
	}
	for b := range p.drawn {
		p.drawn[b] /= sum
	}
	p.Multinomial(n, p.drawn, p.window)
}

// tilt are shares that are moved towards higher or lower ranks, and the logarithm
// of how many times as likely they make each bin.
type tilt struct{ shares, logs []float64 }

// tilt moves the mean rank by so much, exponentially (Siegmund 1976).
func (c *Column) tilt(by float64) tilt {
	tilted := func(theta float64) (t tilt) {
		sum := 0.0
		for b, p := range c.share {
			t.shares = append(t.shares, p*math.Exp(theta*c.ranks[b]))
			sum += t.shares[b]
		}
		for b := range t.shares {
			t.shares[b] /= sum
			t.logs = append(t.logs, theta*c.ranks[b]-math.Log(sum))
		}
		return t
	}
	low, high := -100.0, 100.0
	for range 60 {
		if middle := (low + high) / 2; c.meanRank(tilted(middle).shares) < by {
			low = middle
		} else {
			high = middle
		}
	}
	return tilted(low)
}

// likelier is the logarithm of how many times as likely a window is by the tilt.
func (t tilt) likelier(window []float64) float64 {
	sum := 0.0
	for b, n := range window {
		sum += n * t.logs[b]
	}
	return sum
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
		if !p.exceeds(c, p.moved, independent) {
			return i
		}
	}
	return most
}
