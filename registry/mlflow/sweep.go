package mlflow

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// abandoned is how old something half written is before it is removed.
const abandoned = 24 * time.Hour

// maxSwept bounds what one registration cleans up.
const maxSwept = 50

// sweep removes what registrars that died have left of a model, a day later,
// once in a store's life. Until then whoever registers the same for the same
// decision completes their drafts.
func (s *Store) sweep(ctx context.Context, model string, l ledger) error {
	s.mu.Lock()
	done := s.swept[model]
	s.swept[model] = true
	s.mu.Unlock()
	if done {
		return nil
	}
	before := s.now().Add(-abandoned)
	drafts, err := s.client.versions(ctx, model, tagState, stateDraft)
	if err != nil {
		return err
	}
	for _, v := range drafts[:min(len(drafts), maxSwept)] {
		if time.UnixMilli(int64(v.Created)).After(before) {
			continue
		}
		// With its number claimed nobody can complete it any more.
		there, err := s.claim(ctx, l, numberFact(int64(v.Version)), "abandoned")
		if err != nil {
			return err
		}
		if there != "abandoned" {
			continue // it was about to be complete: its number is given
		}
		if err := errors.Join(s.client.deleteVersion(ctx, model, int64(v.Version)), s.client.deleteRun(ctx, v.RunID)); err != nil {
			return err
		}
	}
	runs, err := s.client.searchRuns(ctx, l.experiment, fmt.Sprintf("attributes.status = 'RUNNING' AND attributes.start_time < %d", before.UnixMilli()), maxSwept)
	if err != nil {
		return err
	}
	for _, r := range runs {
		if r.Info.Lifecycle == "deleted" {
			continue
		}
		if err := s.client.deleteRun(ctx, r.Info.ID); err != nil {
			return err
		}
	}
	return nil
}
