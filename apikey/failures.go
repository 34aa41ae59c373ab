package apikey

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/tenantwall/tenantwall/internal/lru"
	"github.com/tenantwall/tenantwall/internal/setting"
)

// FailureLimit bounds how often the database is made to look for keys that are none: from
// one address Burst times at once, and then once in Every. An IPv6 network of 64 bits is one
// address, and so are all clients of whom nobody knows the address. Keys that are known, and
// those that are whole no keys, cost nothing and are not counted, nor is a good key.
//
// Behind a proxy that the service does not trust, all clients have one address: see
// [AuthenticateConfig].
type FailureLimit struct {
	Burst     int           // up to 10,000; 0 means 30
	Every     time.Duration // from a millisecond to an hour; 0 means 2 seconds
	Addresses int           // that are remembered, up to 10,000,000; 0 means 100,000
}

func (l *FailureLimit) complete() error {
	return errors.Join(
		setting.Complete("the setting Failures.Burst", &l.Burst, 30, 1, 10_000),
		setting.Complete("the setting Failures.Every", &l.Every, 2*time.Second, time.Millisecond, time.Hour),
		setting.Complete("the setting Failures.Addresses", &l.Addresses, 100_000, 1, maxCacheSize),
	)
}

// failures counts, by address, the keys that were none. Each address has a bucket that a
// failure fills and time empties. Who goes to the database takes up room in it until it is
// known whether the key is one, so that many at once don't pass the limit.
type failures struct {
	limit FailureLimit
	mu    sync.Mutex
	of    *lru.Cache[netip.Addr, *failing]
}

type failing struct {
	level float64 // failures that time has not made up for
	at    time.Time
	reads int           // under way
	freed chan struct{} // closed when one of them ends; nil while nobody waits
}

func newFailures(limit FailureLimit) *failures {
	return &failures{limit: limit, of: lru.New[netip.Addr, *failing](limit.Addresses)}
}

// enter lets someone to the database, who is to leave then. Where there is room but for
// those who are there already, it waits for one of them. The error is ErrTooManyFailures, or
// that of the context.
func (f *failures) enter(ctx context.Context, from netip.Addr, now func() time.Time) (*failing, error) {
	from = countedAs(from)
	for {
		b, wait, err := f.tryEnter(from, now())
		if wait == nil {
			return b, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-wait:
		}
	}
}

func (f *failures) tryEnter(from netip.Addr, now time.Time) (b *failing, wait <-chan struct{}, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b, ok := f.of.Get(from)
	if !ok {
		b = &failing{at: now}
		f.of.Put(from, b)
	}
	if passed := now.Sub(b.at); passed > 0 {
		b.level = max(0, b.level-float64(passed)/float64(f.limit.Every))
		b.at = now
	}
	over := b.level + float64(b.reads) + 1 - float64(f.limit.Burst)
	switch {
	case over <= 0:
		b.reads++
		return b, nil, nil
	case b.reads == 0:
		return nil, nil, tooManyFailures(time.Duration(over * float64(f.limit.Every)))
	}
	if b.freed == nil {
		b.freed = make(chan struct{})
	}
	return nil, b.freed, nil
}

// leave ends what enter began.
func (f *failures) leave(b *failing, failed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b.reads--
	if failed {
		b.level++
	}
	if b.freed != nil {
		close(b.freed)
		b.freed = nil
	}
}

func (f *failures) len() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.of.Len()
}

// countedAs is what stands for an address: an IPv6 client has a network of 64 bits at least
// (RFC 6177), and can choose any address in it.
func countedAs(from netip.Addr) netip.Addr {
	from = from.Unmap().WithZone("")
	if from.Is6() {
		from = netip.PrefixFrom(from, 64).Masked().Addr()
	}
	return from
}
