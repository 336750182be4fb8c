package profile

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// What a value of blocks needs: fewer would be a guess.
const (
	minBlockRows    = 100 // in a block
	minBlockPeriods = 8   // blocks that don't overlap
)

// blockWindow is a length of time for which blocks are measured.
type blockWindow struct {
	name   string
	length time.Duration
	cells  int64 // hours or days
	before int64 // cells from a window to the one that it is compared with for clustering
}

// blockWindows are measured in hours up to an hour, in days beyond. Clustering
// compares with the same window a day before, as the rules do, and with the
// window before where it is longer than a day.
func blockWindows() []blockWindow {
	const day = 24 * time.Hour
	return []blockWindow{
		{"1h", time.Hour, 1, 24},
		{"24h", day, 1, 1},
		{"7d", 7 * day, 7, 7},
		{"30d", 30 * day, 30, 30},
	}
}

// BlockDistances say how far blocks of the training rows, all of a length in
// time, lie from the rest of the training rows.
type BlockDistances struct {
	// Window is the length: "1h", "24h", "7d" or "30d".
	Window string `json:"window"`
	// Blocks that were measured. Those of days begin at each day, so that they
	// overlap; Periods of them don't.
	Blocks  int64 `json:"blocks"`
	Periods int64 `json:"periods"`
	// Rows of a block: the median.
	Rows int64 `json:"rows"`
	// Distance is the mean over the features.
	Distance Quantiles `json:"distance"`
	// Factor times its own 95% distance of the other blocks, though at least times
	// MinColumnTolerance, is what every feature was within in 99% of the blocks.
	// Others are those that share no time with a block: so few blocks, whose 95%
	// is their maximum, do not vouch for themselves.
	Factor float64 `json:"factor"`
}

// Quantiles are the shares of blocks at or below a distance. So that a further
// block is within P95 with 95%, it is the distance of rank 0.95·(n+1) of n.
type Quantiles struct {
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P95 float64 `json:"p95"`
}

// Distances that are not worth refusing a version for, however alike the blocks
// of its training rows are: below MinColumnTolerance the rules don't call a
// feature drifted at all.
const (
	MinTolerance       = 0.05 // of the mean
	MinColumnTolerance = 0.1
)

// Apply writes into the profile what its rows' time says: from and to, the
// distances of blocks, and the clustering of columns. Windows of which there
// are too few blocks with rows enough get no value. The profile must be the one
// that NewBlocks was given.
func (b *Blocks) Apply(p *Profile) {
	if !b.some {
		return
	}
	from, to := b.from.UTC(), b.to.UTC()
	p.From, p.To = &from, &to
	m := newMeasure(b.offsets, p)
	days := b.allDays()
	for _, w := range blockWindows() {
		m.timeline = days
		if w.length < 24*time.Hour {
			m.timeline = b.hours
		}
		m.window(p, w)
	}
}

// measure looks at blocks of one timeline.
type measure struct {
	offsets  []int
	features int
	columns  []*Column
	all      []float64 // rows of the profile by bin
	timeline *timeline
	now      []float64 // rows of a block by bin
	then     []float64
}

func newMeasure(offsets []int, p *Profile) *measure {
	m := &measure{offsets: offsets, features: len(p.Features)}
	for _, list := range [][]Column{p.Features, p.Predictions} {
		for i := range list {
			m.columns = append(m.columns, &list[i])
			for _, bin := range list[i].Bins {
				m.all = append(m.all, float64(bin.Count))
			}
		}
	}
	m.now, m.then = make([]float64, len(m.all)), make([]float64, len(m.all))
	return m
}

// block sums the cells from an index, and says whether all of them are known
// and there are enough rows.
func (m *measure) block(into []float64, from, cells int64) (rows uint64, ok bool) {
	clear(into)
	for i := range cells {
		c, known := m.timeline.get(from + i)
		if !known {
			return 0, false
		}
		if c == nil {
			continue
		}
		rows += c.rows
		for k, n := range c.counts {
			into[k] += float64(n)
		}
	}
	return rows, rows >= minBlockRows
}

// begins are the indices at which a block of some cells may begin that lies
// within the time of the rows.
func (m *measure) begins(cells int64) []int64 {
	var list []int64
	m.timeline.each(func(i int64, _ *timeCell) { list = append(list, i) })
	if len(list) == 0 {
		return nil
	}
	last := list[len(list)-1]
	return slices.DeleteFunc(list, func(i int64) bool { return i+cells-1 > last })
}

