package auth

import (
	"sync"
	"time"
)

// cache is a bounded map whose entries age. When it is full it forgets what has
// expired and, if that is not enough, anything: an answer can be asked for again.
type cache[K comparable, V any] struct {
	max int

	mu      sync.Mutex
	entries map[K]entry[V]
}

type entry[V any] struct {
	value V
	until time.Time // fresh until
	keep  time.Time // usable until, when it can't be renewed
}

func newCache[K comparable, V any](max int) *cache[K, V] {
	return &cache[K, V]{max: max, entries: map[K]entry[V]{}}
}

// get returns an entry and whether it is still fresh.
func (c *cache[K, V]) get(k K, now time.Time) (value V, known, fresh bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[k]
	if !ok || now.After(e.keep) {
		return value, false, false
	}
	return e.value, true, !now.After(e.until)
}

func (c *cache[K, V]) put(k K, v V, now time.Time, fresh, keep time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.entries[k]; !known && len(c.entries) >= c.max {
		c.evict(now)
	}
	c.entries[k] = entry[V]{value: v, until: now.Add(fresh), keep: now.Add(max(fresh, keep))}
}

func (c *cache[K, V]) evict(now time.Time) {
	for k, e := range c.entries {
		if now.After(e.keep) {
			delete(c.entries, k)
		}
	}
	for k := range c.entries {
		if len(c.entries) < c.max {
			return
		}
		delete(c.entries, k)
	}
}
