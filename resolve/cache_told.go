package resolve

import (
	"context"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/tenantwall/tenantwall/tenant"
)

// tellTimeout bounds how long a change is being told of.
const tellTimeout = 2 * time.Second

// Put is told of a change that this process has made, after it is committed: t is the
// tenant's new state, in whatever status. It is in force here when Put returns; then the
// shared layer has it and the bus was told, or was found to be away. A state older than
// what is known changes nothing here. It goes on when ctx is cancelled: the change is made.
//
// It has the form of tenantdb.CatalogConfig.OnChange.
func (c *Cache) Put(ctx context.Context, t tenant.Tenant) {
	now := c.clock()
	c.raise(t.ID, t.Version, now, tenant.BySlug(t.Slug))
	e := c.newEntry(t, now)
	c.mu.Lock()
	c.keep(tenant.ByID(t.ID), e)
	c.mu.Unlock()

	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellTimeout)
	defer cancel()
	if c.shared != nil {
		var err error
		if isKept(t) {
			err = c.shared.Set(ctx, tenant.BySlug(t.Slug), t, c.clock()-now)
		} else {
			err = c.shared.Forget(ctx, t.ID, t.Version)
		}
		if err != nil {
			c.sharedFailed(ctx, "put", err)
		}
	}
	if c.bus == nil {
		return
	}
	if err := c.bus.Publish(ctx, Change{Kind: KindTenant, Tenant: t.ID, Subject: string(t.Slug), Version: t.Version}); err != nil {
		c.counts.publishErrors.Add(1)
		c.log.WarnContext(ctx, "other processes may learn late that a tenant has changed", "tenant", t.ID.String(), "error", err)
	}
}

// Changed is told by the bus that a tenant has changed in some process, which has told the
// shared layer. What is older than the change's version is forgotten; without a version,
// whatever is known of the tenant, and without a tenant, everything. It is what the cache
// subscribes with: a program calls it for what it hears of in another way.
func (c *Cache) Changed(ch Change) {
	switch {
	case ch.Kind != KindTenant:
	case ch.Tenant.IsZero():
		c.ForgetAll()
	default:
		c.raise(ch.Tenant, ch.Version, c.clock(), tenant.BySlug(tenant.Slug(ch.Subject)))
	}
}

// Outdate is told that a tenant has reached a version, by somebody who was told by the
// store: a follower of the catalog's events. Unlike Changed it makes sure that the shared
// layer holds nothing older, for the process that made the change may have died, or may
// have been cut off from it. A follower makes up for messages that the bus has lost.
func (c *Cache) Outdate(ctx context.Context, id tenant.ID, version int64) {
	c.raise(id, version, c.clock(), tenant.Ref{})
	if c.shared == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellTimeout)
	defer cancel()
	if err := c.shared.Forget(ctx, id, version); err != nil {
		c.sharedFailed(ctx, "forget", err)
	}
}

// Forget has the tenant read again, by whatever it is named, in this process.
func (c *Cache) Forget(id tenant.ID) { c.raise(id, 0, c.clock(), tenant.Ref{}) }

// ForgetAll has everything read again in this process.
func (c *Cache) ForgetAll() {
	now := c.clock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.floors.raiseAll(now)
	c.epoch++
	c.entries.InvalidateAll()
	c.slugs.InvalidateAll()
	c.domains.InvalidateAll()
	c.negative.InvalidateAll()
	clear(c.loads) // nobody waits for what began before
}

// raise makes what is older than a version of a tenant outdated, and for version 0 what was
// read before now. That its id, or the slug if it is told, lead nowhere is forgotten too.
func (c *Cache) raise(id tenant.ID, version int64, now time.Duration, slug tenant.Ref) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.floors.raise(id, version, now)
	c.epoch++
	c.entries.ComputeIfPresent(id, func(e *entry) (*entry, otter.ComputeOp) {
		if version == 0 || e.tenant.Version < version {
			return nil, otter.InvalidateOp
		}
		return e, otter.CancelOp
	})
	c.negative.Invalidate(tenant.ByID(id))
	c.negative.Invalidate(slug)
}
