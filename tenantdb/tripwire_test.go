package tenantdb_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// leaving are the ways in which one statement of a tenant's can change the role of the
// session that it runs in. %s is the other tenant's role.
var leaving = map[string]string{
	"SET ROLE":                `SET ROLE "%s"`,
	"SET ROLE in a comment":   `/* SELECT */ SET SESSION ROLE "%s"`,
	"DO":                      `DO $$ BEGIN EXECUTE 'SET ROLE "%s"'; END $$`,
	"RESET ROLE":              `RESET ROLE -- %s`,
	"SET role by its setting": `SET role = '%s'`,
	"SET LOCAL ROLE":          `SET LOCAL ROLE "%s"`,
}

func TestRow14b_AStatementThatChangesTheRoleIsRolledBack(t *testing.T) {
	t.Parallel()
	for name, sql := range leaving {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a, b := w.tenant(), w.tenant()
			pool := w.pool(w.gatewayURL(), 1)
			db := openOn(t, pool)
			sql := fmt.Sprintf(sql, w.schema(b))

			_, err := db.Exec(as(t, a), sql)
			require.ErrorIs(t, err, tenantdb.ErrLeftTenant, "as a statement")
			assertClean(t, w, pool, db, a, b)

			batch := &pgx.Batch{}
			batch.Queue(`INSERT INTO note (body) VALUES ('lost') RETURNING id`)
			batch.Queue(sql)
			require.ErrorIs(t, db.SendBatch(as(t, a), batch).Close(), tenantdb.ErrLeftTenant, "in a batch")
			assertClean(t, w, pool, db, a, b)

			err = db.InTx(as(t, a), func(ctx context.Context, tx pgx.Tx) error {
				if _, err := tx.Exec(ctx, `INSERT INTO note (body) VALUES ('lost')`); err != nil {
					return err
				}
				_, err := tx.Exec(ctx, sql)
				return err
			})
			require.ErrorIs(t, err, tenantdb.ErrLeftTenant, "in a transaction")
			assertClean(t, w, pool, db, a, b)
			assert.Equal(t, tenantdb.Stats{Left: 3}, db.Stats())
		})
	}
}

