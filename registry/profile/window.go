package profile

import (
	"slices"
	"time"
)

// referenceWindow is a length of time of which a reference knows something.
type referenceWindow struct {
	length time.Duration
	// What blocks of the length showed: the median of the means, and their
	// tolerance; and the names of the window alone and with the one that was
	// measured before. alone is nil where there were no blocks.
	typical, tolerance float64
	alone, pair        []string
	// limits are the tolerances by column, −1 where nothing was measured.
	limits []float64
}

// setWindows takes over what a profile knows of lengths of time.
func (ref *Reference) setWindows(p *Profile, r *References) {
	add := func(name string) *referenceWindow {
		length, err := windowLength(name)
		if err != nil {
			return nil // clustering may be of other windows than blocks
		}
		i, found := slices.BinarySearchFunc(ref.windows, length, func(w referenceWindow, l time.Duration) int { return int(w.length - l) })
		if !found {
			ref.windows = slices.Insert(ref.windows, i, referenceWindow{length: length})
		}
		return &ref.windows[i]
	}
	factors := map[time.Duration]float64{}
	for i := range p.Blocks {
		b := &p.Blocks[i]
		if w := add(b.Window); w != nil {
			w.typical, w.tolerance = b.Distance.P50, max(b.Distance.P95, MinTolerance)
			w.alone, factors[w.length] = r.windowNames("", b.Window), b.Factor
		}
	}
	for i := range p.Features {
		for name := range p.Features[i].Clustering {
			add(name)
		}
	}
	before := ""
	for i := range ref.windows {
		w := &ref.windows[i]
		w.limits = limitsOf(p.Features, w.length, factors)
		if w.alone != nil {
			w.pair, before = r.windowNames(before, w.alone[0]), w.alone[0]
		}
	}
	ref.setClustering(p.Features)
}

// limitsOf are the tolerances of columns in windows of a length.
func limitsOf(columns []Column, length time.Duration, factors map[time.Duration]float64) []float64 {
	limits := make([]float64, len(columns))
	for i := range columns {
		limits[i] = -1
		for name, q := range columns[i].Blocks {
			factor, measured := factors[length]
			if l, err := windowLength(name); err == nil && l == length && measured {
				limits[i] = factor * max(q.P95, MinColumnTolerance)
			}
		}
	}
	return limits
}

// setClustering finds, for data of any length, what stands in where nothing is
// known of its length: the next longer window, else the next shorter.
func (ref *Reference) setClustering(columns []Column) {
	windows := len(ref.windows)
	if windows == 0 {
		return
	}
	known := make([]float64, windows) // of a column
	ref.phis = make([]float64, (windows+1)*len(columns))
	for i := range columns {
		clear(known)
		for name, phi := range columns[i].Clustering {
			length, err := windowLength(name)
			if k := slices.IndexFunc(ref.windows, func(w referenceWindow) bool { return w.length == length }); err == nil && k >= 0 {
				known[k] = max(phi, 0)
			}
		}
		shorter := 0.0
		for k := range windows + 1 {
			phi := shorter
			if j := slices.IndexFunc(known[k:], func(phi float64) bool { return phi > 0 }); j >= 0 {
				phi = known[k+j]
			}
			ref.phis[k*len(columns)+i] = phi
			if k < windows && known[k] > 0 {
				shorter = known[k]
			}
		}
	}
}

// clustering is that of the columns for data of a length, 0 of those of which
// none is known; nil where it is known of no column.
func (ref *Reference) clustering(length time.Duration) []float64 {
	if len(ref.windows) == 0 {
		return nil
	}
	k := slices.IndexFunc(ref.windows, func(w referenceWindow) bool { return w.length >= length })
	if k < 0 {
		k = len(ref.windows)
	}
	return ref.phis[k*len(ref.columns):][:len(ref.columns)]
}

// windowNames are names of windows, kept once for all references.
func (r *References) windowNames(a, b string) []string {
	key := [2]string{a, b}
	list, ok := r.windows[key]
	if !ok {
		for _, name := range key {
			if name != "" {
				list = append(list, name)
			}
		}
		if r.windows == nil {
			r.windows = map[[2]string][]string{}
		}
		r.windows[key] = list
	}
	return list
}
