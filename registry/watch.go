package registry

import (
	"context"
	"iter"
	"slices"
	"time"
)

// Watcher is a Store that learns of changes by better means than listing.
type Watcher interface {
	// Watch is what the function Watch returns for this store, which need not
	// look every so often.
	Watch(ctx context.Context, model string, every time.Duration) iter.Seq2[[]Version, error]
}

// Watch yields the versions of a model, as List returns them: at once, and
// whenever a version was registered or deleted or its lifecycle has changed. It
// may yield several changes as one. When the store can't be read it yields the
// error, and tries again. It ends when ctx does, without an error, or when the
// loop over it is left.
func Watch(ctx context.Context, s Store, model string, every time.Duration) iter.Seq2[[]Version, error] {
	if w, ok := s.(Watcher); ok {
		return w.Watch(ctx, model, every)
	}
	return poll(ctx, s, model, every)
}

func poll(ctx context.Context, s Store, model string, every time.Duration) iter.Seq2[[]Version, error] {
	return func(yield func([]Version, error) bool) {
		tick := time.NewTicker(every)
		defer tick.Stop()
		var told Changes
		for {
			versions, err := s.List(ctx, model)
			switch {
			case ctx.Err() != nil:
				return
			case err != nil:
				if !yield(nil, err) {
					return
				}
			default:
				if told.Are(versions) && !yield(versions, nil) {
					return
				}
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}
}

// Changes tells a Watcher whether there is anything to tell. The zero value has
// told nothing.
type Changes struct {
	some bool
	last []state
}

// Are says whether these versions are others than those that it was asked about
// last, or have other lifecycles.
func (c *Changes) Are(versions []Version) bool {
	now := states(versions)
	if c.some && slices.Equal(now, c.last) {
		return false
	}
	c.some, c.last = true, now
	return true
}

// state is what may change of a version. The time of the last audit line tells
// two changes apart that lead to the same lifecycle.
type state struct {
	number    int64
	lifecycle string
	changed   int64
}

func states(versions []Version) []state {
	s := make([]state, len(versions))
	for i, v := range versions {
		s[i] = state{number: v.Number, lifecycle: string(v.Lifecycle)}
		if n := len(v.Audit); n > 0 {
			s[i].changed = v.Audit[n-1].Time.UnixNano()
		}
	}
	return s
}
