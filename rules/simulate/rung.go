package simulate

import "math"

// Rung is one window of the rules in units of its own evaluations.
type Rung struct {
	// Steps are the different values in a window, Hold those that for lasts.
	Steps, Hold int
	// For, as a share of the window.
	For float64
	// PerWindow is what is promised: false alarms of a model in a window.
	PerWindow float64
	// Floor is the least distance, MinRows the fewest effective rows. Zero: the
	// statistic alone decides.
	Floor, MinRows float64
	// Ranks adds the rank test, which shares the false alarms of the window.
	Ranks bool
	// Factor is for columns of which only more in the last bin counts (wrong
	// answers): its share must be beyond so many times the reference's. Zero: what
	// differs in any way counts.
	Factor float64
}

// held is short of the theory what is looked at now and then; see rules/alpha.go.
const held = 1.23

// Tests are the independent tests that a sliding window is worth at a level of
// G, when an excursion must last for a share of the window.
func Tests(g, df, hold float64) float64 {
	y := max(g/df, 1.1)
	looks := min(df*(y-1)*(y-1)/(2*y), 100)
	v2 := hold * looks
	return max(1, held*2*looks/math.Sqrt(2*math.Pi)*math.Exp(-v2/2)*
		(1/math.Sqrt(v2)-4/(3*math.Sqrt(v2)+math.Sqrt(v2+8))))
}

// Z is the normal deviate whose tail is that of G times the tests, of which there
// are so many parts: statistics that share the false alarms.
func Z(g, df, hold, parts float64) float64 {
	return plainZ(g, df, Tests(g, df, hold)*parts)
}

// plainZ is Z of so many tests, whatever they come of.
func plainZ(g, df, tests float64) float64 {
	y := max(g/df, 1.1)
	r := math.Sqrt(df * (y - 1 - math.Log(y)))
	return r + math.Log((y-1)*math.Sqrt(df/2)/(r*tests))/r
}

// Quantile is the normal deviate beyond which lies alpha, as the rules
// approximate it (Abramowitz and Stegun 26.2.23).
func Quantile(alpha float64) float64 {
	t := math.Sqrt(-2 * math.Log(alpha))
	return t - (2.515517+0.802853*t+0.010328*t*t)/(1+1.432788*t+0.189269*t*t+0.001308*t*t*t)
}

// verdict is the rule of one window for a model of so many columns.
type verdict struct {
	Rung
	z float64
	g [2][]float64 // that is critical, by parts and degrees of freedom; 0: not known yet
}

func newVerdict(r Rung, columns int) *verdict {
	alpha := r.PerWindow / float64(columns)
	if r.Factor > 0 {
		alpha *= 2 // G counts both sides, and half of its tail is of what falls
	}
	return &verdict{Rung: r, z: Quantile(alpha)}
}

// critical is the greatest G that is no alarm, for one of so many parts.
func (v *verdict) critical(df, parts float64) float64 {
	known := &v.g[int(parts)-1]
	for len(*known) <= int(df) {
		*known = append(*known, 0)
	}
	g := &(*known)[int(df)]
	if *g == 0 {
		low, high := 1.1*df, 1.1*df+1
		for Z(high, df, v.For, parts) < v.z {
			high *= 2
		}
		for range 60 {
			if middle := (low + high) / 2; Z(middle, df, v.For, parts) < v.z {
				low = middle
			} else {
				high = middle
			}
		}
		*g = high
	}
	return *g
}

// parts is how many tests of a column share the false alarms of the window.
func (v *verdict) parts(c *Column) float64 {
	if v.Ranks && c.ranked() {
		return 2
	}
	return 1
}

// Discount is what G is divided by when there are so many effective rows for a
// row of the training data.
func Discount(rows float64) float64 { return 1 + min(max(rows-0.1, 0), 1) }

// clusterings are those that each test divides the rows by.
type clusterings struct{ all, rank float64 }

// independent rows.
var independent = clusterings{1, 1}

// exceeds says whether the rule's expression has the column.
func (v *verdict) exceeds(c *Column, counts []float64, by clusterings) bool {
	if total(counts)/by.all < v.MinRows || !v.rises(c, counts) || !v.differs(c, counts, by.all) && !v.moved(c, counts, by.rank) {
		return false
	}
	return v.Floor == 0 || c.Distance(counts) > v.Floor
}

// differs says that G is beyond its critical value.
func (v *verdict) differs(c *Column, counts []float64, clustering float64) bool {
	g, df := c.G(counts, clustering)
	return g > v.critical(df, v.parts(c))*Discount(total(counts)/clustering/c.rows)
}

// ranks says that the mean rank of so many effective rows is tested.
func (v *verdict) ranks(c *Column, rows float64) bool { return v.parts(c) > 1 && rows >= v.MinRows }

// moved says that the mean rank is beyond its critical value.
func (v *verdict) moved(c *Column, counts []float64, clustering float64) bool {
	rows := total(counts) / clustering
	return v.ranks(c, rows) && c.Rank(counts, clustering) > v.critical(1, 2)*Discount(rows/c.rows)
}

// rises says that there is more in the last bin, where only that counts.
func (v *verdict) rises(c *Column, counts []float64) bool {
	last := len(counts) - 1
	return v.Factor == 0 || counts[last] > v.Factor*c.share[last]*total(counts)
}

func total(counts []float64) float64 {
	sum := 0.0
	for _, n := range counts {
		sum += n
	}
	return sum
}

func logGamma(x float64) float64 {
	y, _ := math.Lgamma(x)
	return y
}
