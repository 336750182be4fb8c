package incidents

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"time"

	prom "github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/leeway-dev/leeway/agent/backtest"
	"github.com/leeway-dev/leeway/agent/reference"
	"github.com/leeway-dev/leeway/registry/profile"
)

// edges of the duration histogram, as the sidecar has them, in seconds.
var edges = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// factsEvery is how many seconds apart what a version was trained on is written:
// well within what an instant query looks back.
const factsEvery = 20

// series is one counter, or one fact.
type series struct {
	labels labels.Labels
	value  float64
}

// server stands for the pods of one version.
type server struct {
	m        *model
	index    int // of the version
	recorder *profile.Recorder
	bins     [][]series // by column, the prediction last
	info     series
	requests map[string]*series   // by class of status
	buckets  map[string][]*series // by class of status, +Inf last
	captures map[string]*series   // by result
	facts    []series
	labels   map[string]*series // of feedback
	late     []label            // labels on their way
	base     []string
	scrapes  int
}

// label is the outcome of a row, as it comes back later.
type label struct {
	at                time.Time
	err               float64
	predicted, actual string
}

func newServer(m *model, index int) (*server, error) {
	p := m.profiles[index]
	version := strconv.Itoa(index + 1)
	s := &server{
		m: m, index: index, requests: map[string]*series{}, buckets: map[string][]*series{}, captures: map[string]*series{}, labels: map[string]*series{},
		base: []string{"namespace", namespace, "model_name", m.name, "model_version", version, "pod", m.name + "-" + version},
	}
	var err error
	if s.recorder, err = profile.NewRecorder(p.Features, p.Predictions); err != nil {
		return nil, fmt.Errorf("profile of %s: %w", m.name, err)
	}
	s.info = s.series("leeway_model_info")
	s.info.value = 1
	for _, code := range []string{"2xx", "5xx"} {
		x := s.series("leeway_request_duration_seconds_count", "code", code)
		s.requests[code] = &x
		for _, e := range append(append([]float64{}, edges...), math.Inf(1)) {
			le := strconv.FormatFloat(e, 'g', -1, 64)
			b := s.series("leeway_request_duration_seconds_bucket", "code", code, "le", le)
			s.buckets[code] = append(s.buckets[code], &b)
		}
	}
	for _, result := range []string{"observed", "unparsable"} {
		x := s.series("leeway_captures_total", "result", result)
		s.captures[result] = &x
	}
	for _, c := range p.Features {
		s.bins = append(s.bins, s.counters("feature", "feature", c))
	}
	s.bins = append(s.bins, s.counters("prediction", "output", p.Predictions[0]))
	s.facts, err = s.trained(p)
	return s, err
}

func (s *server) series(name string, more ...string) series {
	all := append([]string{prom.MetricNameLabel, name}, s.base...)
	return series{labels: labels.FromStrings(append(all, more...)...)}
}

func (s *server) counters(kind, label string, c profile.Column) []series {
	var out []series
	for _, b := range c.Bins {
		out = append(out, s.series("leeway_"+kind+"_observations_total", label, c.Name, "bin", b.Name))
	}
	return out
}

// trained are the metrics of what the version was trained on, as a controller
// exports them.
func (s *server) trained(p *profile.Profile) ([]series, error) {
	metrics := map[string]float64{}
	for name, text := range s.m.versions[s.index].Spec.Metrics {
		x, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, err
		}
		metrics[name] = x
	}
	samples, err := reference.Samples(reference.Version{Namespace: namespace, Model: s.m.name, Version: strconv.Itoa(s.index + 1)}, p, reference.Facts{Metrics: metrics})
	var out []series
	for _, x := range samples {
		out = append(out, series{x.Series, x.Value})
	}
	return out, err
}

// count counts one row that was answered.
func (s *server) count(x row) {
	s.recorder.AddRows(1)
	for i, c := range x.cells {
		column, bin := s.recorder.Feature(i), -1
		switch {
		case c.missing:
			bin = column.Missing()
		case c.name != "":
			bin = column.Category(c.name)
		default:
			bin = column.Number(c.number)
		}
		if bin >= 0 {
			s.bins[i][bin].value++
		}
	}
	if bin := s.recorder.Output(0).Number(x.answer); bin >= 0 {
		s.bins[len(s.bins)-1][bin].value++
	}
	s.captures["observed"].value++
}

// answered counts an answer that took so many seconds.
func (s *server) answered(code string, seconds float64) {
	s.requests[code].value++
	for i, b := range s.buckets[code] {
		if i == len(edges) || seconds <= edges[i] {
			b.value++
		}
	}
}

// judge has a label come back for a row: wrong by err, or with this chance.
func (s *server) judge(r *rand.Rand, at time.Time, x row, err float64) {
	l := label{at: at.Add(s.m.lag)}
	if s.m.classifier {
		l.predicted, l.actual = "0", "0"
		if x.answer > 0.5 {
			l.predicted, l.actual = "1", "1"
		}
		if r.Float64() < err {
			l.actual = map[string]string{"0": "1", "1": "0"}[l.predicted]
		}
	} else {
		// Half normal: its mean is √(2/π) of its scale.
		l.err = math.Abs(r.NormFloat64()) * err * math.Sqrt(math.Pi/2)
	}
	s.late = append(s.late, l)
}

// receive counts the labels that have come back.
func (s *server) receive(now time.Time) {
	for len(s.late) > 0 && !s.late[0].at.After(now) {
		l := s.late[0]
		s.late = s.late[1:]
		if s.m.classifier {
			s.add(1, "feedback_outcomes", "actual", l.actual, "predicted", l.predicted)
			right, wrong := 1.0, 0.0
			if l.predicted != l.actual {
				right, wrong = wrong, right
			}
			s.add(right, "answer_observations", "bin", "right")
			s.add(wrong, "answer_observations", "bin", "wrong")
			continue
		}
		s.add(1, "feedback_rows")
		s.add(l.err, "feedback_absolute_error")
		s.add(l.err*l.err, "feedback_squared_error")
		s.add(math.Pow(l.err, 4), "feedback_quartic_error")
	}
}

func (s *server) add(x float64, name string, more ...string) {
	key := name + fmt.Sprint(more)
	c := s.labels[key]
	if c == nil {
		made := s.series("leeway_"+name+"_total", more...)
		c = &made
		s.labels[key] = c
	}
	c.value += x
}

// scrape gives all that the version shows.
func (s *server) scrape(at int64, facts bool, sink backtest.Sink) error {
	give := func(x *series) error { return sink(x.labels, at, x.value) }
	if err := give(&s.info); err != nil {
		return err
	}
	for _, group := range []map[string]*series{s.requests, s.captures, s.labels} {
		for _, x := range group {
			if err := give(x); err != nil {
				return err
			}
		}
	}
	for _, list := range s.buckets {
		for _, x := range list {
			if err := give(x); err != nil {
				return err
			}
		}
	}
	for _, list := range s.bins {
		for i := range list {
			if err := give(&list[i]); err != nil {
				return err
			}
		}
	}
	if !facts {
		return nil
	}
	for i := range s.facts {
		if err := give(&s.facts[i]); err != nil {
			return err
		}
	}
	return nil
}
