package mlflow

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// deleted is the last lifecycle of a version. It is only in the ledger: with
// the version go its tags.
const deleted v1alpha1.Lifecycle = "deleted"

// change is one change of a lifecycle, as the ledger and the version's tags hold
// it.
type change struct {
	v1alpha1.AuditLine
	Nonce string `json:"nonce,omitempty"`
}

// SetLifecycle implements registry.Store.
func (s *Store) SetLifecycle(ctx context.Context, model string, number int64, from, to v1alpha1.Lifecycle, by, reason string) error {
	if err := registry.CheckTransition(from, to); err != nil {
		return err
	}
	return s.change(ctx, model, number, func(e entry) (v1alpha1.AuditLine, error) {
		// Where the alias says something else than the changes did, either may
		// be meant.
		if from != e.version.Lifecycle && from != e.said {
			return v1alpha1.AuditLine{}, fmt.Errorf("version %d of %s: %w: it is %s, not %s", number, model, registry.ErrConflict, e.version.Lifecycle, from)
		}
		return v1alpha1.AuditLine{From: from, To: to, By: by, Reason: reason}, nil
	})
}

// Delete implements registry.Store.
func (s *Store) Delete(ctx context.Context, model string, number int64, by, reason string) error {
	return s.change(ctx, model, number, func(e entry) (v1alpha1.AuditLine, error) {
		if e.version.Lifecycle == v1alpha1.Live {
			return v1alpha1.AuditLine{}, fmt.Errorf("version %d of %s: %w: it is live; have another version serve first", number, model, registry.ErrConflict)
		}
		return v1alpha1.AuditLine{From: e.version.Lifecycle, To: deleted, By: by, Reason: reason}, nil
	})
}

// change makes the next change of a version. The change has one place in the
// ledger: whoever is there first has made it, and the others carry it out too
// before they look again, in case its author died.
func (s *Store) change(ctx context.Context, model string, number int64, decide func(entry) (v1alpha1.AuditLine, error)) error {
	for {
		v, e, err := s.entry(ctx, model, number)
		if err != nil {
			return err
		}
		line, err := decide(e)
		if err != nil {
			return err
		}
		line.Time = metav1.NewMicroTime(s.now())
		mine := newNonce()
		text, err := json.Marshal(change{line, mine})
		if err != nil {
			return err
		}
		l, err := s.ledger(ctx, model)
		if err != nil {
			return err
		}
		i := len(e.version.Audit) + 1
		there, err := s.claim(ctx, l, changeFact(v, i), string(text))
		if err != nil {
			return err
		}
		var c change
		if err := json.Unmarshal([]byte(there), &c); err != nil {
			return fmt.Errorf("mlflow: %s: run %s: param %s: %w: %w", s.client.base, l.run, changeFact(v, i), registry.ErrInvalid, err)
		}
		err = s.carryOut(ctx, v, e, i, c, there)
		if c.Nonce == mine {
			return err
		}
		if err != nil && !errors.Is(err, registry.ErrNotFound) {
			return err
		}
	}
}

// carryOut does what the ledger says. The tag is written last: while it is
// missing, whoever comes next does all of it again.
func (s *Store) carryOut(ctx context.Context, v modelVersion, e entry, i int, c change, text string) error {
	model, n := v.Name, int64(v.Version)
	switch {
	case c.To == deleted:
		err := s.client.deleteVersion(ctx, model, n)
		if err == nil && e.ours && e.run != "" {
			err = s.client.deleteRun(ctx, e.run)
		}
		return err
	case c.To == v1alpha1.Live:
		if err := s.client.setAlias(ctx, model, aliasLive, n); err != nil {
			return err
		}
	case slices.Contains(v.Aliases, aliasLive):
		if err := s.client.deleteAlias(ctx, model, aliasLive); err != nil {
			return err
		}
	}
	return s.client.setVersionTag(ctx, model, n, changeTag(i), text)
}

// Deletions implements registry.DeletionLog. All deletions are kept.
func (s *Store) Deletions(ctx context.Context, model string) ([]registry.Deletion, error) {
	entries, err := s.entries(ctx, model)
	if err != nil {
		return nil, err
	}
	there := map[int64]bool{}
	for _, e := range entries {
		there[e.version.Number] = !e.draft
	}
	l, err := s.knownLedger(ctx, model)
	if errors.Is(err, registry.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	facts, err := s.facts(ctx, l)
	if err != nil {
		return nil, err
	}
	var deletions []registry.Deletion
	var last int64
	for name, text := range facts {
		if n, ok := factVersion(name, factNumber); ok {
			last = max(last, n)
		}
		n, ok := factVersion(name, factChange)
		if !ok || !strings.Contains(text, string(deleted)) {
			continue
		}
		var c change
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			return nil, fmt.Errorf("mlflow: %s: run %s: param %.100q: %w: %w", s.client.base, l.run, name, registry.ErrInvalid, err)
		}
		if c.To == deleted && !there[n] {
			deletions = append(deletions, registry.Deletion{Model: model, Number: n, Time: c.Time.UTC(), By: c.By, Reason: c.Reason})
			there[n] = true
		}
	}
	if last > 0 && !there[last] {
		deletions = append(deletions, registry.Deletion{Model: model, Number: last})
	}
	slices.SortFunc(deletions, func(a, b registry.Deletion) int { return cmp.Compare(a.Number, b.Number) })
	return deletions, nil
}
