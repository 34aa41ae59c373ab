package tenantdb_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/localserver"
	"github.com/tenantwall/tenantwall/internal/pgtest"
	"github.com/tenantwall/tenantwall/internal/wire"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// poolerURL starts a PgBouncer in transaction mode that has so many connections to the
// server, and is the gateway's connection string through it.
func (w *world) poolerURL(size int) string {
	w.t.Helper()
	bouncer, err := localserver.StartPgBouncer(context.Background(), localserver.PgBouncerConfig{Postgres: pgtest.Server(w.t), PoolSize: size})
	require.NoError(w.t, err)
	w.t.Cleanup(func() { assert.NoError(w.t, bouncer.Close()) })
	return bouncer.URL(w.gateway, gatewayPassword, w.owner.Config().Database)
}

// pooled is a world behind a pooler with one connection, which all its clients share.
type pooled struct {
	*world
	url string // the gateway's
}

func newPooled(t *testing.T) *pooled {
	t.Helper()
	w := newWorld(t)
	return &pooled{world: w, url: w.poolerURL(1)}
}

// client is a process of its own: a pool of one connection to the pooler.
func (p *pooled) client(url string, mode pgx.QueryExecMode) *tenantdb.DB {
	p.t.Helper()
	return openOn(p.t, p.pool(url, 1, func(c *pgxpool.Config) { c.ConnConfig.DefaultQueryExecMode = mode }))
}

// plain is a client that knows nothing of tenants.
func (p *pooled) plain() *pgx.Conn {
	p.t.Helper()
	config, err := pgx.ParseConfig(p.url)
	require.NoError(p.t, err)
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	conn, err := pgx.ConnectConfig(p.t.Context(), config)
	require.NoError(p.t, err)
	p.t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func poolerModes(t *testing.T, test func(t *testing.T, mode pgx.QueryExecMode)) {
	t.Helper()
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeExec} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			test(t, mode)
		})
	}
}

func TestRow2_TwoClientsThroughOneServerConnection(t *testing.T) {
	t.Parallel()
	poolerModes(t, func(t *testing.T, mode pgx.QueryExecMode) {
		t.Helper()
		p := newPooled(t)
		a, b := p.tenant(), p.tenant()
		first, second := p.client(p.url, mode), p.client(p.url, mode)
		one, other := p.plain(), p.plain()
		server := serverProcess(t, one)

		// Both directions: each client as each tenant, the other one right before and after.
		for range 3 {
			for _, turn := range []struct {
				db  *tenantdb.DB
				who tenant.Tenant
			}{{first, a}, {second, b}, {first, b}, {second, a}} {
				assertOwn(t, as(t, turn.who), turn.db, p.schema(turn.who))
				assertBare(t, other, p.gateway)
			}
		}
		assert.Equal(t, server, serverProcess(t, other), "all went through one server connection")

		// The control: what a client sets for its session is the next client's.
		_, err := one.Exec(t.Context(), fmt.Sprintf(`SET ROLE %q`, p.schema(a)))
		require.NoError(t, err)
		_, err = one.Exec(t.Context(), fmt.Sprintf(`SET search_path = %q`, p.schema(a)))
		require.NoError(t, err)
		var leaked string
		require.NoError(t, other.QueryRow(t.Context(), `SELECT body FROM note`).Scan(&leaked))
		assert.Equal(t, p.schema(a), leaked, "another client reads the rows of the tenant that the first one has set")

		// Ours find out, clean the server's session, and are right.
		assertOwn(t, as(t, b), second, p.schema(b))
		assertOwn(t, as(t, a), first, p.schema(a))
		assertBare(t, other, p.gateway)
		assert.Equal(t, tenantdb.Stats{Poisoned: 1}, second.Stats())
		assert.Equal(t, server, serverProcess(t, other), "all went through one server connection")
	})
}

// assertOwn holds statements, batches and transactions to the rows of a schema.
func assertOwn(t testing.TB, ctx context.Context, db *tenantdb.DB, schema string) {
	t.Helper()
	got, err := body(ctx, db)
	require.NoError(t, err)
	assert.Equal(t, schema, got, "a statement")

	batch := &pgx.Batch{}
	for range 2 {
		batch.Queue(`SELECT body FROM note WHERE id = $1`, 1).QueryRow(func(row pgx.Row) error {
			var got string
			err := row.Scan(&got)
			assert.Equal(t, schema, got, "a batch")
			return err
		})
		batch.Queue(`UPDATE note SET body = body WHERE id = $1`, 1)
	}
	require.NoError(t, db.SendBatch(ctx, batch).Close())

	require.NoError(t, db.InTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		for range 2 {
			got, err := body(ctx, tx)
			if err != nil {
				return err
			}
			assert.Equal(t, schema, got, "a transaction")
		}
		return nil
	}))
	require.ErrorIs(t, db.InTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if err := insert(ctx, tx); err != nil {
			return err
		}
		return errRefused
	}), errRefused)
	var count int
	require.NoError(t, db.QueryRow(ctx, `SELECT count(*) FROM note`).Scan(&count))
	assert.Equal(t, 1, count, "what was rolled back")
}

