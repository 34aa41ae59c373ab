package tenantsql_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/tenantwall/tenantwall/internal/wire"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
	"github.com/tenantwall/tenantwall/tenantdb/tenantsql"
)

// ways are all the ways in which database/sql reads a tenant's row.
var ways = []func(context.Context, *sql.DB, *sql.Stmt) (string, error){
	func(ctx context.Context, db *sql.DB, _ *sql.Stmt) (string, error) { return body(ctx, db) },
	func(ctx context.Context, _ *sql.DB, prepared *sql.Stmt) (s string, err error) {
		err = prepared.QueryRowContext(ctx, 1).Scan(&s)
		return s, err
	},
	func(ctx context.Context, db *sql.DB, _ *sql.Stmt) (string, error) {
		pinned, err := db.Conn(ctx)
		if err != nil {
			return "", err
		}
		defer pinned.Close()
		return body(ctx, pinned)
	},
	func(ctx context.Context, db *sql.DB, _ *sql.Stmt) (string, error) {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return "", err
		}
		s, err := body(ctx, tx)
		return s, errors.Join(err, tx.Commit())
	},
	func(ctx context.Context, db *sql.DB, prepared *sql.Stmt) (s string, err error) {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return "", err
		}
		err = tx.StmtContext(ctx, prepared).QueryRowContext(context.Background(), 1).Scan(&s)
		return s, errors.Join(err, tx.Rollback())
	},
	func(ctx context.Context, db *sql.DB, _ *sql.Stmt) (s string, err error) {
		rows, err := db.QueryContext(ctx, `SELECT body, generate_series(1, 10) FROM note`)
		if err != nil {
			return "", err
		}
		defer rows.Close() // with most of the rows unread
		var n int
		rows.Next()
		return s, errors.Join(rows.Scan(&s, &n), rows.Err())
	},
}

// crowd lets 64 goroutines ask 50 times each, and counts the answers that were another
// tenant's.
func crowd(tenants []tenant.Tenant, ask func(ctx context.Context, who tenant.Tenant, i int) (string, error)) (crossed int64, err error) {
	var others atomic.Int64
	var g errgroup.Group
	for goroutine := range 64 {
		g.Go(func() error {
			for i := range 50 {
				who := tenants[(goroutine+i)%len(tenants)]
				got, err := ask(context.Background(), who, goroutine+i)
				if err != nil {
					return err
				}
				if got != schema(who) {
					others.Add(1)
				}
			}
			return nil
		})
	}
	err = g.Wait()
	return others.Load(), err
}

func TestRow14_ManyGoroutinesOnFewConnectionsReadTheirOwnRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenants := make([]tenant.Tenant, 8)
	for i := range tenants {
		tenants[i] = w.tenant()
	}
	pool := w.pool(4)
	db := closing(t, tenantsql.Open(openOn(t, pool)))
	db.SetMaxOpenConns(4)
	prepared, err := db.PrepareContext(t.Context(), `SELECT body FROM note WHERE id = $1`)
	require.NoError(t, err)
	defer prepared.Close()

	crossed, err := crowd(tenants, func(ctx context.Context, who tenant.Tenant, i int) (string, error) {
		ctx = tenant.NewContext(ctx, who)
		if i%7 == 0 { // somebody gives up half way
			cancelled, cancel := context.WithCancel(ctx)
			if rows, err := db.QueryContext(cancelled, `SELECT body, generate_series(1, 1000) FROM note`); err == nil {
				rows.Next()
				cancel()
				_ = errors.Join(rows.Close(), rows.Err())
			}
			cancel()
		}
		return ways[i%len(ways)](ctx, db, prepared)
	})
	require.NoError(t, err)
	assert.Zero(t, crossed, "of 3,200 queries")
	assertNoneHeld(t, pool)
	assert.Equal(t, 0, db.Stats().InUse)
}

