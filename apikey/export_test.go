package apikey

import (
	"context"
	"io"
	"strconv"
	"time"
)

// Generate makes a key that nobody has made.
func Generate(f Format, random io.Reader) (string, error) {
	_, key, err := f.generate(random)
	return string(key), err
}

// StoredHash is what the database is to have of a key by a pepper.
func StoredHash(key string, p Pepper) []byte {
	h, err := newHasher([]Pepper{p})
	if err != nil {
		panic(err)
	}
	hash, err := h.hash(digestOf(key), p.Version)
	if err != nil {
		panic(err)
	}
	return hash[:]
}

// WithChecksum is a text that ends in its own right checksum.
func WithChecksum(text string) string {
	var sum [sumLen]byte
	putChecksum(&sum, extend(0, text))
	return text + string(sum[:])
}

// ReadsKept is how many reads of one key a cache knows of, when each of n that hang is
// overtaken by the next and ends then.
func ReadsKept(n int) (kept int) {
	const id, ttl = "8Jq0TfXv2LrB5wYk", time.Second
	c := newVerdicts(shards)
	var last *read
	for now := time.Unix(0, 0); n > 0; n, now = n-1, now.Add(ttl) {
		r, _ := c.join(id, now, ttl)
		if last != nil {
			c.finish(last, nil)
		}
		last = r
	}
	for r := c.shard(id).reads[id]; r != nil; r = r.older {
		kept++
	}
	return kept
}

// FullUses has as many keys used as wait to be written at most, and then one more, while
// write fails. It returns what ends it, which writes once more.
func FullUses(write func() error) (end func() error) {
	u := startUses(time.Hour, func(context.Context, []*use) error { return write() })
	for i := range maxUses + 1 {
		u.note(&use{id: strconv.Itoa(i)}, time.Now())
	}
	return u.close
}
