package observe

import (
	"math"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/leeway-dev/leeway/registry/profile"
)

// Collector exports what an Observer has counted by column and bin, and which reference it counts against.
type Collector struct {
	o          *Observer
	standalone bool

	info, unknown *prometheus.Desc
	halves        [2]half
}

// half names the series of features, or of predictions.
type half struct {
	observations, ratio, samples, clustering, rank, bin *prometheus.Desc
}

// NewCollector exports o. standalone adds the reference's own series, which in a cluster come from the controller, once per version and not once per pod.
func NewCollector(o *Observer, standalone bool) *Collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	c := &Collector{
		o: o, standalone: standalone,
		info:    desc("leeway_model_info", "1; the label reference is the start of the profile's digest, or none.", "reference"),
		unknown: desc("leeway_unknown_column_values_total", "Values of columns that the reference does not have."),
	}
	for i, n := range []struct{ name, label string }{{"feature", "feature"}, {"prediction", "output"}} {
		c.halves[i] = half{
			observations: desc("leeway_"+n.name+"_observations_total", "Values observed, by bin of the reference.", n.label, "bin"),
			ratio:        desc("leeway_"+n.name+"_reference_ratio", "Share of the reference's rows in a bin.", n.label, "bin"),
			samples:      desc("leeway_"+n.name+"_reference_samples", "Rows of the reference.", n.label),
			clustering:   desc("leeway_"+n.name+"_reference_clustering", "How much more than independent rows the reference's rows of a window resemble each other.", n.label, "window"),
			rank:         desc("leeway_"+n.name+"_reference_rank", "Mean rank of the reference's rows in a bin among those with a value: 0 the least, 1 the greatest. Of numbers.", n.label, "bin"),
			bin:          desc("leeway_"+n.name+"_bin_info", "1; the labels say which values a bin holds.", n.label, "bin", "lower", "upper", "category"),
		}
	}
	return c
}

// Describe is part of prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.info
	ch <- c.unknown
	for _, h := range c.halves {
		ch <- h.observations
		if c.standalone {
			ch <- h.ratio
			ch <- h.samples
			ch <- h.clustering
			ch <- h.rank
			ch <- h.bin
		}
	}
}

// Collect is part of prometheus.Collector.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	r := c.o.reference.Load()
	if r == nil {
		ch <- prometheus.MustNewConstMetric(c.info, prometheus.GaugeValue, 1, "none")
		ch <- prometheus.MustNewConstMetric(c.unknown, prometheus.CounterValue, 0)
		return
	}
	ch <- prometheus.MustNewConstMetric(c.info, prometheus.GaugeValue, 1, Short(r.digest))
	r.settled()
	unknown := r.unknown
	counts := [2][][]int64{snapshot(r.features.counts), snapshot(r.outputs.counts)}
	r.unlock()
	ch <- prometheus.MustNewConstMetric(c.unknown, prometheus.CounterValue, float64(unknown))
	for i, columns := range [2][]profile.Column{r.profile.Features, r.profile.Predictions} {
		for j, column := range columns {
			for k, bin := range column.Bins {
				ch <- prometheus.MustNewConstMetric(c.halves[i].observations, prometheus.CounterValue, float64(counts[i][j][k]), column.Name, bin.Name)
			}
			if c.standalone {
				c.halves[i].reference(column, ch)
			}
		}
	}
}

func snapshot(counts [][]int64) [][]int64 {
	out := make([][]int64, len(counts))
	for i, c := range counts {
		out[i] = append([]int64(nil), c...)
	}
	return out
}

// reference tells of one column of the profile itself.
func (h half) reference(c profile.Column, ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(h.samples, float64(c.Rows), c.Name)
	for window, phi := range c.Clustering {
		gauge(h.clustering, phi, c.Name, window)
	}
	for i, rank := range c.MeanRanks() {
		if !math.IsNaN(rank) {
			gauge(h.rank, rank, c.Name, c.Bins[i].Name)
		}
	}
	for _, b := range c.Bins {
		if c.Rows > 0 {
			gauge(h.ratio, float64(b.Count)/float64(c.Rows), c.Name, b.Name)
		}
		gauge(h.bin, 1, c.Name, b.Name, edge(b.Lower), edge(b.Upper), b.Category)
	}
}

func edge(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'g', -1, 64)
}

// Short is how a digest appears in labels: sha256: and 12 hexadecimal digits.
func Short(digest string) string {
	const n = len("sha256:") + 12
	if len(digest) > n {
		return digest[:n]
	}
	return digest
}
