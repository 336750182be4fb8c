package guard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/evidence"
	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/profile"
)

// wholeProfile is the least share of the counted rows that the live profile
// must hold to be matched.
const wholeProfile = 0.9

// matched is the registry's answer on the live rows since a time.
type matched struct {
	// reused says that it is an answer of an earlier round.
	reused bool
	// asked is since when rows were wanted; what was got begins with a slice.
	asked time.Time
	evidence.Match
}

// answer is m's, nil without one.
func (m *matched) answer() *evidence.Match {
	if m == nil {
		return nil
	}
	return &m.Match
}

// match asks the registry as often as the rows can have changed: a guard that is
// held for drift is judged each round, and fetching every pod's profile each
// time would be most of what the loop does. Before an act it is asked afresh.
// newer says that it is about the newer half of what it was asked about before.
func (v *visit) match(ctx context.Context, from time.Time, newer bool) (*matched, decide.Reason, string, error) {
	key := matchKey{question{keyOf(v.guard), newer}, v.fields.Hash(), len(v.versions)}
	age := min(max(v.policy.MatchWindow/10, time.Second), 30*time.Second)
	if m := v.matches.get(key, from, v.now, age); m != nil && !v.afresh {
		return m, "", "", nil
	}
	m, reason, detail, err := v.matchNow(ctx, from)
	if m != nil {
		v.matches.put(key, m)
	}
	return m, reason, detail, err
}

// matchNow asks which versions are at home in the rows since from. Without the
// rows it says why it is blind instead.
func (v *visit) matchNow(ctx context.Context, from time.Time) (*matched, decide.Reason, string, error) {
	asked := from
	from = profile.Boundary(from, v.now) // rows from before would be of another kind
	if !from.Before(v.now) {
		return &matched{asked: asked, Match: evidence.Match{From: v.now, To: v.now, Live: &profile.Profile{}}}, "", "", nil
	}
	got, err := v.LiveProfile(ctx, v.pods, from, v.now)
	if err != nil {
		return nil, "", "", err
	}
	missing := strings.Join(got.Missing[:min(3, len(got.Missing))], "; ")
	if got.Profile == nil {
		return nil, decide.ReasonPartialProfile, "no pod's profile could be read: " + missing, nil
	}
	m := &matched{asked: asked, Match: evidence.Match{From: from, To: v.now, Pods: got.Pods, Live: got.Profile}}
	if p := got.Profile; p.From != nil && p.To != nil {
		m.From, m.To = *p.From, *p.To
	}
	counted, err := v.reads().CountedRows(ctx, v.fields.Version, m.From)
	if err != nil {
		return nil, "", "", err
	}
	if rows := float64(m.Live.Rows); rows < wholeProfile*counted {
		return nil, decide.ReasonPartialProfile, strings.TrimSuffix(fmt.Sprintf("%.0f of %.0f counted rows, from %d pods; %s", rows, counted, m.Pods, missing), "; "), nil
	}
	if err := v.rank(m); err != nil {
		return nil, "", "", err
	}
	return m, "", "", nil
}

// rank asks the registry about the rows at hand. Versions whose artifact was
// found to be unusable a short while ago are left out; what is not remembered is
// not looked at, for that reads whole artifacts: the one that is chosen is.
func (v *visit) rank(m *matched) error {
	tolerance, err := registry.ParseTolerance(v.guard.Spec.Match.Tolerance)
	if err != nil {
		return fmt.Errorf("spec.match.tolerance: %w", err)
	}
	active, err := strconv.ParseInt(v.fields.Version, 10, 64)
	if err != nil || v.version(v.fields.Version) == nil {
		active = 0
	}
	ready, err := v.matches.ready(keyOf(v.guard), v.versions)
	if err != nil {
		return fmt.Errorf("match: %w", err)
	}
	m.Result, err = ready.Match(m.Live, registry.MatchOptions{Live: active, Tolerance: tolerance, Findings: v.checks.findings(v.Now(), v.versions)})
	if errors.Is(err, registry.ErrNoRows) {
		m.Result, err = registry.Result{}, nil
	}
	if err != nil {
		return fmt.Errorf("match: %w", err)
	}
	return nil
}

// lost are the versions that are left out for their artifacts.
func (m *matched) lost() []registry.Excluded {
	return slices.DeleteFunc(slices.Clone(m.Result.Excluded), func(x registry.Excluded) bool {
		switch x.Reason {
		case registry.ExcludedArtifact, registry.ExcludedDigest, registry.ExcludedForbidden:
			return false
		}
		return true
	})
}
