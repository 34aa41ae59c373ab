// Package quota decides what a tenant may do, by its plan: how often, how much at once, and
// how much in a month.
//
// A [Plan] has limits of three kinds, each with a name: a [Rate] is so many in a time, with
// a burst; a [Concurrency] is so many at once; [Units] are what is used up in a month and
// counted for the bill. A [Limiter] looks the tenant's plan up on each request and decides
// by it:
//
//	plans, err := quota.NewPlans("free",
//		quota.Plan{Name: "free", Rates: []quota.Rate{{Name: "requests", Limit: 10, Per: time.Minute}}},
//		quota.Plan{Name: "pro", Rates: []quota.Rate{{Name: "requests", Limit: 600, Per: time.Minute, Burst: 100}}},
//	)
//	client := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true, MaxRetries: -1})
//	backend, err := quota.NewRedis(client, quota.RedisConfig{})
//	limiter, err := quota.New(backend, plans, quota.Config{})
//	defer limiter.Close(ctx)
//
//	d, err := limiter.Admit(ctx, t, quota.Request{Costs: []quota.Cost{{Limit: "requests", N: 1}}})
//	if err != nil {
//		return err // the request made no sense, or the plan is unknown
//	}
//	if err := d.Err(); err != nil {
//		return err // quota_exceeded, and when to come back
//	}
//
// A request that costs something of several limits is admitted by all of them or takes
// nothing, in one trip to Redis. The [Decision] names the limit that binds, what remains of
// each, and when to come back. A limit that a request names and the plan lacks is an error,
// so that a misspelt name sets nobody free; what is not limited says [Unlimited].
//
// # In front of handlers
//
// [Limiter.NewMiddleware] does this for a request, behind package resolve and the guards, so
// that what they refuse takes nothing. It writes RateLimit, RateLimit-Policy and Retry-After,
// and answers 429:
//
//	limit, err := limiter.NewMiddleware(quota.MiddlewareConfig{Cost: quota.Each(quota.Cost{Limit: "requests", N: 1})})
//	mux.Handle("GET /v1/notes", inTenant(members(limit(list))))
//
// # Work that takes a while
//
// [Limiter.Acquire] takes a slot of a [Concurrency] as well, which is held until it is
// released. It is renewed in the background, so it lasts as long as the process lives; the
// slot of a process that has crashed comes back after [Config.SlotTTL].
//
//	slot, d, err := limiter.Acquire(ctx, t, quota.Request{Costs: []quota.Cost{{Limit: "exports", N: 1}}})
//	if err != nil { … }
//	if err := d.Err(); err != nil { … }
//	defer slot.Release(ctx)
//
// # Units
//
// The backend keeps a running count of the month. The truth is somewhere else: a
// [UnitsRecorder] is told of each use, and a [UnitsSource] is asked when the backend has no
// count, because the month is new or Redis was lost. Package quota/ledger is both, on
// PostgreSQL.
//
// # Limits that are asked all the time
//
// A [Rate] with Lease lets each process take tokens in advance and decide most requests by
// itself, in less than a microsecond. Tokens in a lease are out of the bucket until they
// are given back, and are counted as spent no earlier than they can have been: so processes
// with leases never admit what the bucket alone would have refused. What can happen is the
// opposite: a tenant is refused while another process holds tokens that it doesn't use, for
// half of [LeaseConfig.TTL] at most. A tenant that a rate refuses is refused from memory
// until there are tokens again, or for [Config.RememberDenials].
//
// # While Redis is away
//
// No request waits longer than [Config.Timeout], and after a few failures in a row Redis is
// left alone for a moment. Each limit says what happens then, by [WhenAway]: nothing is
// admitted (Closed, the default), everything is (Open), or each process counts for itself
// (Local). The decision says where it is from, and [Limiter.Stats] counts decisions by
// source.
//
// A Redis that comes back empty counts from nothing, so each tenant may have its burst a
// second time. Slots that were held then say so by [Slot.Lost].
//
// # What goes wrong
//
// A tenant that is over its limit is no error of Admit: it is a [Decision], whose Err is a
// [*tenant.Error] of the code quota_exceeded with RetryAfter. Neither is a Redis that is away.
// Errors are mistakes ([ErrUnknownPlan], [ErrUnknownLimit], [ErrBadPlan], [ErrBadRequest],
// [*CostError]), [ErrClosed], [tenant.ErrRequired] without a tenant, and what [Plans] say when
// they can't tell.
//
// # What is whose
//
// A Limiter renews slots and gives leases back in the background until it is closed. Close it
// before its backend's client and before its [UnitsRecorder]. [NewMemory] with nil is a backend for
// one process, and quotatest has the tests that a backend of one's own is to pass.
package quota