// assertBare holds a connection to have nothing of a tenant.
func assertBare(t testing.TB, conn *pgx.Conn, gateway string) {
	t.Helper()
	var user, path string
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT current_user::text, current_setting('search_path')`).Scan(&user, &path))
	assert.Equal(t, []string{gateway, `""`}, []string{user, path}, "a plain client's user and path")
}

func serverProcess(t testing.TB, conn *pgx.Conn) (pid int) {
	t.Helper()
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT pg_backend_pid()`).Scan(&pid))
	return pid
}

func TestRow2_TheDefaultModeBehindAPoolerSaysWhatToSet(t *testing.T) {
	t.Parallel()
	p := newPooled(t)
	a, b := p.tenant(), p.tenant()
	first, second := p.client(p.url, pgx.QueryExecModeCacheStatement), p.client(p.url, pgx.QueryExecModeCacheStatement)
	told := 0
	for range 4 {
		for _, turn := range []struct {
			db  *tenantdb.DB
			who tenant.Tenant
		}{{first, a}, {second, b}, {first, b}, {second, a}} {
			got, err := body(as(t, turn.who), turn.db)
			if err != nil {
				require.ErrorContains(t, err, "default_query_exec_mode=cache_describe")
				told++
				continue
			}
			assert.Equal(t, p.schema(turn.who), got)
		}
	}
	assert.Positive(t, told, "errors")
}

func TestRow2_RoundTripsThroughAPooler(t *testing.T) {
	t.Parallel()
	poolerModes(t, func(t *testing.T, mode pgx.QueryExecMode) {
		t.Helper()
		p := newPooled(t)
		a := p.tenant()
		proxy := wire.NewProxy(t, p.url)
		db := p.client(proxy.URL(p.url), mode)
		ctx := as(t, a)
		count := func(what string, want int, fn func() error) {
			t.Helper()
			proxy.Reset()
			require.NoError(t, fn(), what)
			assert.Equal(t, want, proxy.Stats().RoundTrips, what)
		}
		read := func() error { _, err := body(ctx, db); return err }
		first := 2 // the statement is described
		if mode == pgx.QueryExecModeExec {
			first = 1
		}
		count("the first use of a statement", first, read)
		count("a statement", 1, read)
		count("a batch", 1, func() error {
			b := &pgx.Batch{}
			for i := range 5 {
				b.Queue(`SELECT body FROM note WHERE id = $1`, i)
			}
			return db.SendBatch(ctx, b).Close()
		})
		count("a transaction of three", 5, func() error {
			return db.InTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
				for range 3 {
					if _, err := body(ctx, tx); err != nil {
						return err
					}
				}
				return nil
			})
		})
	})
}

// The server's end of a connection through a pooler does not end with the client's.
func TestRow14b_WhatASessionLeavesBehindAPooler(t *testing.T) {
	t.Parallel()
	poolerModes(t, func(t *testing.T, mode pgx.QueryExecMode) {
		t.Helper()
		p := newPooled(t)
		a, b := p.tenant(), p.tenant()
		p.exec(fmt.Sprintf(`CREATE FUNCTION %[1]q.leave() RETURNS int LANGUAGE plpgsql AS $f$ BEGIN EXECUTE 'SET ROLE %[2]q'; RETURN 1; END $f$`,
			p.schema(a), p.schema(b)))
		first, second := p.client(p.url, mode), p.client(p.url, mode)
		other := p.plain()
		server := serverProcess(t, other)

		_, err := first.Exec(as(t, a), `SET statement_timeout = '7s'`)
		require.NoError(t, err)
		var timeout string
		require.NoError(t, second.QueryRow(as(t, b), `SELECT current_setting('statement_timeout')`).Scan(&timeout))
		assert.Equal(t, "0", timeout, "the next tenant's")

		_, err = first.Exec(as(t, a), fmt.Sprintf(`SET ROLE %q`, p.schema(b)))
		require.ErrorIs(t, err, tenantdb.ErrLeftTenant)
		assertBare(t, other, p.gateway)

		for range 2 {
			_, err = first.Exec(as(t, a), `SELECT leave()`)
			require.NoError(t, err)
			assertOwn(t, as(t, b), second, p.schema(b))
			assertBare(t, other, p.gateway)
			_, err = first.Exec(as(t, a), `SELECT leave()`)
			require.NoError(t, err)
			require.NoError(t, second.InTx(as(t, b), func(ctx context.Context, tx pgx.Tx) error {
				got, err := body(ctx, tx) // bound all the same
				assert.Equal(t, p.schema(b), got)
				return err
			}))
			assertOwn(t, as(t, b), second, p.schema(b))
		}
		assert.Equal(t, tenantdb.Stats{Poisoned: 4}, second.Stats())
		assert.Equal(t, server, serverProcess(t, other), "all went through one server connection")
	})
}
