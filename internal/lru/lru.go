// Package lru is a map that holds a bounded number of entries and forgets the one that was
// longest unused.
package lru

// Cache is the map. Make one with [New]. It is not safe for concurrent use.
type Cache[K comparable, V any] struct {
	capacity int
	entries  map[K]*entry[K, V]
	root     entry[K, V] // of a ring: root.next was used last, root.prev is next to go
}

type entry[K comparable, V any] struct {
	key        K
	value      V
	prev, next *entry[K, V]
}

// New makes a cache for that many entries, at least one.
func New[K comparable, V any](capacity int) *Cache[K, V] {
	c := &Cache[K, V]{capacity: max(1, capacity), entries: make(map[K]*entry[K, V])}
	c.root.prev, c.root.next = &c.root, &c.root
	return c
}

// Get is the value of key, which counts as a use of it.
func (c *Cache[K, V]) Get(key K) (V, bool) {
	e, ok := c.entries[key]
	if !ok {
		var none V
		return none, false
	}
	e.unlink()
	c.link(e)
	return e.value, true
}

// Put sets the value of key. When that makes one entry too many, it returns the value of
// the one that has gone.
func (c *Cache[K, V]) Put(key K, value V) (gone V, evicted bool) {
	if e, ok := c.entries[key]; ok {
		e.value = value
		e.unlink()
		c.link(e)
		return gone, false
	}
	if len(c.entries) == c.capacity {
		last := c.root.prev
		gone, evicted = last.value, true
		c.Delete(last.key)
	}
	e := &entry[K, V]{key: key, value: value}
	c.entries[key] = e
	c.link(e)
	return gone, evicted
}

// Delete forgets key.
func (c *Cache[K, V]) Delete(key K) {
	if e, ok := c.entries[key]; ok {
		e.unlink()
		delete(c.entries, key)
	}
}

// DeleteIf forgets the entries of which drop is true. It looks at all.
func (c *Cache[K, V]) DeleteIf(drop func(key K, value V) bool) {
	for key, e := range c.entries {
		if drop(key, e.value) {
			c.Delete(key)
		}
	}
}

// Len is the number of entries.
func (c *Cache[K, V]) Len() int { return len(c.entries) }

func (c *Cache[K, V]) link(e *entry[K, V]) {
	e.prev, e.next = &c.root, c.root.next
	e.prev.next, e.next.prev = e, e
}

func (e *entry[K, V]) unlink() { e.prev.next, e.next.prev = e.next, e.prev }
