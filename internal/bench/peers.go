package main

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantwall/tenantwall/tenantdb"
)

// pathRunner changes the search path, in the session or in a transaction.
type pathRunner struct {
	pool  *pgxpool.Pool
	paths []string // the names of the schemas, quoted
}

func openPath(ctx context.Context, w *world, n int) (pathRunner, error) {
	pool, err := w.asOwner(ctx, "")
	r := pathRunner{pool: pool}
	for _, t := range w.tenants[:n] {
		r.paths = append(r.paths, `"`+tenantdb.SchemaName(t.ID)+`"`)
	}
	return r, err
}

func (r pathRunner) close() { r.pool.Close() }

// sessionRunner sets the path of the session and resets it.
type sessionRunner struct{ pathRunner }

func openSession(ctx context.Context, w *world, n int) (runner, error) {
	r, err := openPath(ctx, w, n)
	return sessionRunner{r}, err
}

func (r sessionRunner) on(ctx context.Context, tenant int, use func(*pgx.Conn) error) error {
	lease, err := r.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer lease.Release()
	if _, err := lease.Exec(ctx, `SET search_path = `+r.paths[tenant]); err != nil {
		return err
	}
	if err := use(lease.Conn()); err != nil {
		return err
	}
	_, err = lease.Exec(ctx, `RESET search_path`)
	return err
}

func (r sessionRunner) read(ctx context.Context, tenant int, id int64) error {
	return r.on(ctx, tenant, func(conn *pgx.Conn) error { return readBy(ctx, conn, readSQL, id) })
}

func (r sessionRunner) write(ctx context.Context, tenant int, id int64) error {
	return r.on(ctx, tenant, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, writeSQL, id, written)
		return err
	})
}

func (r sessionRunner) transaction(ctx context.Context, tenant int, id int64) error {
	return r.on(ctx, tenant, func(conn *pgx.Conn) error {
		return pgx.BeginFunc(ctx, conn, both(ctx, readSQL, writeSQL, id))
	})
}

// localRunner makes a transaction of everything, and sets the path in it.
type localRunner struct{ pathRunner }

func openLocal(ctx context.Context, w *world, n int) (runner, error) {
	r, err := openPath(ctx, w, n)
	return localRunner{r}, err
}

func (r localRunner) in(ctx context.Context, tenant int, use func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, r.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL search_path = `+r.paths[tenant]); err != nil {
			return err
		}
		return use(tx)
	})
}

func (r localRunner) read(ctx context.Context, tenant int, id int64) error {
	return r.in(ctx, tenant, func(tx pgx.Tx) error { return readBy(ctx, tx, readSQL, id) })
}

func (r localRunner) write(ctx context.Context, tenant int, id int64) error {
	return r.in(ctx, tenant, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, writeSQL, id, written)
		return err
	})
}

func (r localRunner) transaction(ctx context.Context, tenant int, id int64) error {
	return r.in(ctx, tenant, both(ctx, readSQL, writeSQL, id))
}

// rowSecurityRunner sets what the policy compares with in the trip of the statement.
type rowSecurityRunner struct {
	pool *pgxpool.Pool
	ids  []string
}

func openRowSecurity(ctx context.Context, w *world, n int) (runner, error) {
	pool, err := w.connect(ctx, w.server.URL(rlsLogin, password, database), "rls")
	r := &rowSecurityRunner{pool: pool}
	for _, t := range w.tenants[:n] {
		r.ids = append(r.ids, t.ID.String())
	}
	return r, err
}

func (r *rowSecurityRunner) close() { r.pool.Close() }

// identify is the statement that sets the tenant.
const identify = `SELECT pg_catalog.set_config('bench.tenant', $1, true)`

func (r *rowSecurityRunner) read(ctx context.Context, tenant int, id int64) error {
	return r.pipeline(ctx, tenant, readSQL, []any{id}, func(types *pgtype.Map, result *pgconn.ResultReader) error {
		_, err := pgx.CollectExactlyOneRow(pgx.RowsFromResultReader(types, result), pgx.RowTo[string]) //nolint:rowserrcheck // it looks itself
		return err
	})
}

func (r *rowSecurityRunner) write(ctx context.Context, tenant int, id int64) error {
	return r.pipeline(ctx, tenant, writeSQL, []any{id, written}, func(_ *pgtype.Map, result *pgconn.ResultReader) error {
		_, err := result.Close()
		return err
	})
}

func (r *rowSecurityRunner) pipeline(ctx context.Context, tenant int, sql string, args []any, read func(*pgtype.Map, *pgconn.ResultReader) error) error {
	lease, err := r.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer lease.Release()
	conn := lease.Conn()
	// pgx answers from what it knows when a statement is prepared already.
	set, err := conn.Prepare(ctx, "identify", identify)
	if err != nil {
		return err
	}
	statement, err := conn.Prepare(ctx, sql, sql)
	if err != nil {
		return err
	}
	var values pgx.ExtendedQueryBuilder
	if err := values.Build(conn.TypeMap(), statement, args); err != nil {
		return err
	}
	pipeline := conn.PgConn().StartPipeline(ctx)
	pipeline.SendQueryStatement(set, [][]byte{[]byte(r.ids[tenant])}, nil, nil)
	pipeline.SendQueryStatement(statement, values.ParamValues, values.ParamFormats, values.ResultFormats)
	if err := pipeline.Sync(); err != nil {
		return err
	}
	if _, err := pipeline.GetResults(); err != nil {
		return err
	}
	results, err := pipeline.GetResults()
	if err != nil {
		return err
	}
	if err := read(conn.TypeMap(), results.(*pgconn.ResultReader)); err != nil {
		return err
	}
	return pipeline.Close()
}

func (r *rowSecurityRunner) transaction(ctx context.Context, tenant int, id int64) error {
	begin := pgx.TxOptions{BeginQuery: `begin; SELECT pg_catalog.set_config('bench.tenant', '` + r.ids[tenant] + `', true)`}
	return pgx.BeginTxFunc(ctx, r.pool, begin, both(ctx, readSQL, writeSQL, id))
}
