package incidents

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/leeway-dev/leeway/agent/backtest"
	"github.com/leeway-dev/leeway/registry/profile"
)

// manner is how a version behaves.
type manner struct {
	fails   float64 // share of answers, beside what the model has anyway
	slow    float64 // factor of the time to an answer
	err     float64 // factor of the error
	bias    float64 // of the prediction, before it becomes a probability
	present bool    // its pods are there
}

// state is what is so about a model at one time.
type state struct {
	active  int // version that the workload names, from 0
	taken   float64
	manners []manner
	regime  regime
	load    float64 // factor of the rate
	err     float64 // factor of the error of all versions
	fails   float64 // share of answers of all versions, beside the rest
	slow    float64 // factor of the time to an answer of all versions
	// mangle breaks rows; unreadable is the share of requests that can't be read.
	mangle     mangle
	unreadable float64
	// coming is a regime that takes over from a second on, within some seconds.
	coming      *regime
	comes, over int
	silent      bool // nothing can be scraped
}

// change is what happens to a model at a second.
type change struct {
	second int
	do     func(*state)
}

// served is a model in time: it is the traffic, and the sidecars that count it.
type served struct {
	m       *model
	r       *rand.Rand
	state   state
	changes []change // by second
	servers []*server
	period  float64 // of the swing, in seconds
}

func newServed(m *model, r *rand.Rand) *served {
	s := &served{m: m, r: r, period: 60 + 240*r.Float64(), servers: make([]*server, len(m.versions))}
	s.state = state{taken: 1, regime: m.regimes[0], load: 1, err: 1, slow: 1}
	for range m.versions {
		s.state.manners = append(s.state.manners, manner{slow: 1, err: 1})
	}
	s.state.manners[0].present = true
	return s
}

// at has something happen.
func (s *served) at(second int, do func(*state)) {
	s.changes = append(s.changes, change{second, do})
}

// release has another version take over: for some seconds both answer.
func (s *served) release(second, version, takes int) {
	s.at(second, func(x *state) { x.active, x.taken, x.manners[version].present = version, 0.5, true })
	s.at(second+takes, func(x *state) {
		x.taken = 1
		for i := range x.manners {
			x.manners[i].present = i == version
		}
	})
}

// begin starts the servers that the state calls for, and stops the others.
func (s *served) begin() error {
	for i := range s.servers {
		switch there := s.state.manners[i].present; {
		case there && s.servers[i] == nil:
			made, err := newServer(s.m, i)
			if err != nil {
				return err
			}
			s.servers[i] = made
		case !there:
			s.servers[i] = nil
		}
	}
	return nil
}

// pass lets a second of traffic pass. A version that has just begun gets its
// first requests in the next, after its counters were scraped as zeros.
func (s *served) pass(second int, now time.Time) error {
	answering := slices.Clone(s.servers)
	for len(s.changes) > 0 && s.changes[0].second <= second {
		s.changes[0].do(&s.state)
		s.changes = s.changes[1:]
	}
	if err := s.begin(); err != nil {
		return err
	}
	st := &s.state
	rate := s.m.rate * st.load * (1 + s.m.swing*math.Sin(2*math.Pi*float64(second)/s.period))
	busy := min(s.m.occupied*rate/s.m.rate, 0.97)
	queue := (1 - s.m.occupied) / (1 - busy)
	for sessions := poisson(s.r, rate/float64(s.m.session)); sessions > 0; sessions-- {
		version := st.active
		if s.r.Float64() >= st.taken {
			for i, old := range st.manners {
				if old.present && i != st.active {
					version = i
				}
			}
		}
		if answering[version] == nil || s.servers[version] == nil {
			version = slices.IndexFunc(answering, func(x *server) bool { return x != nil })
		}
		if version >= 0 && s.servers[version] != nil {
			s.session(s.servers[version], st.manners[version], queue, second, now)
		}
	}
	for _, x := range s.servers {
		if x != nil {
			x.receive(now)
		}
	}
	return nil
}

