package main

import (
	"context"
	"encoding/hex"
	"errors"

	"github.com/redis/go-redis/v9"

	"github.com/tenantwall/tenantwall/apikey"
	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/resolve"
	"github.com/tenantwall/tenantwall/resolve/rediscache"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// caches are what keeps requests from reading the database to find their tenant, and what
// keeps the caches of several processes in step: each tells the bus what it has changed, and
// each follows the catalog's events, for what the bus has lost.
type caches struct {
	tenants *resolve.Cache
	shared  *rediscache.Shared
	bus     *rediscache.Bus

	unfollow context.CancelFunc
	followed chan struct{} // closed when nothing is followed any more
}

// openCaches opens them on Redis, which may be away.
func (s *server) openCaches(client *redis.Client, prefix string) (err error) {
	c := &s.caches
	if c.shared, err = rediscache.NewShared(client, rediscache.SharedConfig{Prefix: prefix, Logger: s.log}); err != nil {
		return err
	}
	if c.bus, err = rediscache.OpenBus(client, rediscache.BusConfig{Prefix: prefix, Logger: s.log}); err != nil {
		return err
	}
	c.tenants, err = resolve.NewCache(s.catalog, resolve.CacheConfig{Shared: c.shared, Bus: c.bus, Logger: s.log})
	return err
}

// followChanges has what other processes change forgotten here: at once by the bus, and
// within a second by the catalog's events.
func (s *server) followChanges(ctx context.Context) error {
	c := &s.caches
	last, err := s.catalog.LastEvent(ctx) // nothing has been looked up yet
	if err != nil {
		return err
	}
	c.bus.Subscribe(resolve.KindMember, func(ch resolve.Change) { s.members.Cache().Forget(ch.Tenant, ch.Subject) })
	c.bus.Subscribe(resolve.KindKey, func(ch resolve.Change) {
		if ch.Tenant.IsZero() { // messages may have been lost
			s.keys.ForgetAll()
			return
		}
		s.keys.Forget(ch.Subject)
	})
	life, unfollow := context.WithCancel(context.Background())
	c.unfollow, c.followed = unfollow, make(chan struct{})
	go func() {
		defer close(c.followed)
		_ = s.catalog.Follow(life, tenantdb.FollowOptions{After: last}, s.changed) // ends with life alone
	}()
	return nil
}

// changed is told of each event, this process's own included.
func (s *server) changed(ctx context.Context, e tenantdb.Event) error {
	switch e.Kind {
	case apikey.EventRevoked, apikey.EventRotated:
		s.keys.Forget(e.Before["key"])
	case invite.EventRoleChanged, invite.EventMemberRemoved:
		s.members.Cache().Forget(e.Tenant, e.Before["user"])
	default:
		s.caches.tenants.Outdate(ctx, e.Tenant, e.Version)
	}
	return nil
}

// redisPrefix is a prefix for Redis that services on other databases don't have: they have
// other tenants of the same slugs.
func redisPrefix(own secret) (string, error) {
	key, err := own.key("prefix in Redis")
	if err != nil {
		return "", err
	}
	return "notes:" + hex.EncodeToString(key[:8]), nil
}

// tenantChanged is told by the catalog of each change of this process.
func (c *caches) tenantChanged(ctx context.Context, t tenant.Tenant) { c.tenants.Put(ctx, t) }

// memberChanged is told by the members of each change of this process. When it can't be told
// to the others, their own caches notice within the bound.
func (c *caches) memberChanged(in tenant.ID, userID string) {
	_ = c.bus.Publish(context.Background(), resolve.Change{Kind: resolve.KindMember, Tenant: in, Subject: userID})
}

// keyChanged is told by the keys of each change of this process, as memberChanged is.
func (c *caches) keyChanged(in tenant.ID, keyID string) {
	_ = c.bus.Publish(context.Background(), resolve.Change{Kind: resolve.KindKey, Tenant: in, Subject: keyID})
}

// close ends what runs for the caches. It is safe when they were never opened.
func (c *caches) close() error {
	var errs []error
	if c.unfollow != nil {
		c.unfollow()
		<-c.followed
	}
	if c.tenants != nil {
		errs = append(errs, c.tenants.Close())
	}
	if c.bus != nil {
		errs = append(errs, c.bus.Close())
	}
	return errors.Join(errs...)
}