// assertClean holds the pool's connection to be nobody's, and each tenant to have its one
// row alone.
func assertClean(t *testing.T, w *world, pool *pgxpool.Pool, db *tenantdb.DB, tenants ...tenant.Tenant) {
	t.Helper()
	var user, path string
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT current_user::text, current_setting('search_path')`).Scan(&user, &path))
	assert.Equal(t, []string{w.gateway, `""`}, []string{user, path}, "a raw borrower's user and path")
	_, err := pool.Exec(t.Context(), `SELECT * FROM note`)
	assertCode(t, "42P01", err, "a raw borrower's SELECT")
	for _, who := range tenants {
		rows, err := db.Query(as(t, who), `SELECT body FROM note`)
		require.NoError(t, err)
		got, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		assert.Equal(t, []string{w.schema(who)}, got)
	}
}

// A function hides what it does from the first word of the statement that calls it.
func TestRow14b_APoisonedConnectionIsClosedAndTheStatementRetried(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.tenant(), w.tenant()
	w.exec(fmt.Sprintf(`CREATE FUNCTION %[1]q.leave() RETURNS int LANGUAGE plpgsql AS $f$ BEGIN EXECUTE 'SET ROLE %[2]q'; RETURN 1; END $f$`,
		w.schema(a), w.schema(b)))
	pool := w.pool(w.gatewayURL(), 1)
	db := openOn(t, pool)
	poison := func() {
		t.Helper()
		_, err := db.Exec(as(t, a), `SELECT leave()`)
		require.NoError(t, err)
	}
	for i, use := range []func() error{
		func() error { _, err := body(as(t, a), db); return err },
		func() error {
			tx, err := db.Begin(as(t, b)) // bound all the same, which the next statement outside finds
			if err != nil {
				return err
			}
			got, err := body(t.Context(), tx)
			assert.Equal(t, w.schema(b), got)
			if err := errors.Join(err, tx.Commit(t.Context())); err != nil {
				return err
			}
			_, err = body(as(t, a), db)
			return err
		},
		func() error {
			b := &pgx.Batch{}
			b.Queue(`SELECT 1`)
			return db.SendBatch(as(t, a), b).Close()
		},
	} {
		poison()
		before := backend(t, pool)
		require.NoError(t, use())
		assert.NotEqual(t, before, backend(t, pool), "the poisoned connection is gone")
		assert.Equal(t, tenantdb.Stats{Poisoned: int64(i) + 1}, db.Stats())
		assertClean(t, w, pool, db, a, b)
	}

	err := db.InTx(as(t, a), func(ctx context.Context, tx pgx.Tx) error { _, err := tx.Exec(ctx, `SELECT leave()`); return err })
	require.ErrorIs(t, err, tenantdb.ErrLeftTenant, "a transaction checks whatever ran in it")
	assertClean(t, w, pool, db, a, b)
}

func TestRow14b_WhatASessionLeavesBehindEndsWithItsConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.tenant(), w.tenant()
	pool := w.pool(w.gatewayURL(), 1)
	db := openOn(t, pool)
	for _, sql := range []string{
		`SET statement_timeout = '7s'`,
		`SET SESSION search_path = pg_catalog`,
		`LISTEN something`,
		`PREPARE mine AS SELECT 1`,
		`DECLARE kept CURSOR WITH HOLD FOR SELECT * FROM note`,
		`DO $$ BEGIN SET work_mem = '77MB'; END $$`,
	} {
		for name, run := range map[string]func(tenant.Tenant) error{
			"statement": func(who tenant.Tenant) error { _, err := db.Exec(as(t, who), sql); return err },
			"transaction": func(who tenant.Tenant) error {
				return db.InTx(as(t, who), func(ctx context.Context, tx pgx.Tx) error { _, err := tx.Exec(ctx, sql); return err })
			},
			"savepoint": func(who tenant.Tenant) error {
				return db.InTx(as(t, who), func(ctx context.Context, tx pgx.Tx) error {
					nested, err := tx.Begin(ctx)
					if err != nil {
						return err
					}
					if _, err := nested.Exec(ctx, sql); err != nil {
						return err
					}
					return nested.Commit(ctx)
				})
			},
		} {
			before := backend(t, pool)
			require.NoError(t, run(a), "%s as a %s", sql, name)
			assert.NotEqual(t, before, backend(t, pool), "%s as a %s: the connection is another", sql, name)
		}
	}
	before := backend(t, pool)
	require.NoError(t, db.InTx(as(t, a), func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Conn().Exec(ctx, `SET statement_timeout = '7s'`)
		return err
	}))
	assert.NotEqual(t, before, backend(t, pool), "the bare connection was asked for")
	assertClean(t, w, pool, db, a, b)
}

// What an error takes back is the transaction's work, not what a session keeps.
func TestRow14b_WhatAFailedStatementLeavesBehindEndsWithItsConnectionToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.tenant(), w.tenant()
	pool := w.pool(w.gatewayURL(), 1)
	db := openOn(t, pool)
	for _, sql := range []string{
		`DO $$ BEGIN PERFORM pg_advisory_lock(7); RAISE 'stop'; END $$`,
		`DO $$ BEGIN EXECUTE 'PREPARE mine AS SELECT 1'; RAISE 'stop'; END $$`,
	} {
		before := backend(t, pool)
		_, err := db.Exec(as(t, a), sql)
		assertCode(t, "P0001", err, sql)
		assert.NotEqual(t, before, backend(t, pool), "%s: the connection is another", sql)

		before = backend(t, pool)
		batch := &pgx.Batch{}
		batch.Queue(sql)
		assertCode(t, "P0001", db.SendBatch(as(t, a), batch).Close(), sql)
		assert.NotEqual(t, before, backend(t, pool), "%s in a batch: the connection is another", sql)
	}
	assertClean(t, w, pool, db, a, b)
}

func TestRow14b_ABatchThatLeavesIsToldWhateverTheCallerReadsOfIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.tenant(), w.tenant()
	pool := w.pool(w.gatewayURL(), 1)
	db := openOn(t, pool)
	batch := &pgx.Batch{}
	batch.Queue(`INSERT INTO note (body) VALUES ('lost')`).Exec(func(pgconn.CommandTag) error { return errRefused })
	batch.Queue(`SELECT body FROM note`)
	batch.Queue(fmt.Sprintf(`SET ROLE %q`, w.schema(b)))
	require.ErrorIs(t, db.SendBatch(as(t, a), batch).Close(), tenantdb.ErrLeftTenant)
	assert.Equal(t, tenantdb.Stats{Left: 1}, db.Stats())
	assertClean(t, w, pool, db, a, b)
}
