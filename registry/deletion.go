package registry

import (
	"context"
	"time"
)

// Deletion is what stays of a version that was deleted.
type Deletion struct {
	Model  string
	Number int64
	// Time, By and Reason say when, who and why. They are empty when nobody
	// said: the version was removed with other tools, or its registrar died
	// before it was there. Its number was given all the same.
	Time   time.Time
	By     string
	Reason string
}

// DeletionLog is a Store that keeps who deleted what.
type DeletionLog interface {
	// Deletions returns the numbers of a model that were given and have no
	// version, as far as the store knows of them, rising. A store may keep only
	// the latest 50 of a model.
	Deletions(ctx context.Context, model string) ([]Deletion, error)
}

// Deletions returns what the store knows of deleted versions: nothing, when it
// keeps no log of them.
func Deletions(ctx context.Context, s Store, model string) ([]Deletion, error) {
	if log, ok := s.(DeletionLog); ok {
		return log.Deletions(ctx, model)
	}
	return nil, nil
}
