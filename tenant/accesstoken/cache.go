package accesstoken

import (
	"crypto/sha256"
	"sync"

	"github.com/tenantwall/tenantwall/internal/lru"
)

// shards is how many locks a cache has, so that cores seldom wait for each other.
const shards = 16

// digest is what a token is remembered by. The token itself is a secret, which is not kept.
type digest [sha256.Size]byte

func digestOf(token string) digest {
	return sha256.Sum256(append(make([]byte, 0, 1024), token...)) // on the stack, for tokens of the usual length
}

// cache remembers the tokens that were found good, a bounded number, those that were used
// last. It may be used by several goroutines at once.
type cache [shards]shard

type shard struct {
	mu     sync.Mutex
	tokens *lru.Cache[digest, verified]
}

func newCache(size int) *cache {
	c := new(cache)
	for i := range c {
		c[i].tokens = lru.New[digest, verified]((size + shards - 1) / shards)
	}
	return c
}

func (c *cache) get(d digest) (verified, bool) {
	s := c.shard(d)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tokens.Get(d)
}

func (c *cache) put(d digest, good verified) {
	s := c.shard(d)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens.Put(d, good)
}

func (c *cache) shard(d digest) *shard { return &c[d[0]%shards] }
