package reference

import (
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/leeway-dev/leeway/registry/profile"
)

// Version is one version in use.
type Version struct {
	Namespace string
	Model     string
	Version   string
}

// Facts are what was registered about a version beside its profile.
type Facts struct {
	// Metrics of the version on its own hold-out rows, such as mae.
	Metrics map[string]float64
	// DataUntil is the time of the last row that it was trained on, zero where
	// that was not registered.
	DataUntil time.Time
}

// wrongAnswers is the share of wrong answers of a classification, and of how many
// hold-out rows. Without both it is no reference: nobody knows how sure it is.
func (f Facts) wrongAnswers() (share, rows float64, ok bool) {
	share, ok = f.Metrics["error_rate"]
	if !ok {
		var accuracy float64
		accuracy, ok = f.Metrics["accuracy"]
		share = 1 - accuracy
	}
	rows = f.Metrics["holdout_rows"]
	return share, rows, ok && share >= 0 && share <= 1 && rows >= 1 && !math.IsInf(rows, 0)
}

// Exporter is a prometheus.Collector of the versions in use. It is safe for
// concurrent use.
type Exporter struct {
	halves        [2]half // features, predictions
	modelError    *prometheus.Desc
	answerRatio   *prometheus.Desc
	answerSamples *prometheus.Desc
	dataUntil     *prometheus.Desc
	expectedError *prometheus.Desc
	excessError   *prometheus.Desc

	mu       sync.RWMutex
	versions map[Version]reference
}

type reference struct {
	profile *profile.Profile // nil: none is registered
	facts   Facts
}

// half are the series of the features, or those of the predictions.
type half struct {
	ratio, samples, clustering, rank, bin *prometheus.Desc
}

// New makes an Exporter without versions.
func New() *Exporter {
	desc := func(name, help string, more ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, append([]string{"namespace", "model_name", "model_version"}, more...), nil)
	}
	e := &Exporter{
		versions:      map[Version]reference{},
		modelError:    desc("leeway_model_reference_error", "Metric of the version on its own hold-out rows, as registered.", "metric"),
		answerRatio:   desc("leeway_answer_reference_ratio", "Share of the answers on the version's hold-out rows that were right, or wrong, as registered.", "bin"),
		answerSamples: desc("leeway_answer_reference_samples", "Hold-out rows that this share is of, as registered."),
		expectedError: desc("leeway_prediction_bin_expected_error", "Error of the labelled rows of the version's profile whose prediction lay in a bin: the share of wrong answers, or the mean absolute error.", "output", "bin", "metric"),
		excessError:   desc("leeway_prediction_bin_excess_error", "What rows whose prediction lay in a bin add to the share of wrong answers that the bins of the highest class probability let expect.", "output", "bin"),
		dataUntil:     desc("leeway_model_training_data_end_timestamp_seconds", "Time of the last row that the version was trained on, as registered."),
	}
	for i, n := range []struct{ name, label string }{{"feature", "feature"}, {"prediction", "output"}} {
		e.halves[i] = half{
			ratio:      desc("leeway_"+n.name+"_reference_ratio", "Share of the training rows in a bin.", n.label, "bin"),
			samples:    desc("leeway_"+n.name+"_reference_samples", "Training rows.", n.label),
			clustering: desc("leeway_"+n.name+"_reference_clustering", "How much more than independent rows the training rows of a window resemble each other.", n.label, "window"),
			rank:       desc("leeway_"+n.name+"_reference_rank", "Mean rank of the training rows in a bin among those with a value: 0 the least, 1 the greatest. Of numbers.", n.label, "bin"),
			bin:        desc("leeway_"+n.name+"_bin_info", "1; the labels say which values a bin holds.", n.label, "bin", "lower", "upper", "category"),
		}
	}
	return e
}

// Set exports a version from now on, or what is new about it. The profile may be
// nil; it must not be changed afterwards.
func (e *Exporter) Set(v Version, p *profile.Profile, f Facts) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.versions[v] = reference{p, f}
}

// Remove ends the series of a version.
func (e *Exporter) Remove(v Version) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.versions, v)
}

