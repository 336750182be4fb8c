package profile

import (
	"slices"
	"time"
)

// Comparison is how far data lies from a reference: what Compare says, with the
// interval in which the distance of all such data lies with 95%.
type Comparison struct {
	Mean ColumnComparison
	// Columns are in the order of the features.
	Columns []ColumnComparison
	// Measured says that the clustering of every column is that of the training
	// rows; else AssumedClustering stood in.
	Measured bool
	// Err says why there is no comparison. It wraps ErrSchema where the reference
	// has other features than the data, or in another order.
	Err error
}

// ColumnComparison is the distance of a column.
type ColumnComparison struct {
	Distance, Low, High float64
}

// Compare says how far the data lies from references, one answer for each; the
// distances are those of the function Compare.
//
// The interval is for the data as a sample, by the delta method, with as many
// rows as it has over the clustering φ of the training rows in windows of this
// length (the next longer that is known). Distances near 0 are found larger than
// they are, so the interval may lie wholly below the distance. That of the mean
// is the mean of the columns', which is right when they move together and wide
// when they don't. The sample of the training rows is taken as it is.
func (d *Data) Compare(references []*Reference, length time.Duration) []Comparison {
	list := make([]Comparison, len(references))
	columns := make([]ColumnComparison, len(references)*len(d.columns))
	orders := make([][]int, len(references))
	for k, r := range references {
		list[k] = Comparison{Measured: true, Err: d.sameColumns(r), Columns: columns[:len(d.columns):len(d.columns)]}
		columns = columns[len(d.columns):]
		orders[k] = r.clusteringOrder(length)
	}
	// Of some references at a time, by column: what the data has of a column stays
	// in the cache, and so do the answers.
	for from := 0; from < len(references); from += atOnce {
		to := min(from+atOnce, len(references))
		for i := range d.columns {
			for k := from; k < to; k++ {
				if c := &list[k]; c.Err == nil {
					c.Err = d.compareColumn(i, references[k], orders[k], c)
				}
			}
		}
	}
	return list
}

// atOnce is how many references are compared together: of 50 columns their
// answers are 150 KB.
const atOnce = 128

func (d *Data) compareColumn(i int, r *Reference, order []int, into *Comparison) error {
	ref := r.columns[i]
	shares, err := d.sharesOf(i, ref.layout)
	if err != nil {
		return err
	}
	distance, of := divergence(ref.shares, shares)
	phi, measured := r.clustering(i, order)
	low, high := of.interval(distance, float64(d.columns[i].column.Rows)/phi)
	into.Columns[i] = ColumnComparison{distance, low, high}
	count := float64(len(d.columns))
	into.Mean.Distance += distance / count
	into.Mean.Low += low / count
	into.Mean.High += high / count
	into.Measured = into.Measured && measured
	return nil
}

// windowsOf are the lengths of which a profile knows something, shortest first.
func windowsOf(p *Profile) []referenceWindow {
	var list []referenceWindow
	add := func(name string) *referenceWindow {
		length, err := windowLength(name)
		if err != nil {
			return nil // clustering may be of other windows than blocks
		}
		i, found := slices.BinarySearchFunc(list, length, func(w referenceWindow, l time.Duration) int { return int(w.length - l) })
		if !found {
			list = slices.Insert(list, i, referenceWindow{length: length})
		}
		return &list[i]
	}
	for i := range p.Blocks {
		b := p.Blocks[i]
		if w := add(b.Window); w != nil {
			w.blocks = &b
		}
	}
	for i := range p.Features {
		for name := range p.Features[i].Clustering {
			add(name)
		}
	}
	return list
}

// set takes over what columns know of the window.
func (w *referenceWindow) set(columns []Column) {
	w.phi, w.limits = make([]float64, len(columns)), make([]float64, len(columns))
	is := func(name string) bool {
		length, err := windowLength(name)
		return err == nil && length == w.length
	}
	for i := range columns {
		for name, phi := range columns[i].Clustering {
			if is(name) {
				w.phi[i] = phi
			}
		}
		w.limits[i] = -1
		for name, q := range columns[i].Blocks {
			if w.blocks != nil && is(name) {
				w.limits[i] = w.blocks.Factor * max(q.P95, MinColumnTolerance)
			}
		}
	}
}

// clusteringOrder are the windows in which to look for a clustering: the next
// longer ones, then the shorter ones.
func (r *Reference) clusteringOrder(length time.Duration) []int {
	if len(r.windows) == 0 {
		return nil
	}
	next := slices.IndexFunc(r.windows, func(w referenceWindow) bool { return w.length >= length })
	if next < 0 {
		next = len(r.windows)
	}
	var order []int
	for i := next; i < len(r.windows); i++ {
		order = append(order, i)
	}
	for i := next - 1; i >= 0; i-- {
		order = append(order, i)
	}
	return order
}

func (r *Reference) clustering(column int, order []int) (phi float64, measured bool) {
	for _, i := range order {
		if phi := r.windows[i].phi[column]; phi > 0 {
			return phi, true
		}
	}
	return AssumedClustering, false
}