// session answers a few rows that are alike.
func (s *served) session(to *server, how manner, queue float64, second int, now time.Time) {
	st := &s.state
	g := st.regime
	if st.coming != nil && s.r.Float64()*float64(st.over) < float64(second-st.comes) {
		g = *st.coming
	}
	x := s.m.draw(s.r, g, how.bias, st.mangle)
	to.recorder.Lock(now)
	defer to.recorder.Unlock()
	for range s.m.session {
		code := "2xx"
		if s.r.Float64() < s.m.fails+how.fails+st.fails {
			code = "5xx"
		}
		to.answered(code, s.m.median*how.slow*st.slow*queue*math.Exp(s.m.spread*s.r.NormFloat64()))
		if s.r.Float64() < st.unreadable {
			to.captures["unparsable"].value++
			continue
		}
		to.count(x)
		if s.r.Float64() < s.m.labelled {
			to.judge(s.r, now, x, min(s.m.err*how.err*st.err, 0.9))
		}
	}
}

// poisson draws a count (Knuth; by parts, for e^-mean is 0 for large means).
func poisson(r *rand.Rand, mean float64) int {
	n := 0
	for ; mean > 0; mean -= 30 {
		limit := math.Exp(-min(mean, 30))
		for p := r.Float64(); p > limit; p *= r.Float64() {
			n++
		}
	}
	return n
}

// traffic is the backtest.History of all models of a scene.
type traffic struct {
	models []*served
	begin  time.Time
	second int
	seen   bool
}

// Metrics implements backtest.History.
func (t *traffic) Metrics(context.Context) ([]string, error) {
	names := []string{
		"leeway_model_info", "leeway_request_duration_seconds_count", "leeway_request_duration_seconds_bucket", "leeway_captures_total",
		"leeway_feature_observations_total", "leeway_prediction_observations_total",
		"leeway_feedback_rows_total", "leeway_feedback_outcomes_total", "leeway_answer_observations_total", "leeway_feedback_absolute_error_total",
		"leeway_feedback_squared_error_total", "leeway_feedback_quartic_error_total",
	}
	for _, m := range t.models {
		made, err := newServer(m.m, 0)
		if err != nil {
			return nil, err
		}
		for _, f := range made.facts {
			if name := f.labels.Get("__name__"); !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names, nil
}

// Part implements backtest.History: a second at a time, so that a live profile
// holds none of the future.
func (t *traffic) Part() time.Duration { return 0 }

// Read implements backtest.History.
func (t *traffic) Read(_ context.Context, _ backtest.Query, _, to time.Time, sink backtest.Sink) error {
	if !t.seen {
		t.seen = true
		for _, m := range t.models {
			if err := m.begin(); err != nil {
				return err
			}
		}
		if err := t.scrape(t.begin, sink); err != nil {
			return err
		}
	}
	for {
		now := t.begin.Add(time.Duration(t.second+1) * time.Second)
		if now.After(to) {
			return nil
		}
		t.second++
		for _, m := range t.models {
			if err := m.pass(t.second, now); err != nil {
				return err
			}
		}
		if err := t.scrape(now, sink); err != nil {
			return err
		}
	}
}

func (t *traffic) scrape(at time.Time, sink backtest.Sink) error {
	for _, m := range t.models {
		if m.state.silent {
			continue
		}
		for _, s := range m.servers {
			if s == nil {
				continue
			}
			if err := s.scrape(at.UnixMilli(), s.scrapes%factsEvery == 0, sink); err != nil {
				return err
			}
			s.scrapes++
		}
	}
	return nil
}

// Live implements backtest.Rows: what the sidecars of a version tell of a time.
func (s *served) Live(_ context.Context, version string, from, to time.Time) (*profile.Profile, error) {
	i, err := strconv.Atoi(version)
	if err != nil || i < 1 || i > len(s.servers) || s.servers[i-1] == nil {
		return nil, nil
	}
	return s.servers[i-1].recorder.Profile(from, to), nil
}
