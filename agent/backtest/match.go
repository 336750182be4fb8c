package backtest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/evidence"
	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/profile"
)

// ReasonMatchUnknown holds what rests on a comparison that history does not
// allow: rows that were counted as out of a version's range may be at home in any
// other.
const ReasonMatchUnknown decide.Reason = "match_unknown"

// mostOutside is the share of rows whose place is not known up to which an
// approximate match is worth something.
const mostOutside = 0.05

// unknown holds a decision about other versions where most of what they would be
// compared with is not known. That the version in service fits, is known.
func (j *judged) unknown(c decide.Decision, m *evidence.Match) decide.Decision {
	if _, counted := j.rows.(binRows); !counted || m == nil || m.Live.Rows == 0 {
		return c
	}
	act := c.Action.Acts() || c.Proposed != "" || c.Reason == decide.ReasonNoRetrain || c.Reason == decide.ReasonNoneFits
	column, share := outside(m.Live)
	if !act || c.Cause != decide.InputDrift || share <= mostOutside {
		return c
	}
	c.Action, c.Proposed, c.Target, c.Reason = decide.Hold, "", "", ReasonMatchUnknown
	c.Message = fmt.Sprintf("inputs drifted, but where is not known: %.0f%% of the rows in column %s were counted as outside of what version %s was trained on, and counters don't say where they lie, so no other version can be compared",
		100*share, column, j.Guard.Status.ActiveVersion)
	return c
}

// outside is the column with most rows of which only that is known, that they
// are not like the training rows.
func outside(p *profile.Profile) (column string, most float64) {
	for _, c := range p.Features {
		n := int64(0)
		for _, b := range c.Bins {
			switch b.Name {
			case profile.Under, profile.Over, profile.FarUnder, profile.FarOver, profile.Unseen:
				n += b.Count
			}
		}
		if share := float64(n) / float64(c.Rows); share > most {
			column, most = c.Name, share
		}
	}
	return column, most
}

// match asks the registry, as often as the loop does.
func (j *judged) match(ctx context.Context, from, at time.Time, newer bool) (*evidence.Match, error) {
	age := min(max(j.policy.MatchWindow/10, time.Second), 30*time.Second)
	if was, ok := j.last[newer]; ok && at.Sub(was.at) < age && from.Sub(was.from).Abs() <= age {
		same := *was.match
		return &same, nil
	}
	m, err := j.matchNow(ctx, from, at)
	if err != nil {
		return nil, err
	}
	if j.last == nil {
		j.last = map[bool]answer{}
	}
	kept := *m
	j.last[newer] = answer{&kept, from, at}
	return m, nil
}

// matchNow asks which versions are at home in the rows since from.
func (j *judged) matchNow(ctx context.Context, from, at time.Time) (*evidence.Match, error) {
	active := j.Guard.Status.ActiveVersion
	m := &evidence.Match{From: profile.Boundary(from, at), To: at, Pods: 1, Live: &profile.Profile{}}
	if m.From.Before(at) {
		live, err := j.rows.Live(ctx, active, m.From, at)
		if err != nil {
			return nil, err
		}
		if live != nil {
			m.Live = live
			if live.From != nil && live.To != nil {
				m.From, m.To = *live.From, *live.To
			}
		}
	}
	if m.Live.Rows == 0 {
		return m, nil
	}
	tolerance, err := registry.ParseTolerance(j.Guard.Spec.Match.Tolerance)
	if err != nil {
		return nil, fmt.Errorf("spec.match.tolerance: %w", err)
	}
	versions := j.known(at)
	number, err := strconv.ParseInt(active, 10, 64)
	if err != nil || !slices.ContainsFunc(versions, func(v registry.Version) bool { return v.Number == number }) {
		number = 0
	}
	if err := j.matcher.Update(versions); err != nil {
		return nil, fmt.Errorf("match: %w", err)
	}
	if m.Result, err = j.matcher.Match(m.Live, registry.MatchOptions{Live: number, Tolerance: tolerance}); err != nil {
		return nil, fmt.Errorf("match: %w", err)
	}
	return m, nil
}
