// Package external takes verdicts and numbers from a Prometheus-compatible
// server that somebody else runs: it scrapes the sidecars and evaluates the
// rules, Leeway only decides.
//
// What can't be told apart from health when nobody looks closely is an error
// here, which makes every guard blind: rules that nobody loaded, groups that
// stopped or fail, an answer that is partial, a clock that is off, alerts that
// don't say of which cluster they are. Errors of the network, and answers that
// are no answers, are promapi's.
package external

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"

	"github.com/leeway-dev/leeway/agent/embedded"
	"github.com/leeway-dev/leeway/agent/evidence"
	"github.com/leeway-dev/leeway/agent/guard"
	"github.com/leeway-dev/leeway/rules"
	"github.com/leeway-dev/leeway/rules/promapi"
)

// Errors of Verdicts that are not the server's own.
var (
	// ErrClock is a server whose clock, or whose evaluation, is not of now.
	ErrClock = errors.New("the clocks disagree")
	// ErrNoRules is a server that evaluates none of Leeway's rules.
	ErrNoRules = errors.New("no rules of Leeway are loaded")
	// ErrCluster is an alert that does not say of which cluster it is.
	ErrCluster = errors.New("an alert without its cluster")
)

// Source reads one server. It is guard.Source.
type Source struct {
	client   *promapi.Client
	matchers []*labels.Matcher
	skew     time.Duration
	now      func() time.Time
}

// Config of a Source.
type Config struct {
	// Server to ask; its Matchers say which series and alerts are this cluster's.
	Server promapi.Config
	// Skew is how far the clocks may be apart. Zero: 10 s.
	Skew time.Duration
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// New checks the configuration; it does not connect.
func New(c Config) (*Source, error) {
	client, err := promapi.New(c.Server)
	if err != nil {
		return nil, err
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Source{client: client, matchers: c.Server.Matchers, skew: cmp.Or(c.Skew, 10*time.Second), now: c.Now}, nil
}

// Query evaluates PromQL at a time, over this cluster's series. A sample of
// another time is an error: a server may not answer from a cache of its own.
func (s *Source) Query(ctx context.Context, expr string, at time.Time) (promql.Vector, error) {
	series, err := s.client.Query(ctx, expr, at)
	if err != nil {
		return nil, err
	}
	vector := make(promql.Vector, 0, len(series))
	for _, x := range series {
		p := x.Points[0]
		if off := p.Time.Sub(at); off.Abs() > s.skew {
			return nil, fmt.Errorf("query %q: %w: asked for %s, the answer is of %s", expr, ErrClock, at.UTC().Format(time.RFC3339), p.Time.UTC().Format(time.RFC3339))
		}
		vector = append(vector, promql.Sample{T: p.Time.UnixMilli(), F: p.Value, Metric: x.Labels})
	}
	return vector, nil
}

// Verdicts are what the server's rules say at now.
func (s *Source) Verdicts(ctx context.Context, now time.Time) (guard.Verdicts, error) {
	if err := s.checkClock(ctx); err != nil {
		return guard.Verdicts{}, err
	}
	groups, err := s.client.Rules(ctx)
	if err != nil {
		return guard.Verdicts{}, err
	}
	health := embedded.Health{Failing: map[string]string{}}
	var out guard.Verdicts
	var windows []string
	alerting := false // whether there is a rule with a cause
	ours := make([][]promapi.Rule, len(groups))
	for i, g := range groups {
		ours[i] = s.ours(g)
	}
	rests := judging(ours)
	for i, g := range groups {
		own := ours[i]
		if !rests[i] {
			continue
		}
		if ahead := g.Evaluated.Sub(now); ahead > s.skew {
			return guard.Verdicts{}, fmt.Errorf("%w: rule group %s was evaluated %s from now", ErrClock, g.Name, ahead.Round(time.Second))
		}
		health.Note(g.Name, g.Interval, g.Evaluated, now)
		for _, r := range own {
			if r.Error != "" {
				health.Failing[r.Name] = r.Error
			}
			alerting = alerting || r.Labels["leeway_cause"] != ""
			if r.Labels["leeway_clock"] == "page" && r.Labels["leeway_cause"] == "prediction_drift" {
				windows = append(windows, r.Labels["leeway_window"])
			}
			if err := s.add(&out, r); err != nil {
				return guard.Verdicts{}, err
			}
		}
	}
	out.PageWindow = rules.PageWindow(windows)
	if !alerting {
		return guard.Verdicts{}, fmt.Errorf("%w at %s: none of its %d rule groups has an alert with leeway_cause", ErrNoRules, s.client, len(groups))
	}
	if err := health.Err(); err != nil {
		return guard.Verdicts{}, err
	}
	return out, nil
}

// checkClock compares the server's clock with ours, as it was between asking and
// the answer.
func (s *Source) checkClock(ctx context.Context) error {
	asked := s.now()
	theirs, err := s.client.Time(ctx)
	if err != nil {
		return err
	}
	switch answered := s.now(); {
	case theirs.Before(asked.Add(-s.skew)):
		return fmt.Errorf("%w: the server's is %s behind", ErrClock, asked.Sub(theirs).Round(time.Second))
	case theirs.After(answered.Add(s.skew)):
		return fmt.Errorf("%w: the server's is %s ahead", ErrClock, theirs.Sub(answered).Round(time.Second))
	}
	return nil
}

// ours are the rules of a group, if it is one of Leeway's: one that holds an
// alert with a cause, or records a series of Leeway's. Rules that name another
// cluster in a label of their own are that cluster's.
func (s *Source) ours(g promapi.Group) []promapi.Rule {
	var rules []promapi.Rule
	leeways := false
	for _, r := range g.Rules {
		if s.foreign(r.Labels) {
			continue
		}
		rules = append(rules, r)
		leeways = leeways || r.Alerts && r.Labels["leeway_cause"] != "" || !r.Alerts && strings.HasPrefix(r.Name, "leeway:")
	}
	if !leeways {
		return nil
	}
	return rules
}

// foreign says that labels name another cluster than ours.
func (s *Source) foreign(set map[string]string) bool {
	for _, m := range s.matchers {
		if value, ok := set[m.Name]; ok && !m.Matches(value) {
			return true
		}
	}
	return false
}

// add takes the alerts of a rule that are this cluster's.
func (s *Source) add(out *guard.Verdicts, r promapi.Rule) error {
	for _, a := range r.Active {
		if s.foreign(a.Labels) {
			continue
		}
		for _, m := range s.matchers {
			if _, ok := a.Labels[m.Name]; !ok && a.Labels["leeway_cause"] != "" {
				return fmt.Errorf("%w: %s has no label %s: render the rules with --matcher '%s'", ErrCluster, r.Name, m.Name, m)
			}
		}
		out.Alerts = append(out.Alerts, evidence.Alert{
			Labels: a.Labels, Annotations: a.Annotations, State: a.State, ActiveAt: a.ActiveAt, Value: a.Value,
		})
	}
	return nil
}
