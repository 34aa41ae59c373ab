package main

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantwall/tenantwall/tenantdb"
)

// contender is a way to run statements for a tenant.
type contender struct {
	name  string
	trips string // round trips of a statement, and of a transaction of n
	open  func(ctx context.Context, w *world, n int) (runner, error)
}

// runner does the three pieces of work for the tenant of a number, on the row of an id.
type runner interface {
	read(ctx context.Context, tenant int, id int64) error
	write(ctx context.Context, tenant int, id int64) error
	transaction(ctx context.Context, tenant int, id int64) error // BEGIN, a read, a write, COMMIT
	close()
}

const (
	readSQL  = `SELECT body FROM note WHERE id = $1`
	writeSQL = `UPDATE note SET body = $2 WHERE id = $1`
)

// written is what all writes write.
const written = `a hundred bytes or so, as long as what was there before, so that the row keeps its size and its page.`

// The names of the contenders that others are compared with.
const (
	raw       = "raw pgx"
	qualified = "qualified SQL"
	ours      = "tenantdb"
)

var contenders = []contender{
	{raw, "1, n + 2", func(ctx context.Context, w *world, _ int) (runner, error) {
		pool, err := w.asOwner(ctx, `"`+tenantdb.SchemaName(w.tenants[0].ID)+`"`)
		return &rawRunner{pool}, err
	}},
	{qualified, "1, n + 2", openQualified},
	{ours, "1, n + 2", openOurs},
	{"SET, RESET", "3, n + 4", openSession},
	{"BEGIN, SET LOCAL", "4, n + 3", openLocal},
	{"row security", "1, n + 2", openRowSecurity},
}

// rawRunner works in one schema, whatever the tenant: what it costs is the floor.
type rawRunner struct{ pool *pgxpool.Pool }

func (r *rawRunner) close() { r.pool.Close() }

func (r *rawRunner) read(ctx context.Context, _ int, id int64) error {
	return readBy(ctx, r.pool, readSQL, id)
}

func (r *rawRunner) write(ctx context.Context, _ int, id int64) error {
	_, err := r.pool.Exec(ctx, writeSQL, id, written)
	return err
}

func (r *rawRunner) transaction(ctx context.Context, _ int, id int64) error {
	return pgx.BeginFunc(ctx, r.pool, both(ctx, readSQL, writeSQL, id))
}

// querier is what reads are done with.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func readBy(ctx context.Context, q querier, sql string, id int64) error {
	var body string
	return q.QueryRow(ctx, sql, id).Scan(&body)
}

// both reads and writes in a transaction.
func both(ctx context.Context, read, write string, id int64) func(pgx.Tx) error {
	return func(tx pgx.Tx) error {
		if err := readBy(ctx, tx, read, id); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, write, id, written)
		return err
	}
}

// qualifiedRunner names the schema in each statement. Nothing keeps it from another one.
type qualifiedRunner struct {
	pool   *pgxpool.Pool
	reads  []string
	writes []string
}

func openQualified(ctx context.Context, w *world, n int) (runner, error) {
	pool, err := w.asOwner(ctx, "")
	r := &qualifiedRunner{pool: pool}
	for _, t := range w.tenants[:n] {
		table := `"` + tenantdb.SchemaName(t.ID) + `".note`
		r.reads = append(r.reads, `SELECT body FROM `+table+` WHERE id = $1`)
		r.writes = append(r.writes, `UPDATE `+table+` SET body = $2 WHERE id = $1`)
	}
	return r, err
}

func (r *qualifiedRunner) close() { r.pool.Close() }

func (r *qualifiedRunner) read(ctx context.Context, tenant int, id int64) error {
	return readBy(ctx, r.pool, r.reads[tenant], id)
}

func (r *qualifiedRunner) write(ctx context.Context, tenant int, id int64) error {
	_, err := r.pool.Exec(ctx, r.writes[tenant], id, written)
	return err
}

func (r *qualifiedRunner) transaction(ctx context.Context, tenant int, id int64) error {
	return pgx.BeginFunc(ctx, r.pool, both(ctx, r.reads[tenant], r.writes[tenant], id))
}

// ourRunner is tenantdb.
type ourRunner struct {
	pool     *pgxpool.Pool
	sessions []*tenantdb.Session
}

func openOurs(ctx context.Context, w *world, n int) (runner, error) {
	pool, err := w.connect(ctx, w.server.URL(gateway(n), password, database), "")
	if err != nil {
		return nil, err
	}
	db, err := tenantdb.Open(ctx, pool)
	if err != nil {
		pool.Close()
		return nil, err
	}
	r := &ourRunner{pool: pool}
	for _, t := range w.tenants[:n] {
		r.sessions = append(r.sessions, db.As(t))
	}
	return r, nil
}

func (r *ourRunner) close() { r.pool.Close() }

func (r *ourRunner) read(ctx context.Context, tenant int, id int64) error {
	return readBy(ctx, r.sessions[tenant], readSQL, id)
}

func (r *ourRunner) write(ctx context.Context, tenant int, id int64) error {
	_, err := r.sessions[tenant].Exec(ctx, writeSQL, id, written)
	return err
}

func (r *ourRunner) transaction(ctx context.Context, tenant int, id int64) error {
	return r.sessions[tenant].InTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		return both(ctx, readSQL, writeSQL, id)(tx)
	})
}
