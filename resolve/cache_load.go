package resolve

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/tenantwall/tenantwall/tenant"
)

// load is one look-up beyond this process that several callers wait for.
type load struct {
	began time.Duration
	epoch uint64
	done  chan struct{} // closed when the rest is set

	tenant tenant.Tenant
	err    error
	void   bool // it says nothing to those who wait: outdated, or given up by its own caller
}

// miss finds out what nothing was known of.
func (c *Cache) miss(ctx context.Context, ref tenant.Ref) (tenant.Tenant, error) {
	for {
		l, mine := c.join(ref)
		if mine {
			return c.load(ctx, ref, l)
		}
		if l != nil {
			select {
			case <-ctx.Done():
				return tenant.Tenant{}, fmt.Errorf("wait for a look-up of a tenant: %w", ctx.Err())
			case <-l.done:
			}
			if !l.void {
				return l.tenant, l.err
			}
		}
		switch e, err := c.find(ref); {
		case err != nil:
			return tenant.Tenant{}, err
		case e != nil:
			return e.tenant, nil
		}
	}
}

// join is the load of ref that is under way, or a new one, which is the caller's own to do.
// Nobody waits for one whose answer would be too old. It is nil when one has ended since the
// caller found nothing, and ref is known by now.
func (c *Cache) join(ref tenant.Ref) (_ *load, mine bool) {
	now := c.clock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if l, ok := c.loads[ref]; ok && now-l.began < c.ttl {
		return l, false
	}
	if c.isLoaded(ref, now) {
		return nil, false
	}
	l := &load{began: now, epoch: c.epoch, done: make(chan struct{})}
	c.loads[ref] = l
	return l, true
}

// isLoaded reports whether a load has left something about ref. It asks neither the clock nor
// the bus, for the caller holds the lock, and they may be waiting for it.
func (c *Cache) isLoaded(ref tenant.Ref, now time.Duration) bool {
	if e := c.entry(ref); e != nil && now < e.until {
		return true
	}
	a, there := c.negative.GetIfPresent(ref)
	return there && now < a.until
}

// load asks for ref, and tells those who wait. Its own caller is told what was found even if
// that is outdated by now: the question came before the change.
func (c *Cache) load(ctx context.Context, ref tenant.Ref, l *load) (tenant.Tenant, error) {
	l.void = true // should the store panic
	defer func() {
		if c.loads[ref] == l {
			delete(c.loads, ref)
		}
		c.mu.Unlock()
		close(l.done)
	}()
	t, read, err := c.askAndLock(ctx, ref)
	switch {
	case err == nil:
		e := c.newEntry(t, read)
		l.void = !c.keep(ref, e)
		if err = e.refusal(ref); err != nil { // the shared layer knows it
			t = tenant.Tenant{}
		}
	case errors.Is(err, tenant.ErrNotFound):
		l.void = !c.keepAbsence(ref, l, tenant.ErrNotFound)
	case errors.Is(err, tenant.ErrGone):
		l.void = !c.keepAbsence(ref, l, tenant.ErrGone)
	default:
		c.counts.failures.Add(1)
		l.void = ctx.Err() != nil
	}
	l.tenant, l.err = t, err
	return t, err
}

// askAndLock asks, and returns with the lock held, also when the store panics. From the answer
// until nobody can join the load any more there is no room for a change: whoever asks after the
// change would be told what was before it.
func (c *Cache) askAndLock(ctx context.Context, ref tenant.Ref) (tenant.Tenant, time.Duration, error) {
	defer c.mu.Lock()
	return c.ask(ctx, ref)
}

// ask asks the shared layer and then the store. It tells when the answer began to be read.
func (c *Cache) ask(ctx context.Context, ref tenant.Ref) (tenant.Tenant, time.Duration, error) {
	if t, read, ok := c.askShared(ctx, ref); ok {
		return t, read, nil
	}
	read := c.clock()
	c.counts.loads.Add(1)
	t, err := c.store.Lookup(ctx, ref)
	if err == nil && c.shared != nil && isKept(t) {
		if err := c.shared.Set(ctx, ref, t, c.clock()-read); err != nil {
			c.sharedFailed(ctx, "set", err)
		}
	}
	return t, read, err
}

func (c *Cache) askShared(ctx context.Context, ref tenant.Ref) (tenant.Tenant, time.Duration, bool) {
	if c.shared == nil || ref.IsZero() {
		return tenant.Tenant{}, 0, false
	}
	asked := c.clock()
	t, age, found, err := c.shared.Get(ctx, ref)
	if err != nil {
		c.sharedFailed(ctx, "get", err)
		return tenant.Tenant{}, 0, false
	}
	read := asked - age
	if !found || !isKept(t) || !c.fresh(c.newEntry(t, read), c.clock()) || c.isOutdated(t, read) {
		c.counts.sharedMisses.Add(1)
		return tenant.Tenant{}, 0, false
	}
	c.counts.sharedHits.Add(1)
	return t, read, true
}

func (c *Cache) sharedFailed(ctx context.Context, what string, err error) {
	c.counts.sharedErrors.Add(1)
	c.log.DebugContext(ctx, "the shared layer of tenants could not be used", "operation", what, "error", err)
}

// isKept reports whether a tenant may be remembered. One that is being set up may yet give
// its slug away, and its being ready is not to be missed.
func isKept(t tenant.Tenant) bool {
	return !t.ID.IsZero() && t.Status != tenant.StatusProvisioning
}

func (c *Cache) isOutdated(t tenant.Tenant, read time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.floors.outdated(t.ID, t.Version, read)
}

// keep remembers a tenant to which ref led, unless a later state of it is known. It reports
// false for one that is outdated. The caller holds the lock.
func (c *Cache) keep(ref tenant.Ref, e *entry) (current bool) {
	t := e.tenant
	if c.floors.outdated(t.ID, t.Version, e.read) {
		return false
	}
	if c.closed || !isKept(t) || ref.Kind() == tenant.RefID && ref.ID() != t.ID {
		return true
	}
	latest, _ := c.entries.Compute(t.ID, func(old *entry, found bool) (*entry, otter.ComputeOp) {
		if found && (old.tenant.Version > t.Version || old.tenant.Version == t.Version && old.read >= e.read) {
			return old, otter.CancelOp
		}
		return e, otter.WriteOp
	})
	for _, name := range []tenant.Ref{tenant.BySlug(t.Slug), ref} {
		switch name.Kind() {
		case tenant.RefSlug:
			c.slugs.Set(name.Slug(), t.ID)
		case tenant.RefDomain:
			c.domains.Set(name.Domain(), ownership{t.ID, t.Version})
		}
		c.negative.Invalidate(name)
	}
	return latest == nil || latest.tenant.Version == t.Version
}

// keepAbsence remembers that ref leads nowhere, unless a tenant may have appeared since the
// load began. It reports false then. The caller holds the lock.
func (c *Cache) keepAbsence(ref tenant.Ref, l *load, why *tenant.Error) (current bool) {
	if c.epoch != l.epoch {
		return false
	}
	if !c.closed {
		c.negative.Set(ref, absence{why, l.began + c.negativeTTL})
	}
	return true
}
