package profile_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/registry/profile"
)

// timedRow is a row of two features and a prediction, in bins.
type timedRow struct {
	at   time.Time
	bins []uint8
}

// stream makes rows of some days: feature "steady" is independent, "daily" stays
// the same for an hour, "weekly" for a week; the prediction is of the weekly.
func stream(days, perHour int, seed uint64) []timedRow {
	r := rand.New(rand.NewPCG(seed, 1))
	begin := time.Date(2024, 3, 1, 5, 30, 0, 0, time.UTC)
	var rows []timedRow
	hourly, weekly := uint8(0), uint8(0)
	for hour := range days * 24 {
		hourly = uint8(r.IntN(10))
		if hour%(7*24) == 0 {
			weekly = uint8(r.IntN(10))
		}
		for range perHour {
			at := begin.Add(time.Duration(hour)*time.Hour + time.Duration(r.Int64N(int64(time.Hour))))
			b := []uint8{uint8(r.IntN(10)), hourly, weekly, weekly}
			if r.IntN(2) == 0 {
				b[1], b[2], b[3] = uint8(r.IntN(10)), uint8(r.IntN(10)), uint8(r.IntN(10))
			}
			rows = append(rows, timedRow{at, b})
		}
	}
	return rows
}

// described is the profile of such rows, without what their time says.
func described(rows []timedRow) *profile.Profile {
	p := &profile.Profile{Format: profile.Format, Rows: int64(len(rows))}
	for k, name := range []string{"steady", "daily", "weekly", "prediction"} {
		c := profile.Column{Name: name, Type: profile.Number, Rows: p.Rows, Binning: "ten"}
		edge := func(i int) *float64 { return new(float64(i)) }
		for i := range 10 {
			c.Bins = append(c.Bins, profile.Bin{Name: fmt.Sprintf("%02d", i), Lower: edge(i), Upper: edge(i + 1)})
		}
		c.Bins = append(c.Bins,
			profile.Bin{Name: profile.Under, Lower: edge(-10), Upper: edge(0)}, profile.Bin{Name: profile.Over, Lower: edge(10), Upper: edge(20)},
			profile.Bin{Name: profile.FarUnder, Upper: edge(-10)}, profile.Bin{Name: profile.FarOver, Lower: edge(20)}, profile.Bin{Name: profile.Missing})
		for _, row := range rows {
			c.Bins[row.bins[k]].Count++
		}
		if k < 3 {
			p.Features = append(p.Features, c)
		} else {
			p.Predictions = append(p.Predictions, c)
		}
	}
	return p
}

func applied(tb testing.TB, rows []timedRow, parts int) (*profile.Profile, []byte) {
	tb.Helper()
	p := described(rows)
	all := make([]*profile.Blocks, parts)
	for i := range all {
		all[i] = profile.NewBlocks(p)
	}
	for i, row := range rows {
		all[i%parts].Add(row.at, row.bins)
	}
	for _, b := range all[1:] {
		all[0].Merge(b)
	}
	all[0].Apply(p)
	b, err := p.Encode()
	if err != nil {
		tb.Fatal(err)
	}
	return p, b
}

