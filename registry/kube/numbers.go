package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// Numbers is the name of the ConfigMap that holds, per model, the highest
// number ever given.
const Numbers = "leeway-numbers"

// maxPending bounds the numbers that were given and have no version: their
// registrars died, and their decisions were not tried again.
const maxPending = 64

// given is what the ConfigMap says of one model.
type given struct {
	Last int64 `json:"last"`
	// Pending holds the numbers given for keys whose version may not be there
	// yet.
	Pending map[string]int64 `json:"pending,omitempty"`
}

// give returns the number for a new version: the next one, or the one that was
// given before for the same key. When the version is there already, it returns
// that instead. Looking for it after the entry was read, and writing the entry
// only if nobody else has since, leaves no moment in which two registrars of
// the same key can both find nothing.
func (s *Store) give(ctx context.Context, model, key string) (number int64, there *v1alpha1.ModelVersion, err error) {
	err = s.change(ctx, model, func(g *given) (bool, error) {
		if key != "" {
			if number = g.Pending[key]; number > 0 {
				return false, nil
			}
			if there, err = s.registered(ctx, model, key); err != nil || there != nil {
				return false, err
			}
		}
		if g.Last == 0 { // the first registration here, or the ConfigMap was lost
			if g.Last, err = s.highest(ctx, model); err != nil {
				return false, err
			}
		}
		g.Last++
		number = g.Last
		if key != "" {
			g.pend(key, number)
		}
		return true, nil
	})
	return number, there, err
}

// done forgets that a number was given for a key: the version is there, and
// its label tells from now on, or the number was of no use.
func (s *Store) done(ctx context.Context, model, key string, number int64) error {
	if key == "" {
		return nil
	}
	return s.change(ctx, model, func(g *given) (bool, error) {
		if g.Pending[key] != number {
			return false, nil
		}
		delete(g.Pending, key)
		return true, nil
	})
}

func (g *given) pend(key string, number int64) {
	if g.Pending == nil {
		g.Pending = map[string]int64{}
	}
	g.Pending[key] = number
	if len(g.Pending) <= maxPending {
		return
	}
	oldest := key
	for k, n := range g.Pending {
		if n < g.Pending[oldest] {
			oldest = k
		}
	}
	delete(g.Pending, oldest)
}

// change changes a model's entry in the ConfigMap of the numbers.
func (s *Store) change(ctx context.Context, model string, f func(*given) (bool, error)) error {
	return changeEntry(ctx, s, Numbers, model, f)
}

// raise sees to it that numbers up to this one are not given.
func (s *Store) raise(ctx context.Context, model string, number int64) error {
	return s.change(ctx, model, func(g *given) (bool, error) {
		if g.Last >= number {
			return false, nil
		}
		if g.Last == 0 { // the ConfigMap was lost
			highest, err := s.highest(ctx, model)
			if err != nil {
				return false, err
			}
			g.Last = highest
		}
		g.Last = max(g.Last, number)
		return true, nil
	})
}

// changeEntry reads a model's entry of a ConfigMap, lets f change it, and
// writes it against what was read, again and again until nobody was faster. f
// says whether there is anything to write.
func changeEntry[T any](ctx context.Context, s *Store, name, model string, f func(*T) (bool, error)) error {
	for try := 0; ctx.Err() == nil; try++ {
		done, err := tryEntry(ctx, s, name, model, f)
		if done || err != nil {
			return err
		}
		// Many at once are in each other's way: each waits longer every time, so
		// that few try at the same moment however many there are.
		select {
		case <-ctx.Done():
		case <-time.After(rand.N(5 * time.Millisecond << min(try, 8))):
		}
	}
	return s.explain(ctx.Err(), "update the configmap "+name)
}

// tryEntry is changeEntry once; it is not done when somebody was faster.
func tryEntry[T any](ctx context.Context, s *Store, name, model string, f func(*T) (bool, error)) (done bool, err error) {
	m, err := s.configMap(ctx, name)
	if err != nil {
		return false, err
	}
	e, err := entry[T](m, model)
	if err != nil {
		return false, err
	}
	write, err := f(&e)
	if err != nil || !write {
		return true, err
	}
	text, err := json.Marshal(e)
	if err != nil {
		return false, err
	}
	if m.Data == nil {
		m.Data = map[string]string{}
	}
	m.Data[model] = string(text)
	err = s.client.Update(ctx, m)
	if apierrors.IsConflict(err) {
		return false, nil
	}
	if err != nil {
		return false, s.explain(err, "update the configmap "+name)
	}
	return true, nil
}

func entry[T any](m *corev1.ConfigMap, model string) (e T, err error) {
	if text := m.Data[model]; text != "" {
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			return e, fmt.Errorf("configmap %s/%s: entry %s: %w: %w", m.Namespace, m.Name, model, registry.ErrInvalid, err)
		}
	}
	return e, nil
}

// configMap returns one of the store's ConfigMaps, made if need be.
func (s *Store) configMap(ctx context.Context, name string) (*corev1.ConfigMap, error) {
	for {
		m := &corev1.ConfigMap{}
		err := s.client.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: name}, m)
		if err == nil {
			return m, nil
		}
		if !apierrors.IsNotFound(err) {
			return nil, s.explain(err, "get the configmap "+name)
		}
		m = &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name}}
		err = s.client.Create(ctx, m)
		if err == nil {
			return m, nil
		}
		if !apierrors.IsAlreadyExists(err) {
			return nil, s.explain(err, "create the configmap "+name)
		}
	}
}

// readMap returns one of the store's ConfigMaps, empty when it is not there.
func (s *Store) readMap(ctx context.Context, name string) (*corev1.ConfigMap, error) {
	m := &corev1.ConfigMap{}
	err := s.client.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: name}, m)
	if client.IgnoreNotFound(err) != nil {
		return nil, s.explain(err, "get the configmap "+name)
	}
	return m, nil
}
