package profile

import (
	"iter"
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

// Compare says how far the data lies from references, one answer for each, in
// their order; the distances are those of the function Compare. The columns of an
// answer hold until the next one.
//
// The interval is for the data as a sample, by the delta method, with as many
// rows as it has over the clustering φ of the training rows in windows of this
// length (the next longer that is known). Distances near 0 are found larger than
// they are, so the interval may lie wholly below the distance. That of the mean
// is the mean of the columns', which is right when they move together and wide
// when they don't. The sample of the training rows is taken as it is.
func (d *Data) Compare(references []*Reference, length time.Duration) iter.Seq2[int, Comparison] {
	return func(yield func(int, Comparison) bool) {
		var answers [atOnce]Comparison
		columns := make([]ColumnComparison, min(atOnce, len(references))*len(d.columns))
		for from := 0; from < len(references); from += atOnce {
			some := references[from:min(from+atOnce, len(references))]
			d.compare(some, length, answers[:len(some)], columns)
			for k := range some {
				if !yield(from+k, answers[k]) {
					return
				}
			}
		}
	}
}

// CompareOne is Compare with one reference; the answer's columns stay.
func (d *Data) CompareOne(r *Reference, length time.Duration) Comparison {
	var c [1]Comparison
	d.compare([]*Reference{r}, length, c[:], make([]ColumnComparison, len(d.columns)))
	return c[0]
}

// atOnce is how many references are compared together: of 50 columns their
// answers are 150 KB.
const atOnce = 128

// compare some references, by column: what the data has of a column stays in the
// cache, and so do the answers.
func (d *Data) compare(references []*Reference, length time.Duration, answers []Comparison, columns []ColumnComparison) {
	var phis [atOnce][]float64
	for k, r := range references {
		answers[k] = Comparison{Measured: true, Err: d.sameColumns(r), Columns: columns[:len(d.columns):len(d.columns)]}
		columns = columns[len(d.columns):]
		phis[k] = r.clustering(length)
	}
	for i := range d.columns {
		for k, r := range references {
			if c := &answers[k]; c.Err == nil {
				c.Err = d.compareColumn(i, r, phis[k], c)
			}
		}
	}
}

func (d *Data) compareColumn(i int, r *Reference, phis []float64, into *Comparison) error {
	ref := &r.columns[i]
	shares, err := d.sharesOf(i, ref.layout)
	if err != nil {
		return err
	}
	distance, of := divergence(d.sets[i].shares.row(ref.shares, len(shares)), shares)
	phi := float64(AssumedClustering)
	if phis != nil && phis[i] > 0 {
		phi = phis[i]
	} else {
		into.Measured = false
	}
	low, high := of.interval(distance, float64(d.columns[i].column.Rows)/phi)
	into.Columns[i] = ColumnComparison{distance, low, high}
	count := float64(len(d.columns))
	into.Mean.Distance += distance / count
	into.Mean.Low += low / count
	into.Mean.High += high / count
	return nil
}