func TestBlocksSeeTime(t *testing.T) {
	p, _ := applied(t, stream(120, 200, 1), 1)
	var windows []string
	for _, b := range p.Blocks {
		windows = append(windows, b.Window)
		t.Logf("%+v", b)
	}
	// 120 days hold four blocks of 30 days: too few.
	if want := []string{"1h", "24h", "7d"}; !slices.Equal(windows, want) {
		t.Fatalf("windows %v, want %v", windows, want)
	}
	for _, c := range append(p.Features, p.Predictions...) {
		t.Logf("%s: blocks %v clustering %v", c.Name, c.Blocks, c.Clustering)
	}
	steady, daily, weekly := p.Features[0], p.Features[1], p.Features[2]
	tests := []struct {
		what     string
		got      float64
		min, max float64
	}{
		// Independent rows: φ is 1 and the distance of n rows is √(9/(8n·ln 2)), about.
		{"clustering of independent rows in an hour", steady.Clustering["1h"], 1, 1.1},
		{"clustering of independent rows in a day", steady.Clustering["24h"], 1, 1.2},
		{"median distance of an hour of independent rows", steady.Blocks["1h"].P50, 0.07, 0.1},
		{"median distance of a day of independent rows", steady.Blocks["24h"].P50, 0.014, 0.02},
		// Half of an hour's 200 rows are the same.
		{"clustering of rows that are alike for an hour", daily.Clustering["1h"], 10, 40},
		{"distance of rows that are alike for an hour", daily.Blocks["1h"].P50, 0.3, 0.45},
		{"distance of a day of them", daily.Blocks["24h"].P50, 0.05, 0.2},
		// The same hour yesterday lies in the same week, mostly.
		{"clustering of an hour of rows that are alike for a week", weekly.Clustering["1h"], 1, 1.3},
		{"clustering of weeks of them", weekly.Clustering["7d"], 1000, 20000},
		{"distance of weeks of them", weekly.Blocks["7d"].P50, 0.3, 0.6},
		{"rows of a week", float64(p.Blocks[2].Rows), 7 * 24 * 200, 7 * 24 * 200},
		{"blocks of a week", float64(p.Blocks[2].Blocks), 114, 115},
		{"periods of a week", float64(p.Blocks[2].Periods), 16, 17},
	}
	for _, tt := range tests {
		if !(tt.got >= tt.min && tt.got <= tt.max) {
			t.Errorf("%s: %v, want %v to %v", tt.what, tt.got, tt.min, tt.max)
		}
	}
	first, last := stream(120, 200, 1)[0].at, stream(120, 200, 1)[0].at
	for _, row := range stream(120, 200, 1) {
		if row.at.Before(first) {
			first = row.at
		}
		if row.at.After(last) {
			last = row.at
		}
	}
	if !p.From.Equal(first) || !p.To.Equal(last) {
		t.Errorf("from %v to %v, want %v to %v", p.From, p.To, first, last)
	}
}

// A further block of the same process is within the 95% distance in 95% of the
// cases, and within its columns' in as many.
func TestBlocksCoverage(t *testing.T) {
	within, joint, all := 0, 0, 0
	for seed := range uint64(40) {
		var train, live []timedRow // every fourth day is live: no week is new
		for i, row := range stream(40, 20, seed) {
			row.at = row.at.Add(-5*time.Hour - 30*time.Minute) // days of UTC
			if i/480%4 == 3 {
				live = append(live, row)
			} else {
				train = append(train, row)
			}
		}
		p, _ := applied(t, train, 1)
		var blocks *profile.BlockDistances
		for i := range p.Blocks {
			if p.Blocks[i].Window == "24h" {
				blocks = &p.Blocks[i]
			}
		}
		if blocks == nil {
			t.Fatal("no blocks of a day")
		}
		for day := range 10 {
			d, err := profile.Compare(p, described(live[day*480:(day+1)*480]))
			if err != nil {
				t.Fatal(err)
			}
			all++
			if d.Mean <= blocks.Distance.P95 {
				within++
			}
			ok := true
			for i, c := range d.Columns {
				ok = ok && c.Distance <= blocks.Factor*max(p.Features[i].Blocks["24h"].P95, profile.MinColumnTolerance)
			}
			if ok {
				joint++
			}
		}
	}
	t.Logf("within the mean %d, within all columns %d of %d", within, joint, all)
	if share := float64(within) / float64(all); share < 0.9 {
		t.Errorf("%v of the blocks within the 95%% distance", share)
	}
	if share := float64(joint) / float64(all); share < 0.9 {
		t.Errorf("%v of the blocks within those of all columns", share)
	}
}

func TestBlocksTooFew(t *testing.T) {
	tests := []struct {
		name          string
		days, perHour int
		windows       []string
	}{
		{"no rows", 0, 0, nil},
		{"an hour's rows too few", 30, 20, []string{"24h"}},
		{"days too few", 5, 150, []string{"1h"}},
		{"eight weeks", 57, 10, []string{"24h", "7d"}},
		{"a year", 365, 1, []string{"7d", "30d"}},
	}
	for _, tt := range tests {
		p, _ := applied(t, stream(tt.days, tt.perHour, 3), 1)
		var windows []string
		for _, b := range p.Blocks {
			windows = append(windows, b.Window)
		}
		if !slices.Equal(windows, tt.windows) {
			t.Errorf("%s: windows %v, want %v", tt.name, windows, tt.windows)
		}
		for _, c := range p.Features {
			for w := range c.Blocks {
				if !slices.Contains(windows, w) {
					t.Errorf("%s: column %s has %s", tt.name, c.Name, w)
				}
			}
		}
	}
}