// What others do: set the session up, and query. database/sql gives the connection to
// somebody else in between.
func TestRow14_ControlWithASessionSetCrosses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenants := []tenant.Tenant{w.tenant(), w.tenant(), w.tenant(), w.tenant()}
	db := closing(t, stdlib.OpenDB(*w.owner.Config()))
	db.SetMaxOpenConns(4)
	crossed, err := crowd(tenants, func(ctx context.Context, who tenant.Tenant, _ int) (string, error) {
		if _, err := db.ExecContext(ctx, `SET search_path = `+pgx.Identifier{schema(who)}.Sanitize()); err != nil {
			return "", err
		}
		var s string
		err := db.QueryRowContext(ctx, `SELECT body FROM note`).Scan(&s)
		return s, err
	})
	require.NoError(t, err)
	assert.Positive(t, crossed, "the test above can't find what it looks for")
	t.Logf("%d of 3,200 queries ran as another tenant", crossed)
}

func TestEachWayOfAskingIsConfinedToItsContext(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.tenant(), w.tenant()
	pool := w.pool(1)
	db := closing(t, tenantsql.Open(openOn(t, pool)))
	prepared, err := db.PrepareContext(t.Context(), `SELECT body FROM note WHERE id = $1`)
	require.NoError(t, err)
	defer prepared.Close()
	for range 2 {
		for i, way := range ways {
			for _, who := range []tenant.Tenant{a, b} {
				got, err := way(as(t, who), db, prepared)
				require.NoError(t, err, "way %d", i)
				assert.Equal(t, schema(who), got, "way %d", i)
			}
		}
	}
	assertNoneHeld(t, pool)
}

func TestRow10_AnotherSchemaByItsNameIsDenied(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.tenant(), w.tenant()
	db := closing(t, tenantsql.Open(openOn(t, w.pool(2))))
	tx, err := db.BeginTx(as(t, a), nil)
	require.NoError(t, err)
	defer tx.Rollback()
	for _, on := range []queryer{db, tx} {
		_, err := on.ExecContext(as(t, a), fmt.Sprintf(`DELETE FROM %q.note`, schema(b)))
		assertCode(t, "42501", err)
	}
}

func TestAPinnedConnectionIsConfinedCallByCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.tenant(), w.tenant()
	pool := w.pool(1)
	db := closing(t, tenantsql.Open(openOn(t, pool)))
	pinned, err := db.Conn(t.Context()) // needs no tenant yet
	require.NoError(t, err)
	defer pinned.Close()
	assert.EqualValues(t, 0, pool.Stat().AcquiredConns(), "it holds no connection of the pool")
	for range 3 {
		for _, who := range []tenant.Tenant{a, b} {
			got, err := body(as(t, who), pinned)
			require.NoError(t, err)
			assert.Equal(t, schema(who), got)
		}
	}
	_, err = pinned.QueryContext(t.Context(), `SELECT 1`)
	require.ErrorIs(t, err, tenant.ErrRequired)
	require.NoError(t, pinned.PingContext(as(t, a)))

	// It is no session: what is set in it does not last.
	_, err = pinned.ExecContext(as(t, a), `SET statement_timeout = '1min'`)
	require.NoError(t, err)
	var timeout string
	require.NoError(t, pinned.QueryRowContext(as(t, a), `SHOW statement_timeout`).Scan(&timeout))
	assert.Equal(t, "0", timeout)
	_, err = pinned.ExecContext(as(t, a), `SET ROLE `+pgx.Identifier{schema(b)}.Sanitize())
	require.ErrorIs(t, err, tenantdb.ErrLeftTenant)
	_, err = pinned.ExecContext(as(t, a), `BEGIN`)
	require.ErrorIs(t, err, tenantdb.ErrTransactionControl)
}

func TestRow15_WithoutATenantNothingIsSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.tenant()
	proxy := wire.NewProxy(t, w.url)
	db := openOn(t, w.pool(1, proxy.URL))
	suspended, other := a, w.tenant()
	suspended.Status = tenant.StatusSuspended
	proxy.Reset() // Open has looked at the roles
	for _, c := range []struct {
		name string
		db   *sql.DB
		ctx  context.Context
		want error
	}{
		{"no tenant", tenantsql.Open(db), t.Context(), tenant.ErrRequired},
		{"suspended", tenantsql.Open(db), as(t, suspended), tenant.ErrSuspended},
		{"for the zero tenant", tenantsql.OpenFor(db, tenant.Tenant{}), t.Context(), tenant.ErrRequired},
		{"for a suspended one", tenantsql.OpenFor(db, suspended), t.Context(), tenant.ErrSuspended},
		{"for one that the context knows to be suspended", tenantsql.OpenFor(db, a), as(t, suspended), tenant.ErrSuspended},
		{"for another than the context's", tenantsql.OpenFor(db, a), as(t, other), tenantsql.ErrOtherTenant},
	} {
		closing(t, c.db)
		_, err := c.db.ExecContext(c.ctx, `SELECT 1`)
		require.ErrorIs(t, err, c.want, "%s: Exec", c.name)
		_, err = c.db.QueryContext(c.ctx, `SELECT 1`)
		require.ErrorIs(t, err, c.want, "%s: Query", c.name)
		_, err = c.db.BeginTx(c.ctx, nil)
		require.ErrorIs(t, err, c.want, "%s: Begin", c.name)
		prepared, err := c.db.PrepareContext(c.ctx, `SELECT 1`)
		require.NoError(t, err, c.name)
		_, err = prepared.ExecContext(c.ctx)
		require.ErrorIs(t, err, c.want, "%s: a prepared statement", c.name)
		require.NoError(t, prepared.Close())
		if c.name != "no tenant" {
			require.ErrorIs(t, c.db.PingContext(c.ctx), c.want, "%s: Ping", c.name)
		}
	}
	assert.Zero(t, proxy.Stats().ToServer, "bytes sent")
}

func TestCallsWithoutAContext(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.tenant()
	db := openOn(t, w.pool(1))
	byContext, forA := closing(t, tenantsql.Open(db)), closing(t, tenantsql.OpenFor(db, a))

	_, err := byContext.Query(`SELECT body FROM note`)
	require.ErrorIs(t, err, tenant.ErrRequired)
	_, err = byContext.Exec(`DELETE FROM note`)
	require.ErrorIs(t, err, tenant.ErrRequired)
	_, err = byContext.Begin()
	require.ErrorIs(t, err, tenant.ErrRequired)
	require.NoError(t, byContext.Ping(), "works for no tenant")

	var got string
	require.NoError(t, forA.QueryRow(`SELECT body FROM note`).Scan(&got))
	assert.Equal(t, schema(a), got)
	require.NoError(t, forA.Ping())
	tx, err := byContext.BeginTx(as(t, a), nil)
	require.NoError(t, err)
	require.NoError(t, tx.QueryRow(`SELECT body FROM note`).Scan(&got), "a transaction has its tenant")
	assert.Equal(t, schema(a), got)
	require.NoError(t, tx.Commit())
}

func TestATransactionRefusesAnotherTenantsContext(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.tenant(), w.tenant()
	db := openOn(t, w.pool(1))
	for name, db := range map[string]*sql.DB{"of the context": tenantsql.Open(db), "for one": tenantsql.OpenFor(db, a)} {
		closing(t, db)
		tx, err := db.BeginTx(as(t, a), nil)
		require.NoError(t, err, name)
		prepared, err := tx.PrepareContext(as(t, a), `SELECT body FROM note`)
		require.NoError(t, err, name)
		_, err = body(as(t, b), tx)
		require.ErrorIs(t, err, tenantsql.ErrOtherTenant, name)
		_, err = tx.ExecContext(as(t, b), `DELETE FROM note`)
		require.ErrorIs(t, err, tenantsql.ErrOtherTenant, name)
		_, err = tx.ExecContext(as(t, b), `SAVEPOINT x`)
		require.ErrorIs(t, err, tenantsql.ErrOtherTenant, name)
		_, err = prepared.ExecContext(as(t, b))
		require.ErrorIs(t, err, tenantsql.ErrOtherTenant, name)

		got, err := body(as(t, a), tx)
		require.NoError(t, err, "%s: the transaction goes on", name)
		assert.Equal(t, schema(a), got, name)
		require.NoError(t, tx.Commit(), name)
	}
}

func TestOpenNeedsADB(t *testing.T) {
	t.Parallel()
	require.ErrorContains(t, closing(t, tenantsql.Open(nil)).PingContext(t.Context()), "needs a *tenantdb.DB")
	_, err := closing(t, tenantsql.Open(nil)).Driver().Open("postgres://x")
	require.ErrorContains(t, err, "tenantsql.Open")
}
