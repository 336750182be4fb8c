package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leeway-dev/leeway/e2e/plane"
)

// values for the shipped rules, but for those that take hours of history to say
// anything.
const values = `scrapeInterval: %s
clocks:
  page: {enabled: true, windows: [5m], minEffectiveRows: 100, history: false, lastWeek: false, severity: warning}
  act: {enabled: false}
  slow: {enabled: false}
quality: {enabled: false}
unknown: {enabled: false}
expectedError: {enabled: false}
feedback: {enabled: false}
freshness: {enabled: false}
`

// lean keeps the series of requests of the one protocol that is spoken, and
// what else decisions about errors read.
func (e *exposition) lean() *exposition {
	out := &exposition{contentType: e.contentType}
	for _, l := range e.lines {
		keep := l.series && (strings.HasPrefix(l.text, "leeway_model_info") || strings.HasPrefix(l.text, "leeway_requests_in_flight") ||
			strings.HasPrefix(l.text, "leeway_captures_total") ||
			strings.Contains(l.text, `protocol="v2"`) && (l.count || strings.Contains(l.text, `code="2xx"`)))
		if keep {
			l.count = l.count && strings.Contains(l.text, `code="2xx"`) // of the others the buckets are left out
			out.lines = append(out.lines, l)
			out.series++
		}
	}
	return out
}

// window is that of the alert on errors: what the version before must have been
// clean for.
const window = 2 * time.Minute

// settling is how long guards may take to be settled: all have a first visit.
const settling = 12 * time.Minute

// podsResult is what one fleet showed.
type podsResult struct {
	pods, models, series int
	resident             [2]float64 // of each replica, at most
	live                 [2]float64
	held                 float64
	callsOnce, callsFour calls // in a minute, beside what the server asks itself
	idle                 calls
	samplesOnce          float64 // a minute, taken by one replica
	samplesFour          float64
	single, together     outcome
	limit                int
}

// runPods plays a fleet before a pair of controllers.
func runPods(ctx context.Context, o options, pods, models, incidents int, whole bool) (res podsResult, err error) {
	s, err := newStage(ctx, o)
	defer s.close()
	if err != nil {
		return res, err
	}
	profile, err := learn(ctx, s.dir, o.columns)
	if err != nil {
		return res, err
	}
	of := map[string]*exposition{}
	for version, fails := range map[string]bool{good: false, bad: true} {
		e, err := observe(ctx, s.dir, profile, o.columns, fails)
		if err != nil {
			return res, err
		}
		if !whole {
			e = e.lean()
		}
		of[version] = e
	}
	began := time.Now()
	f, err := newFleet(ctx, s, of, pods, models)
	if err != nil {
		return res, err
	}
	o.say("%d pods of %d models, %d series each, are there after %s", pods, models, of[good].series, time.Since(began).Round(time.Second))
	res.pods, res.models, res.series, res.limit = pods, models, of[good].series, max(1, models/20)
	if res.idle, err = s.callsIn(ctx, 20*time.Second); err != nil {
		return res, err
	}
	pair, err := s.startPair(ctx)
	if err != nil {
		return res, err
	}
	return res, f.perform(ctx, pair, incidents, &res)
}

// callsIn counts the calls of a while, as of a minute.
func (s *stage) callsIn(ctx context.Context, while time.Duration) (calls, error) {
	before, err := s.calls(ctx)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := plane.Pause(ctx, while); err != nil {
		return nil, err
	}
	after, err := s.calls(ctx)
	if err != nil {
		return nil, err
	}
	d := after.minus(before)
	for k := range d {
		d[k] *= float64(time.Minute) / float64(time.Since(began))
	}
	return d, nil
}

