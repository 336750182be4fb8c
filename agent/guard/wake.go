package guard

import (
	"context"
	"sync"
	"time"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

const (
	// maxWoken bounds the models that wait for a look of their own.
	maxWoken = 1000
	// wakeEvery bounds how often they get one.
	wakeEvery = time.Second
)

type modelName struct{ namespace, model string }

// wakes are the models that somebody asked to be looked at before their time.
type wakes struct {
	mu     sync.Mutex
	models map[modelName]bool
	asked  chan struct{}
}

func newWakes() *wakes {
	return &wakes{models: map[modelName]bool{}, asked: make(chan struct{}, 1)}
}

// Wake asks for a look at a model's guards now rather than at the next round.
// Nothing else follows from it: the look asks the source of verdicts itself.
func (l *Loop) Wake(namespace, model string) {
	w := l.wakes
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.models) < maxWoken {
		w.models[modelName{namespace, model}] = true
	}
	select {
	case w.asked <- struct{}{}:
	default:
	}
}

// take returns who was asked for, once.
func (w *wakes) take() func(*v1alpha1.ModelGuard) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	models := w.models
	w.models = map[modelName]bool{}
	return func(g *v1alpha1.ModelGuard) bool { return models[modelName{g.Namespace, g.Spec.Model}] }
}

func everyGuard(*v1alpha1.ModelGuard) bool { return true }

// looks are the rounds to make until the context ends: of every guard at each
// tick, and in between of those that were asked for.
func (l *Loop) looks(ctx context.Context, round func(which func(*v1alpha1.ModelGuard) bool)) {
	tick := time.NewTicker(l.Interval)
	defer tick.Stop()
	round(everyGuard)
	rest := time.NewTimer(wakeEvery)
	defer rest.Stop()
	var asked <-chan struct{} // nil while the last look is too recent
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			round(everyGuard)
		case <-rest.C:
			asked = l.wakes.asked
		case <-asked:
			asked = nil
			rest.Reset(wakeEvery)
			round(l.wakes.take())
		}
	}
}
