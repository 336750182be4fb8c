package backtest

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/leeway-dev/leeway/agent/reference"
	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/profile"
)

const (
	// lingers is for how many scrapes a version that answers no row any more is
	// still there: its pods go when those of the next one have taken over.
	lingers = 20
	// referencesEvery is how many scrapes apart what versions were trained on is
	// written: half of what an instant query looks back at least.
	referencesEvery = 10
	lookback        = 5 * time.Minute
	maxClasses      = 50
)

// server stands for the sidecars of one version.
type server struct {
	version  string
	recorder *profile.Recorder
	counters []counter // by column, features first
	rows     float64
	scrapes  int
	last     time.Time // of the rows
	info     labels.Labels
	requests labels.Labels
	facts    []reference.Sample // what it was trained on

	predicted int // cell of the first prediction, -1 without
	label     int
	labelled  map[string]*single // counters of labels, by what tells them apart
	base      []string           // labels
}

// counter counts one column.
type counter struct {
	cell   int // of a row
	series *profile.Series
	labels []labels.Labels // by bin
	bins   []float64
}

type single struct {
	labels labels.Labels
	value  float64
}

func newServer(c *CSV, v *registry.Version, header []string) (*server, error) {
	p, _, err := v.Profile()
	if err != nil {
		return nil, err
	}
	s := &server{version: strconv.FormatInt(v.Number, 10), predicted: -1, label: c.columns.label, labelled: map[string]*single{}}
	s.base = []string{"namespace", c.Namespace, "model_name", c.Model, "model_version", s.version, "pod", "csv"}
	s.info = s.series(infoMetric)
	s.requests = s.series("leeway_request_duration_seconds_count", "code", "2xx")
	cell := func(name string) int { return slices.Index(header, name) }
	var missing []string
	for _, f := range p.Features {
		if cell(f.Name) < 0 {
			missing = append(missing, f.Name)
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("%s: line 1: no column for %s of version %s: a feature that is not there at all reads as broken input",
			c.Name, strings.Join(missing[:min(5, len(missing))], ", "), s.version)
	}
	outputs := slices.DeleteFunc(slices.Clone(p.Predictions), func(o profile.Column) bool { return cell(o.Name) < 0 })
	if s.recorder, err = profile.NewRecorder(p.Features, outputs); err != nil {
		return nil, fmt.Errorf("profile of version %s: %w", s.version, err)
	}
	for i, f := range p.Features {
		s.counters = append(s.counters, s.counter("feature", "feature", f, cell(f.Name), s.recorder.Feature(i)))
	}
	for i, o := range outputs {
		s.counters = append(s.counters, s.counter("prediction", "output", o, cell(o.Name), s.recorder.Output(i)))
		if s.predicted < 0 {
			s.predicted = cell(o.Name)
		}
	}
	s.facts, err = facts(c, s.version, p, v)
	return s, err
}

// series is one of the version's, with more labels.
func (s *server) series(name string, more ...string) labels.Labels {
	all := append([]string{model.MetricNameLabel, name}, s.base...)
	all = append(all, more...)
	for i := 0; i < len(all); {
		if all[i+1] == "" { // an empty label is none
			all = slices.Delete(all, i, i+2)
			continue
		}
		i += 2
	}
	return labels.FromStrings(all...)
}

func (s *server) counter(kind, label string, c profile.Column, cell int, series *profile.Series) counter {
	out := counter{cell: cell, series: series, bins: make([]float64, len(c.Bins))}
	for _, b := range c.Bins {
		out.labels = append(out.labels, s.series("leeway_"+kind+"_observations_total", label, c.Name, "bin", b.Name))
	}
	return out
}

// facts are the metrics of what a version was trained on, as a controller
// exports them.
func facts(c *CSV, version string, p *profile.Profile, v *registry.Version) ([]reference.Sample, error) {
	metrics := map[string]float64{}
	for name, text := range v.Spec.Metrics {
		if x, err := strconv.ParseFloat(text, 64); err == nil {
			metrics[name] = x
		}
	}
	return reference.Samples(reference.Version{Namespace: c.Namespace, Model: c.Model, Version: version}, p, reference.Facts{Metrics: metrics})
}

// count counts a row, as a sidecar does.
func (s *server) count(r *row) {
	s.rows++
	s.last = r.at
	s.recorder.Lock(r.at)
	s.recorder.AddRows(1)
	for i := range s.counters {
		c := &s.counters[i]
		if bin := c.series.Category(r.cells[c.cell]); bin >= 0 {
			c.bins[bin]++
		}
	}
	s.recorder.Unlock()
	if s.label >= 0 && s.predicted >= 0 {
		s.judge(strings.TrimSpace(r.cells[s.predicted]), strings.TrimSpace(r.cells[s.label]))
	}
}

// judge counts a label as the controller counts feedback: the error of numbers,
// or which class was taken for which.
func (s *server) judge(predicted, actual string) {
	if profile.IsMissing(predicted) || profile.IsMissing(actual) {
		return
	}
	p, a := profile.ParseNumber(predicted), profile.ParseNumber(actual)
	isClass := func(x float64) bool { return x == 0 || x == 1 }
	if math.IsNaN(p) || math.IsNaN(a) || isClass(p) && isClass(a) {
		s.add(1, "leeway_feedback_outcomes_total", "actual", actual, "predicted", predicted)
		right, wrong := 1.0, 0.0
		if predicted != actual {
			right, wrong = wrong, right
		}
		s.add(right, "leeway_answer_observations_total", "bin", "right")
		s.add(wrong, "leeway_answer_observations_total", "bin", "wrong")
		return
	}
	e := math.Abs(p - a)
	s.add(1, "leeway_feedback_rows_total")
	s.add(e, "leeway_feedback_absolute_error_total")
	s.add(e*e, "leeway_feedback_squared_error_total")
}

func (s *server) add(x float64, name string, more ...string) {
	key := name + "\x00" + strings.Join(more, "\x00")
	c := s.labelled[key]
	if c == nil {
		if len(s.labelled) >= maxClasses*maxClasses {
			return
		}
		c = &single{labels: s.series(name, more...)}
		s.labelled[key] = c
	}
	c.value += x
}

// scrape gives the counters of the versions that are there at a time.
func (c *CSV) scrape(at time.Time, sink Sink) error {
	t := at.UnixMilli()
	every := max(min(referencesEvery, int(lookback/2/c.Interval)), 1)
	for _, s := range c.served {
		if s != c.now && (s.rows == 0 || at.Sub(s.last) > lingers*c.Interval) {
			continue
		}
		if err := s.scrape(t, sink); err != nil {
			return err
		}
		if s.scrapes++; s.scrapes%every != 1 && every > 1 {
			continue
		}
		for _, f := range s.facts {
			if err := sink(f.Series, t, f.Value); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *server) scrape(t int64, sink Sink) error {
	if err := sink(s.info, t, 1); err != nil {
		return err
	}
	if err := sink(s.requests, t, s.rows); err != nil {
		return err
	}
	for i := range s.counters {
		for bin, ls := range s.counters[i].labels {
			if err := sink(ls, t, s.counters[i].bins[bin]); err != nil {
				return err
			}
		}
	}
	for _, l := range s.labelled {
		if err := sink(l.labels, t, l.value); err != nil {
			return err
		}
	}
	return nil
}
