package backtest

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/leeway-dev/leeway/agent/evidence"
	"github.com/leeway-dev/leeway/registry/profile"
)

// binRows makes a live profile of the counts in the bins of the version that
// answered. In these bins it is exact. Where in a bin the values lie is not
// known; for versions with other bins they are taken to lie as the training rows
// of that version do.
type binRows struct{ j *judged }

// Live implements Rows.
func (b binRows) Live(ctx context.Context, version string, from, to time.Time) (*profile.Profile, error) {
	v := b.j.version(version)
	if v == nil {
		return nil, nil
	}
	trained, _, err := v.Profile()
	if err != nil {
		return nil, nil // held as a version without a profile is
	}
	r := b.j.reader
	vector, err := r.Source.Query(ctx, fmt.Sprintf("sum by (feature, bin) (increase(leeway_feature_observations_total{%s}[%s]))",
		r.Selector(version), evidence.Duration(to.Sub(from))), to)
	if err != nil {
		return nil, err
	}
	counts := map[string]map[string]int64{}
	for _, s := range vector {
		feature := s.Metric.Get("feature")
		if counts[feature] == nil {
			counts[feature] = map[string]int64{}
		}
		counts[feature][s.Metric.Get("bin")] = int64(math.Round(max(s.F, 0)))
	}
	p := &profile.Profile{Format: profile.Format, From: &from, To: &to}
	for _, c := range trained.Features {
		live := binColumn(c, counts[c.Name])
		if live.Rows == 0 {
			return nil, nil // a column that was not counted: there is nothing to match
		}
		p.Rows = max(p.Rows, live.Rows)
		p.Features = append(p.Features, live)
	}
	return p, nil
}

// binColumn is a live column with these counts in the bins of a training column.
func binColumn(c profile.Column, counts map[string]int64) profile.Column {
	live := profile.Column{Name: c.Name, Type: c.Type, Probability: c.Probability, Redacted: c.Redacted, Binning: c.Binning}
	live.Bins = slices.Clone(c.Bins)
	for i := range live.Bins {
		n := counts[live.Bins[i].Name]
		live.Bins[i].Count, live.Bins[i].Error, live.Bins[i].Excess = n, nil, nil
		live.Rows += n
		if live.Bins[i].Name == profile.Missing {
			live.Missing = n
		}
	}
	if c.Type == profile.Category {
		live.Categories, live.Folded = binCategories(c, live.Bins)
	} else if live.Rows > live.Missing {
		live.Quantiles = binQuantiles(c, live.Bins, live.Rows-live.Missing)
	}
	return live
}

// binCategories names the categories of bins: rows of "other" are divided among
// the categories without a bin as in training; of "unseen" no name is known.
func binCategories(c profile.Column, bins []profile.Bin) (list []profile.CategoryCount, folded int64) {
	own := map[string]bool{}
	var rest, other int64
	for _, b := range bins {
		switch {
		case b.Category != "":
			own[b.Category] = true
			if b.Count > 0 {
				list = append(list, profile.CategoryCount{Name: b.Category, Count: b.Count})
			}
		case b.Name == profile.Other:
			other = b.Count
		case b.Name == profile.Unseen && b.Count > 0:
			list = append(list, profile.CategoryCount{Name: "(not seen in training)", Count: b.Count})
		}
	}
	for _, k := range c.Categories {
		if !own[k.Name] {
			rest += k.Count
		}
	}
	left := other
	for _, k := range c.Categories {
		if own[k.Name] || rest == 0 {
			continue
		}
		if n := other * k.Count / rest; n > 0 {
			list = append(list, profile.CategoryCount{Name: k.Name, Count: n})
			left -= n
		}
	}
	slices.SortStableFunc(list, func(a, b profile.CategoryCount) int { return int(b.Count - a.Count) })
	return list, left
}

// binQuantiles are the quantiles of n values in bins.
func binQuantiles(c profile.Column, bins []profile.Bin, n int64) []float64 {
	type piece struct {
		values []float64 // ascending, equally likely
		count  int64
	}
	at := map[string]profile.Bin{}
	var pieces []piece
	for _, b := range bins {
		at[b.Name] = b
	}
	add := func(b profile.Bin, values []float64) { pieces = append(pieces, piece{values, b.Count}) }
	low, lowest, highest, high := *at[profile.Under].Lower, *at[profile.Under].Upper, *at[profile.Over].Lower, *at[profile.Over].Upper
	add(at[profile.FarUnder], []float64{low - (lowest - low)})
	add(at[profile.Under], []float64{low + (lowest-low)/2})
	for _, b := range bins {
		if b.Lower != nil && b.Upper != nil && b.Name != profile.Under && b.Name != profile.Over {
			add(b, within(c.Quantiles, *b.Lower, *b.Upper))
		}
	}
	add(at[profile.Over], []float64{highest + (high-highest)/2})
	add(at[profile.FarOver], []float64{high + (high - highest)})
	out := make([]float64, 0, profile.QuantileCount)
	i, below := 0, int64(0)
	for k := range profile.QuantileCount {
		rank := max(int64(math.Ceil(float64(k)/(profile.QuantileCount-1)*float64(n))), 1) // of the value, from 1
		for rank > below+pieces[i].count {
			below += pieces[i].count
			i++
		}
		p := pieces[i]
		share := (float64(rank-below) - 0.5) / float64(p.count)
		out = append(out, p.values[min(int(share*float64(len(p.values))), len(p.values)-1)])
	}
	return out
}

// within are the quantiles in [low, high), or a few places in between where
// there are none.
func within(quantiles []float64, low, high float64) []float64 {
	i, _ := slices.BinarySearch(quantiles, low)
	k, _ := slices.BinarySearch(quantiles, high)
	if i < k {
		return quantiles[i:k]
	}
	return []float64{low + (high-low)/2}
}