// Order, parts and sampling leave the bytes as they are.
func TestBlocksOrder(t *testing.T) {
	for name, rows := range map[string][]timedRow{
		"whole":   stream(60, 110, 5),
		"sampled": sparse(1500, 5),
	} {
		_, want := applied(t, rows, 1)
		for _, parts := range []int{1, 2, 7} {
			mixed := slices.Clone(rows)
			rand.New(rand.NewPCG(uint64(parts), 9)).Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
			if _, got := applied(t, mixed, parts); !bytes.Equal(got, want) {
				t.Errorf("%s: in %d parts and another order: other bytes", name, parts)
			}
		}
	}
}

// sparse are rows of so many years that hours and days have to be sampled.
func sparse(years int, seed uint64) []timedRow {
	r := rand.New(rand.NewPCG(seed, 2))
	begin := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	var rows []timedRow
	for range 3 * years {
		at := begin.AddDate(r.IntN(years), 0, r.IntN(365))
		for range 120 {
			b := uint8(r.IntN(10))
			rows = append(rows, timedRow{at.Add(time.Duration(r.Int64N(int64(2 * time.Hour)))), []uint8{b, b, b, b}})
		}
	}
	return rows
}

func TestErrors(t *testing.T) {
	number := func(probability, binary bool) profile.Column {
		c := described(stream(1, 10, 1)).Predictions[0]
		c.Probability, c.Binary = probability, binary
		return c
	}
	nan, inf := math.NaN(), math.Inf(1)
	tests := []struct {
		name      string
		column    profile.Column
		add       func(e *profile.Errors)
		rows      int64
		rate      float64 // −1: none
		mae, rmse float64
	}{
		{"probability", number(true, false), func(e *profile.Errors) {
			e.Number(3, 0.5, 1)
			e.Number(3, 0.4, 1)
			e.Number(3, 0.4, 0)
			e.Number(3, 0.9, 0)
		}, 4, 0.5, 0, 0},
		{"two values", number(false, true), func(e *profile.Errors) { e.Number(3, 1, 0); e.Number(3, 1, 1) }, 2, 0.5, 0, 0},
		{"regression", number(false, false), func(e *profile.Errors) { e.Number(3, 5, 2); e.Number(3, 1, 2); e.Number(3, 2, 2) }, 3, -1, 4.0 / 3, math.Sqrt(10.0 / 3)},
		{"regression of a share", number(true, false), func(e *profile.Errors) { e.Number(3, 0.5, 0.25); e.Number(3, 0.5, 1) }, 2, -1, 0.375, math.Sqrt((0.0625 + 0.25) / 2)},
		{"no truth, no prediction", number(false, false), func(e *profile.Errors) {
			e.Number(3, 5, nan)
			e.Number(3, nan, 5)
			e.Number(3, inf, 5)
			e.Number(3, 1e300, -1e300)
			e.Number(3, 1, 3)
		}, 1, -1, 2, 2},
		{"answers", number(true, false), func(e *profile.Errors) { e.Answer(3, true); e.Answer(3, false); e.Answer(3, true) }, 3, 1.0 / 3, 0, 0},
	}
	for _, tt := range tests {
		e := profile.NewErrors(tt.column)
		tt.add(e)
		e.Apply(&tt.column)
		got := tt.column.Bins[3].Error
		if got == nil || got.Rows != tt.rows {
			t.Errorf("%s: %+v, want %d rows", tt.name, got, tt.rows)
			continue
		}
		switch {
		case tt.rate >= 0 && (got.Rate == nil || *got.Rate != tt.rate || got.MAE != nil):
			t.Errorf("%s: %+v, want a rate of %v", tt.name, got, tt.rate)
		case tt.rate < 0 && (got.Rate != nil || math.Abs(*got.MAE-tt.mae) > 1e-15 || math.Abs(*got.RMSE-tt.rmse) > 1e-15):
			t.Errorf("%s: mae %v rmse %v, want %v and %v", tt.name, *got.MAE, *got.RMSE, tt.mae, tt.rmse)
		}
		if tt.column.Bins[4].Error != nil {
			t.Errorf("%s: an error where no row was", tt.name)
		}
	}
}

