// Package seen remembers documents that never change, so that a store which is
// listed again and again reads each of them once. It holds a number of bytes at
// most: when that is used up, what is remembered makes room by chance, since a
// listing reads everything in turn and would find nothing again if the oldest
// went first.
package seen

import "sync"

// Cache remembers documents by name. It is safe for use by many goroutines.
type Cache[V any] struct {
	mu      sync.Mutex
	entries map[string]entry[V]
	room    int64
}

type entry[V any] struct {
	stamp string
	value V
	size  int64
}

// New returns a cache for documents of so many bytes together.
func New[V any](bytes int64) *Cache[V] {
	return &Cache[V]{entries: map[string]entry[V]{}, room: bytes}
}

// Get returns the document of a name, if it is remembered with this stamp: an
// ETag, or a file's size and time. Callers must not change what is in it.
func (c *Cache[V]) Get(name, stamp string) (value V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[name]
	if !ok || e.stamp != stamp {
		return value, false
	}
	return e.value, true
}

// Put remembers a document that takes up so many bytes.
func (c *Cache[V]) Put(name, stamp string, value V, size int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(name)
	for other := range c.entries { // in an order by chance
		if c.room >= size {
			break
		}
		c.remove(other)
	}
	if c.room < size {
		return
	}
	c.entries[name] = entry[V]{stamp, value, size}
	c.room -= size
}

func (c *Cache[V]) remove(name string) {
	if e, ok := c.entries[name]; ok {
		c.room += e.size
		delete(c.entries, name)
	}
}