// Versions are those exported.
func (e *Exporter) Versions() []Version {
	e.mu.RLock()
	defer e.mu.RUnlock()
	all := make([]Version, 0, len(e.versions))
	for v := range e.versions {
		all = append(all, v)
	}
	return all
}

// Describe is part of prometheus.Collector.
func (e *Exporter) Describe(ch chan<- *prometheus.Desc) {
	ch <- e.modelError
	ch <- e.answerRatio
	ch <- e.answerSamples
	ch <- e.expectedError
	ch <- e.excessError
	ch <- e.dataUntil
	for _, h := range e.halves {
		ch <- h.ratio
		ch <- h.samples
		ch <- h.clustering
		ch <- h.rank
		ch <- h.bin
	}
}

// Collect is part of prometheus.Collector.
func (e *Exporter) Collect(ch chan<- prometheus.Metric) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	for v, ref := range e.versions {
		s := series{ch: ch, version: v}
		for metric, value := range ref.facts.Metrics {
			s.gauge(e.modelError, value, metric)
		}
		if wrong, rows, ok := ref.facts.wrongAnswers(); ok {
			s.gauge(e.answerRatio, 1-wrong, "right")
			s.gauge(e.answerRatio, wrong, "wrong")
			s.gauge(e.answerSamples, rows)
		}
		if until := ref.facts.DataUntil; !until.IsZero() {
			s.gauge(e.dataUntil, float64(until.UnixMilli())/1000)
		}
		if ref.profile == nil {
			continue
		}
		for i, columns := range [2][]profile.Column{ref.profile.Features, ref.profile.Predictions} {
			for _, c := range columns {
				s.column(e.halves[i], c)
			}
		}
		for _, c := range ref.profile.Predictions {
			s.errors(e.expectedError, c)
			s.excess(e.excessError, c)
		}
	}
}

// series writes what is known of one version.
type series struct {
	ch      chan<- prometheus.Metric
	version Version
}

func (s series) gauge(d *prometheus.Desc, value float64, more ...string) {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return // a comparison with NaN is silently false; no sample is not
	}
	labels := append([]string{s.version.Namespace, s.version.Model, s.version.Version}, more...)
	m, err := prometheus.NewConstMetric(d, prometheus.GaugeValue, value, labels...)
	if err != nil {
		m = prometheus.NewInvalidMetric(d, err)
	}
	s.ch <- m
}

func (s series) column(h half, c profile.Column) {
	if len(c.Bins) == 0 || c.Rows <= 0 {
		return // no reference: a ratio of nothing would read as drift
	}
	s.gauge(h.samples, float64(c.Rows), c.Name)
	for window, phi := range c.Clustering {
		s.gauge(h.clustering, phi, c.Name, window)
	}
	for i, rank := range c.MeanRanks() {
		s.gauge(h.rank, rank, c.Name, c.Bins[i].Name) // not of missing values, which is NaN
	}
	for _, b := range c.Bins {
		s.gauge(h.ratio, float64(b.Count)/float64(c.Rows), c.Name, b.Name)
		s.gauge(h.bin, 1, c.Name, b.Name, edge(b.Lower), edge(b.Upper), b.Category)
	}
}

// errors writes what was measured of each bin. A bin in which no row had a label
// has no sample: 0 would read as never wrong.
func (s series) errors(d *prometheus.Desc, c profile.Column) {
	for _, b := range c.Bins {
		if b.Error == nil {
			continue
		}
		switch {
		case b.Error.Rate != nil:
			s.gauge(d, *b.Error.Rate, c.Name, b.Name, "error_rate")
		case b.Error.MAE != nil:
			s.gauge(d, *b.Error.MAE, c.Name, b.Name, "mae")
		}
	}
}

// excess writes what was measured of each bin beside the highest.
func (s series) excess(d *prometheus.Desc, c profile.Column) {
	for _, b := range c.Bins {
		if b.Excess != nil {
			s.gauge(d, *b.Excess, c.Name, b.Name)
		}
	}
}

// edge writes the bound of a bin; empty is unbounded.
func edge(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'g', -1, 64)
}