func (m *measure) window(p *Profile, w blockWindow) {
	var (
		means     []float64
		begins    []int64
		rows      []int64
		distances = make([][]float64, len(m.columns))
		phis      = make([][]float64, len(m.columns))
		periods   int64
		free      int64 = math.MinInt64
	)
	for _, i := range m.begins(w.cells) {
		n, ok := m.block(m.now, i, w.cells)
		if !ok {
			continue
		}
		if i >= free {
			periods, free = periods+1, i+w.cells
		}
		if _, ok := m.block(m.then, i-w.before, w.cells); ok {
			m.clustering(phis)
		}
		if mean, ok := m.distances(n, distances); ok {
			means, rows, begins = append(means, mean), append(rows, int64(n)), append(begins, i)
		}
	}
	if periods < minBlockPeriods {
		return
	}
	for c, column := range m.columns {
		if len(phis[c]) >= minBlockPeriods {
			set(&column.Clustering, w.name, max(round(quantile(phis[c], 0.5), 1e3), 1))
		}
	}
	if len(means) < minBlockPeriods {
		return
	}
	joint := make([]float64, len(means))
	for c, column := range m.columns {
		q := quantilesOf(slices.Clone(distances[c]))
		set(&column.Blocks, w.name, q)
		if c < m.features {
			for i, other := range othersP95(distances[c], begins, w.cells) {
				joint[i] = max(joint[i], distances[c][i]/max(other, MinColumnTolerance))
			}
		}
	}
	slices.Sort(rows)
	p.Blocks = append(p.Blocks, BlockDistances{
		Window: w.name, Blocks: int64(len(means)), Periods: periods, Rows: rows[(len(rows)-1)/2],
		Distance: quantilesOf(means), Factor: max(round(quantile(joint, 0.99), 1e3), 1),
	})
}

// distances of the block at hand from the rest of the rows, by column; the mean
// is over the features. A block of more than half of the rows has no rest to be
// compared with.
func (m *measure) distances(rows uint64, into [][]float64) (mean float64, ok bool) {
	if 2*float64(rows) > float64(m.columns[0].Rows) {
		return 0, false
	}
	for c := range m.columns {
		from, to := m.offsets[c], m.offsets[c+1]
		block := m.now[from:to]
		rest := m.then[from:to] // no longer needed for then
		for i, n := range block {
			rest[i] = max(m.all[from+i]-n, 0)
		}
		d := jensenShannon(normalised(block), normalised(rest))
		into[c] = append(into[c], d)
		if c < m.features {
			mean += d / float64(m.features)
		}
	}
	return mean, true
}

// clustering appends, for each column, how much more the two windows at hand
// differ than independent rows would: G between them over its degrees of
// freedom, over its median for independent rows (Wilson and Hilferty 1931). The
// rules compute the same of live rows.
func (m *measure) clustering(phis [][]float64) {
	for c := range phis {
		g, df := gStatistic(m.now[m.offsets[c]:m.offsets[c+1]], m.then[m.offsets[c]:m.offsets[c+1]])
		if df > 0 {
			phis[c] = append(phis[c], g/df/math.Pow(1-2/(9*df), 3))
		}
	}
}

// gStatistic is the two-sample G of counts in bins, and its degrees of freedom:
// the bins with rows, less one.
func gStatistic(a, b []float64) (g, df float64) {
	x := func(n float64) float64 {
		if n == 0 {
			return 0
		}
		return n * math.Log(n)
	}
	var sumA, sumB float64
	df = -1
	for i := range a {
		if a[i]+b[i] > 0 {
			g += x(a[i]) + x(b[i]) - x(a[i]+b[i])
			sumA, sumB, df = sumA+a[i], sumB+b[i], df+1
		}
	}
	return max(2*(g-x(sumA)-x(sumB)+x(sumA+sumB)), 0), df
}

// othersP95 are, for each block, the 95% quantile of the distances of those that
// share no time with it: blocks that begin some cells before or after it. Where
// there are none it is 0.
func othersP95(distances []float64, begins []int64, cells int64) []float64 {
	falling := make([]int, len(distances))
	for i := range falling {
		falling[i] = i
	}
	slices.SortFunc(falling, func(a, b int) int { return cmp.Compare(distances[b], distances[a]) })
	out := make([]float64, len(distances))
	from, to := 0, 0 // those that overlap
	for i, begin := range begins {
		for begins[from] <= begin-cells {
			from++
		}
		for to < len(begins) && begins[to] < begin+cells {
			to++
		}
		n := len(begins) - (to - from)
		skip := n - rankOfQuantile(0.95, n) // so many of the others are above
		for _, k := range falling {
			if from <= k && k < to {
				continue
			}
			if skip == 0 {
				out[i] = distances[k]
				break
			}
			skip--
		}
	}
	return out
}

func quantilesOf(values []float64) Quantiles {
	at := func(q float64) float64 { return round(quantile(values, q), 1e6) }
	return Quantiles{P50: at(0.5), P90: at(0.9), P95: at(0.95)}
}

// quantile is the value of rank q·(n+1), rounded up and at most n. It sorts.
func quantile(values []float64, q float64) float64 {
	slices.Sort(values)
	return values[rankOfQuantile(q, len(values))-1]
}

func rankOfQuantile(q float64, n int) int { return min(int(math.Ceil(q*float64(n+1))), n) }

// round keeps the bytes of a profile free of the last digits, in which
// processors may differ.
func round(v, steps float64) float64 { return math.Round(v*steps) / steps }

func set[V any](m *map[string]V, key string, v V) {
	if *m == nil {
		*m = map[string]V{}
	}
	(*m)[key] = v
}
