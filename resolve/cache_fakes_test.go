package resolve_test

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tenantwall/tenantwall/internal/testclock"
	"github.com/tenantwall/tenantwall/resolve"
	"github.com/tenantwall/tenantwall/tenant"
)

// bus is a resolve.Bus within a test.
type bus struct {
	up    atomic.Bool
	fails atomic.Pointer[error]

	mu       sync.Mutex
	handlers map[int]func(resolve.Change)
	said     []resolve.Change
}

func newBus() *bus { return &bus{handlers: make(map[int]func(resolve.Change))} }

func connectedBus() *bus {
	b := newBus()
	b.up.Store(true)
	return b
}

func (b *bus) Connected() bool { return b.up.Load() }

func (b *bus) Subscribe(kind resolve.Kind, f func(resolve.Change)) (unsubscribe func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := len(b.handlers)
	b.handlers[n] = func(c resolve.Change) {
		if c.Kind == kind {
			f(c)
		}
	}
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.handlers, n)
	}
}

func (b *bus) subscribers() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.handlers)
}

// Publish delivers at once.
func (b *bus) Publish(ctx context.Context, c resolve.Change) error {
	if err := b.fails.Load(); err != nil {
		return *err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.said = append(b.said, c)
	for _, f := range b.handlers {
		f(c)
	}
	return nil
}

// reconnect is what a bus does when it was away.
func (b *bus) reconnect() {
	_ = b.Publish(context.Background(), resolve.Change{Kind: resolve.KindTenant})
	b.up.Store(true)
}

// layer is a resolve.Shared within a test, by the letter of its contract.
type layer struct {
	clock *testclock.Clock
	fails atomic.Pointer[error]

	mu      sync.Mutex
	values  map[tenant.ID]layered
	aliases map[tenant.Ref]layered
	got     int
}

type layered struct {
	tenant  tenant.Tenant // of an alias, its id and version alone
	version int64
	read    time.Time
}

func newLayer(clock *testclock.Clock) *layer {
	return &layer{clock: clock, values: make(map[tenant.ID]layered), aliases: make(map[tenant.Ref]layered)}
}

func (l *layer) failure(ctx context.Context) error {
	if err := l.fails.Load(); err != nil {
		return *err
	}
	return ctx.Err()
}

func (l *layer) Get(ctx context.Context, ref tenant.Ref) (tenant.Tenant, time.Duration, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.got++
	if err := l.failure(ctx); err != nil {
		return tenant.Tenant{}, 0, false, err
	}
	id := ref.ID()
	alias, isAlias := l.aliases[ref]
	if isAlias {
		id = alias.tenant.ID
	}
	v, found := l.values[id]
	if !found || v.tenant.ID.IsZero() || ref.Kind() == tenant.RefDomain && alias.version != v.version {
		return tenant.Tenant{}, 0, false, nil
	}
	return v.tenant, l.clock.Now().Sub(v.read), true, nil
}

func (l *layer) Set(ctx context.Context, ref tenant.Ref, t tenant.Tenant, age time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.failure(ctx); err != nil {
		return err
	}
	if l.values[t.ID].version > t.Version {
		return nil
	}
	l.values[t.ID] = layered{t, t.Version, l.clock.Now().Add(-age)}
	for _, name := range []tenant.Ref{tenant.BySlug(t.Slug), ref} {
		if name.Kind() != tenant.RefID {
			l.aliases[name] = layered{tenant: tenant.Tenant{ID: t.ID}, version: t.Version}
		}
	}
	return nil
}

func (l *layer) Forget(ctx context.Context, id tenant.ID, version int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.failure(ctx); err != nil {
		return err
	}
	if version == 0 || l.values[id].version < version {
		l.values[id] = layered{version: version}
	}
	return nil
}
