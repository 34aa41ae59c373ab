// Package ledger is the side of quotas that is kept: plans that are changed while the
// service runs, what single tenants have besides, how much was used, and how many may join.
// It is on PostgreSQL, in the schema of the control plane, which no tenant's session
// reaches.
//
//	book, err := ledger.Open(ctx, control, ledger.Config{
//		Default: "free",
//		Plans:   []quota.Plan{free, pro}, // stored where there is none of the name yet
//	})
//	defer book.Close(ctx)
//
// # Plans
//
// A [Ledger] is [quota.Plans]. It answers from memory, and asks the database once in
// [Config.TTL], at most [MaxTTL]: so long another process admits by a plan that was changed.
// The same process knows at once, and others do when [Ledger.Forget] is called, which is
// what a bus between processes is for:
//
//	limiter, err := quota.New(redis, book, quota.Config{Units: book, Recorder: book})
//	pro, err := book.PutPlan(ctx, pro) // its next version
//	err = book.SetOverride(ctx, acme.ID, ledger.Override{Seats: new(80)})
//
// A plan's earlier states are kept.
//
// # Units
//
// The backend of the limiter has the running count of a month, and this package the truth:
// as [quota.UnitsRecorder] it is told of each use, and as [quota.UnitsSource] it tells what
// was used when the backend has lost its count. Uses are gathered in memory and added in
// batches, every [Config.FlushEvery]. A batch is numbered, so one that is sent again because
// its answer was lost counts once. What a process has not written when it crashes is missing
// on the bill: the uses of one FlushEvery at most while the database answers.
//
//	for usage, err := range book.Usage(ctx, ledger.UsageOptions{EndAfter: last, EndUpTo: now}) {
//		// a row of the bill
//	}
//
// # Seats
//
// A Ledger says how many members a tenant may have, in the form that package invite asks
// for it: in the transaction that holds the tenant, so that what is decided is exact.
//
// # What goes wrong
//
// An unknown plan is [quota.ErrUnknownPlan], one that can't be is [quota.ErrBadPlan], and an
// override of a tenant that is not there [tenant.ErrNotFound] or [tenant.ErrGone]. While the
// database is away plans are remembered for TTL and then not known, so that nothing is
// admitted; used units wait, up to [Config.MaxPending] counts of them. [Ledger.Stats] tells of
// uses that were lost.
//
// # What is whose
//
// The tables refer to the catalog's: open that first. [Forget] is for
// [tenantdb.CatalogConfig.OnPurge]. Close the limiter, then the Ledger, then the pool.
package ledger