// perform feeds the controllers, and lets incidents happen.
func (f *fleet) perform(ctx context.Context, pair []*program, incidents int, res *podsResult) error {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	var failed atomic.Pointer[error]
	var sent, every atomic.Int64
	every.Store(int64(f.s.interval))
	urls := []string{pair[0].url, pair[1].url}
	all.Go(func() { f.feed(ctx, urls, func() time.Duration { return time.Duration(every.Load()) }, &failed, &sent) })
	all.Go(func() {
		if err := f.roll(ctx); err != nil && ctx.Err() == nil {
			failed.Store(&err)
		}
	})
	all.Go(func() { f.readAll(ctx, pair) })
	say := f.s.say
	if err := f.settled(ctx, window+time.Minute, settling); err != nil {
		if e := failed.Load(); e != nil {
			err = fmt.Errorf("%w; last failure: %w", err, *e)
		}
		return err
	}
	say("all guards watch; %d samples were sent", sent.Load())
	if err := f.countCalls(ctx, &sent, &every, res); err != nil {
		return err
	}
	if err := f.haveIncidents(ctx, incidents, res); err != nil {
		return err
	}
	if e := failed.Load(); e != nil {
		say("the last failure of who sends: %v", *e)
	}
	return res.measure(ctx, pair)
}

// countCalls counts the calls of a minute, and of one with four times the samples.
func (f *fleet) countCalls(ctx context.Context, sent, every *atomic.Int64, res *podsResult) (err error) {
	if res.callsOnce, res.samplesOnce, err = f.minute(ctx, sent); err != nil {
		return err
	}
	f.s.say("a minute of %.0f samples: %.0f calls: %s", res.samplesOnce, res.callsOnce.sum(), res.callsOnce)
	every.Store(int64(f.s.interval / 4))
	if err := plane.Pause(ctx, f.s.interval); err != nil {
		return err
	}
	if res.callsFour, res.samplesFour, err = f.minute(ctx, sent); err != nil {
		return err
	}
	f.s.say("a minute of %.0f samples: %.0f calls: %s", res.samplesFour, res.callsFour.sum(), res.callsFour)
	every.Store(int64(f.s.interval))
	return plane.Pause(ctx, f.s.interval)
}

// haveIncidents lets one happen after another, and then many at once.
func (f *fleet) haveIncidents(ctx context.Context, incidents int, res *podsResult) error {
	models := f.models
	const alone = 3
	for range min(alone, len(models)/2) {
		o, err := f.incident(ctx, models[:1], 3*window)
		if err != nil {
			return err
		}
		res.single.latencies = append(res.single.latencies, o.latencies...)
		f.s.say("one incident: %v, %v", o.latencies, o.actions)
		models = models[1:]
	}
	slices.Sort(res.single.latencies)
	var err error
	res.together, err = f.incident(ctx, models[:min(incidents, len(models))], 4*window)
	f.s.say("%d incidents: %v, %v, %d act at once", min(incidents, len(models)), res.together.latencies, res.together.actions, res.together.acting)
	if err != nil {
		return err
	}
	// Those that had to wait for a place: until nobody acts.
	for end := time.Now().Add(time.Minute); time.Now().Before(end) && ctx.Err() == nil; {
		acting, err := f.acting(ctx)
		if err != nil {
			return err
		}
		res.together.acting = max(res.together.acting, acting)
		if err := plane.Pause(ctx, time.Second); err != nil {
			return err
		}
	}
	return nil
}

// measure notes what the controllers hold.
func (r *podsResult) measure(ctx context.Context, pair []*program) error {
	for i, p := range pair {
		r.resident[i], r.live[i] = p.peak(), p.median().live
		m, err := p.metrics(ctx, "leeway_controller_series")
		if err != nil {
			return err
		}
		r.held = max(r.held, m["leeway_controller_series"])
	}
	return nil
}

// minute counts the calls and the samples of a minute.
func (f *fleet) minute(ctx context.Context, sent *atomic.Int64) (calls, float64, error) {
	before := sent.Load()
	began := time.Now()
	c, err := f.s.callsIn(ctx, time.Minute)
	return c, float64(sent.Load()-before) / 2 * float64(time.Minute) / float64(time.Since(began)), err
}

// readAll reads what the controllers have each second, until ctx ends.
func (f *fleet) readAll(ctx context.Context, pair []*program) {
	for plane.Pause(ctx, time.Second) == nil {
		for _, p := range pair {
			if err := p.read(ctx); err != nil && ctx.Err() == nil {
				f.s.say("%v", err)
				return
			}
		}
	}
}
