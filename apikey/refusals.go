package apikey

import (
	"sync"

	"github.com/tenantwall/tenantwall/internal/lru"
)

// refusals remembers keys that were refused for good, by the digest of the whole key: one
// that was never made is never made later, a wrong secret is never right, and what is
// revoked stays so. It has an end of its own, so that no number of keys which are none
// pushes out a good one.
type refusals struct {
	mu      sync.Mutex
	entries *lru.Cache[digest, error]
}

func newRefusals(size int) *refusals {
	return &refusals{entries: lru.New[digest, error](size)}
}

// get is why a key was refused before, or nil.
func (c *refusals) get(d digest) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err, _ := c.entries.Get(d)
	return err
}

func (c *refusals) put(d digest, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = c.entries.Put(d, err) // which one had to go for it is all the same
}

func (c *refusals) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entries.Len()
}
