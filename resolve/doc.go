// Package resolve finds out which tenant a request is for, and puts it into the request's
// context, where the rest of the program takes it from.
//
// A middleware is made from a [tenant.Store] and from the sources that may name a tenant:
//
//	inTenant := resolve.Middleware(store,
//		resolve.Subdomain("example.com"), // acme-corp.example.com
//		resolve.Domain("example.com"),    // notes.acme.example, a domain of the tenant's own
//		resolve.Header(),                 // X-Tenant-Slug: acme-corp, or X-Tenant-ID: <uuid>
//		resolve.Path(),                   // /t/acme-corp/…, which the handlers see as /…
//		resolve.FromPrincipal(),          // the tenant that the credential was made for
//	)
//	http.ListenAndServe(addr, authenticate(inTenant(members(mux))))
//
// The handlers behind it ask [tenant.Require], or leave that to tenantdb. [New] makes the
// same with settings: a tenant that is optional, paths that have none, another way of
// writing errors.
//
// # To name is not to be allowed
//
// Anybody can write a host name, a header or a path. They tell which tenant a request is
// about, and authorise nothing: behind this middleware there must be a guard that holds
// the credential's user or key to the tenant of the context, on every route of a tenant.
// In front of it stands the authentication, which puts a [tenant.Principal] into the
// context, so that a credential that was made for one tenant counts here.
//
// # Agreement
//
// Every source is asked on every request, and all that name a tenant must name the same:
// a service that authorises by one of them and acts by another is what attackers look
// for. Two more voices count without being asked for. A principal in the context that was
// made for a tenant is held against what the request names, with FromPrincipal or without
// it; and so is a tenant that the context has already, from a resolver further out.
//
// A request costs one look-up in the store, however many sources name its tenant. What
// can go wrong is told in this order; each is a [tenant.Error] with the code shown:
//
//  1. tenant_invalid: a source holds something malformed; the first such source tells.
//  2. tenant_conflict: two different slugs, two different ids, or two domains. No look-up
//     was needed to see it.
//  3. tenant_required: nobody names a tenant, and one is required.
//  4. tenant_not_found, tenant_gone, or unavailable when the store can't tell.
//  5. tenant_conflict: a slug and an id, say, lead to different tenants.
//     tenant_mismatch: what the request names agrees, but is not the credential's tenant.
//  6. tenant_suspended, tenant_gone, unavailable: the tenant's status, as
//     [tenant.Tenant.Usable] has it.
//
// With a credential that was made for a tenant, that tenant is the one looked up, and what
// the request names is held against it. A name that isn't its own is a mismatch, and
// nothing else is told: whether there is such a tenant, once was, or is suspended, makes
// no difference to the answer, so that a key of one tenant finds out nothing about the
// others. For that, the tenant's own former slug is a mismatch too, and the error says so.
//
// # The cache
//
// [NewCache] wraps the store, so that requests don't read the database to find their tenant:
//
//	cache, err := resolve.NewCache(catalog, resolve.CacheConfig{Shared: shared, Bus: bus})
//	defer cache.Close()
//	inTenant := resolve.Middleware(cache, …)
//
// The catalog's changes are handed to [Cache.Put] (tenantdb.CatalogConfig.OnChange has its
// form), its events, for what other processes do, to [Cache.Outdate]. Shared and Bus are on
// Redis in package rediscache; both may be left out. How long a tenant may be served that
// another process has suspended, renamed or deleted:
//
//	what is there                               at most
//	this process made the change                at once
//	no bus                                      CacheConfig.TTL, 1 s by default, never over 2 s
//	a bus that is connected                     the message's way, a millisecond
//	  whose message was lost, with a follower   until the follower reads the event: 2 s at 1 s a round
//	  whose message was lost, without one       CacheConfig.ConnectedTTL, 25 s, never over 30 s
//	a bus that breaks                           CacheConfig.TTL: as without one
//	a bus that hangs                            its silence (1.5 s) or the TTL, the longer: never over 2 s
//	a bus that is back                          all is forgotten before it counts as connected
//	the store can't tell                        the age that the entry may have: 2 s, 30 s with a
//	                                            connected bus; then its error, and unavailable
//
// A tenant that another process creates, after its name was asked for in vain, is found when
// the bus tells it, or after CacheConfig.NegativeTTL (1 s, never over 2 s). In all of this
// the age counts from before the store was read, through all layers. Credentials are not
// served from this cache: who may act is looked at behind it.
//
// # Sources of your own
//
// A [Source] has one method; [SourceFunc] makes one of a function. What it returns, a
// [Claim], has room for a slug, an id and a domain, because one place may hold several (a
// request with both headers), and for a prefix to take off the path, so that whoever names
// tenants in paths of another form needs no router of their own.
//
// There is no source for query parameters, bodies, cookies or the Origin header. A query
// ends up in logs, in Referer headers and in links that are passed on, so that one click
// acts in a tenant that the user did not choose; a body has not been read yet, and belongs
// to the handler; cookies and Origin are sent by browsers on behalf of other sites.
package resolve
