// Package rediscache joins the tenant caches of several processes on Redis: a [Shared] layer,
// so that what one process has read from the database the others need not, and a [Bus], by
// which a process tells the others what it has changed.
//
//	client := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})
//	shared, err := rediscache.NewShared(client, rediscache.SharedConfig{})
//	bus, err := rediscache.OpenBus(client, rediscache.BusConfig{})
//	defer bus.Close()
//	cache, err := resolve.NewCache(catalog, resolve.CacheConfig{Shared: shared, Bus: bus})
//	defer cache.Close()
//
// and in tenantdb.CatalogConfig, OnChange: cache.Put. The bus carries other changes as well:
//
//	bus.Subscribe(resolve.KindMember, func(c resolve.Change) { members.Cache().Forget(c.Tenant, c.Subject) })
//
// # Without Redis
//
// Neither is needed for the service to work. Each operation has a short time limit, and
// after a few failures in a row none is tried for a moment, so that a Redis that is away or
// hangs costs a request nothing much: the cache goes on to the database, and serves nothing
// older than it would without a bus. When the bus is back, everything is read again, because
// messages are not kept for those who are away.
//
// # What Redis is trusted with
//
// Whoever can write to the keys or the channel decides what is believed of a tenant, its
// status included, for up to [resolve.MaxConnectedTTL]. Give the service a Redis, or a user
// and a key prefix of its own (ACL SETUSER notes ~tenantwall:* &tenantwall:* …), and a
// password. Tenants' names and plans are in it, no secrets.
//
// # Redis Cluster
//
// All keys of a prefix have one hash tag and so one slot: an alias and the tenant it leads
// to are then read in one trip. One node serves them all, which the caches in front of it
// leave little to do.
package rediscache