// Floating point sums depend on the order of the rows; these don't.
func TestErrorsOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	deviations := make([]float64, 5000)
	for i := range deviations {
		deviations[i] = math.Ldexp(r.NormFloat64(), r.IntN(200)-100)
	}
	sum := func(parts int) (mae, rmse float64) {
		c := described(stream(1, 10, 1)).Predictions[0]
		all := make([]*profile.Errors, parts)
		for i := range all {
			all[i] = profile.NewErrors(c)
		}
		for i, d := range deviations {
			all[i%parts].Number(3, d, 0)
		}
		for _, e := range all[1:] {
			all[0].Merge(e)
		}
		all[0].Number(3, 0, 7)
		all[0].Apply(&c)
		return *c.Bins[3].Error.MAE, *c.Bins[3].Error.RMSE
	}
	mae, rmse := sum(1)
	for parts := 2; parts < 6; parts++ {
		slices.Sort(deviations[:parts*1000])
		if a, b := sum(parts); a != mae || b != rmse {
			t.Errorf("in %d parts: %v and %v, not %v and %v", parts, a, b, mae, rmse)
		}
	}
	var plain float64
	for _, d := range deviations {
		plain += math.Abs(d)
	}
	if plain = (plain + 7) / 5001; math.Abs(mae-plain) > 1e-12*plain {
		t.Errorf("mae %v, added up plainly %v", mae, plain)
	}
}

// A live profile counts into the bins of its reference, without its errors.
func TestErrorsStayWithTheReference(t *testing.T) {
	reference, _ := applied(t, stream(57, 10, 1), 1)
	e := profile.NewErrors(reference.Predictions[0])
	e.Number(3, 2, 1)
	e.Apply(&reference.Predictions[0])
	if _, err := reference.Encode(); err != nil {
		t.Fatal(err)
	}
	r := recorder(t, reference.Features, reference.Predictions)
	r.Lock(noon)
	r.AddRows(1)
	r.Unlock()
	live := r.Profile(noon, noon)
	if _, err := live.Encode(); err != nil || live.Predictions[0].Bins[3].Error != nil || live.Blocks != nil {
		t.Errorf("%v, %+v", err, live.Predictions[0].Bins[3])
	}
}

func BenchmarkBlocksAdd(b *testing.B) {
	for _, columns := range []int{10, 50} {
		p := &profile.Profile{}
		for i := range columns {
			c := described(nil).Features[0]
			c.Name = fmt.Sprint(i)
			p.Features = append(p.Features, c)
		}
		bins := make([][]uint8, 1024)
		for i := range bins {
			bins[i] = make([]uint8, columns)
			for k := range bins[i] {
				bins[i][k] = uint8(rand.IntN(10))
			}
		}
		begin := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
		for name, at := range map[string]func(i int) time.Time{
			"ordered":  func(i int) time.Time { return begin.Add(time.Duration(i) * time.Second) },
			"shuffled": func(i int) time.Time { return begin.Add(time.Duration(i*7919%4000) * time.Hour) },
		} {
			b.Run(fmt.Sprintf("columns=%d/%s", columns, name), func(b *testing.B) {
				blocks := profile.NewBlocks(p)
				for i := range b.N {
					blocks.Add(at(i), bins[i%len(bins)])
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*columns), "ns/cell")
			})
		}
	}
}

func BenchmarkBlocksApply(b *testing.B) {
	rows := stream(365, 120, 1)
	p := described(rows)
	blocks := profile.NewBlocks(p)
	for _, row := range rows {
		blocks.Add(row.at, row.bins)
	}
	b.ResetTimer()
	for range b.N {
		p.Blocks = nil
		blocks.Apply(p)
	}
}
