package tenantdb

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"github.com/tenantwall/tenantwall/tenant"
)

// target is a tenant whose schema is to be migrated.
type target struct {
	id     tenant.ID
	schema string
}

// migrateRun migrates many tenants, each in a transaction of its own.
type migrateRun struct {
	pool    *pgxpool.Pool // as the control role
	set     *Migrations
	opts    MigrateOptions // with the defaults
	targets []target
	results chan result
}

// result is the outcome of the target with that index.
type result struct {
	at int
	TenantMigration
}

// migrateAll brings all targets up to date. A target that fails stops none of the others.
// The report has them in their order, also when the error is not nil.
//
// First the ledgers are read, in a few statements, to find those that are up to date; that
// is all that a run does to them. Then workers take one target after the other.
func migrateAll(ctx context.Context, pool *pgxpool.Pool, set *Migrations, opts MigrateOptions, targets iter.Seq2[target, error]) (MigrateReport, error) {
	opts, err := opts.withDefaults(pool)
	if err != nil {
		return MigrateReport{}, fmt.Errorf("tenantdb: migrate: %w", err)
	}
	r := &migrateRun{pool: pool, set: set, opts: opts, results: make(chan result)}
	if r.targets, err = collectTargets(targets); err != nil {
		return MigrateReport{}, fmt.Errorf("tenantdb: migrate: list the tenants: %w", err)
	}
	return r.run(ctx)
}

// collectTargets reads the list to its end before anything is done: it may hold one of the
// connections that the work needs, and the total is told with the progress.
func collectTargets(targets iter.Seq2[target, error]) ([]target, error) {
	var list []target
	for t, err := range targets {
		if err != nil {
			return nil, err
		}
		list = append(list, t)
	}
	return list, nil
}

func (r *migrateRun) run(ctx context.Context) (MigrateReport, error) {
	report := MigrateReport{Tenants: make([]TenantMigration, len(r.targets))}
	for i, t := range r.targets {
		report.Tenants[i] = TenantMigration{Tenant: t.id, Outcome: OutcomeSkipped, Err: errInterrupted}
	}
	working, stop := context.WithCancel(ctx)
	go func() {
		defer close(r.results)
		r.work(working)
	}()
	defer func() { // also when Progress panics: no worker is left behind
		stop()
		for range r.results {
		}
	}()
	done := 0
	for res := range r.results {
		report.Tenants[res.at] = res.TenantMigration
		done++
		if r.opts.Progress != nil {
			r.opts.Progress(MigrateProgress{Done: done, Total: len(r.targets), Last: res.TenantMigration})
		}
	}
	return report, report.err(ctx)
}

// work sends a result for each target that it came to.
func (r *migrateRun) work(ctx context.Context) {
	queue := make(chan int)
	var workers sync.WaitGroup
	defer workers.Wait()
	defer close(queue)
	todo := r.outdated(ctx)
	for range min(r.opts.Workers, len(todo)) {
		workers.Go(func() { r.worker(ctx, queue) })
	}
	for _, at := range todo {
		select {
		case queue <- at:
		case <-ctx.Done():
			return
		}
	}
}

// outdated are the targets that are not known to be up to date, in their order.
func (r *migrateRun) outdated(ctx context.Context) []int {
	current := make([]bool, len(r.targets))
	var group errgroup.Group
	group.SetLimit(r.opts.Workers)
	for begin := 0; begin < len(r.targets); begin += surveySize {
		group.Go(func() error {
			r.survey(ctx, begin, current[begin:min(begin+surveySize, len(r.targets))])
			return nil
		})
	}
	_ = group.Wait() // none returns one
	var todo []int
	for at, ok := range current {
		if !ok {
			todo = append(todo, at)
		}
	}
	return todo
}

// survey tells which of the targets from begin on are up to date. Those of which it can't
// tell are left to their transactions, which will say what is wrong.
func (r *migrateRun) survey(ctx context.Context, begin int, current []bool) {
	schemas := make([]string, len(current))
	for i := range schemas {
		schemas[i] = r.targets[begin+i].schema
	}
	states, err := survey(ctx, r.pool, schemas)
	if err != nil {
		return
	}
	for i, schema := range schemas {
		if states[schema].digest == r.set.digest {
			current[i] = true
			r.results <- result{begin + i, TenantMigration{Tenant: r.targets[begin+i].id, Outcome: OutcomeUpToDate}}
		}
	}
}

func (r *migrateRun) worker(ctx context.Context, queue <-chan int) {
	conn := &migrationConn{pool: r.pool}
	defer conn.release(ctx)
	for at := range queue {
		r.results <- result{at, r.migrate(ctx, conn, r.targets[at])}
	}
}

// migrate brings one target up to date.
func (r *migrateRun) migrate(ctx context.Context, conn *migrationConn, t target) TenantMigration {
	began := time.Now()
	res := TenantMigration{Tenant: t.id, Outcome: OutcomeUpToDate}
	o := applyOptions{lockTimeout: r.opts.LockTimeout, allowUnknown: r.opts.AllowUnknown}
	res.Attempts, res.Err = withRetries(ctx, r.opts.Attempts, func() (err error) {
		res.Applied, err = conn.apply(ctx, r.set, tenantLedger(t.schema), o)
		return err
	})
	res.Took = time.Since(began)
	switch {
	case res.Err != nil && ctx.Err() != nil:
		res.Outcome = OutcomeSkipped
		res.Err = fmt.Errorf("%w: %w", errInterrupted, res.Err)
	case res.Err != nil:
		res.Outcome = OutcomeFailed
		r.remember(ctx, conn, t, res)
	case len(res.Applied) > 0:
		res.Outcome = OutcomeMigrated
	}
	return res
}

// maxFailureText bounds the text of an error that is kept.
const maxFailureText = 2000

// sqlFailure keeps the last failure of the schema $1.
const sqlFailure = `
INSERT INTO tenantwall.migration_failure (schema, version, error, attempts, failed_at) VALUES ($1::text, $2, $3, $4, now())
ON CONFLICT (schema) DO UPDATE SET (version, error, attempts, failed_at) = (EXCLUDED.version, EXCLUDED.error, EXCLUDED.attempts, EXCLUDED.failed_at)`

// remember keeps the failure for [Catalog.MigrationStatus]. That it can't be kept is no
// failure of its own: the report has it, and the database is away.
func (r *migrateRun) remember(ctx context.Context, conn *migrationConn, t target, res TenantMigration) {
	c, err := conn.get(ctx)
	if err != nil {
		return
	}
	var version *int64
	if file, ok := errors.AsType[*MigrationFileError](res.Err); ok {
		if i := slices.IndexFunc(r.set.files, func(m migration) bool { return m.file == file.File }); i >= 0 {
			version = &r.set.files[i].version
		}
	}
	_, _ = c.Exec(ctx, sqlFailure, pgx.QueryExecModeExec, t.schema, version, cut(res.Err.Error(), maxFailureText), res.Attempts)
}

// cut is s with at most that many bytes, in whole characters.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}
