package tenantsql_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/wire"
	"github.com/tenantwall/tenantwall/tenantdb"
	"github.com/tenantwall/tenantwall/tenantdb/tenantsql"
)

func TestRoundTrips(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.tenant(), w.tenant()
	proxy := wire.NewProxy(t, w.url)
	core := openOn(t, w.pool(1, proxy.URL))
	db := closing(t, tenantsql.Open(core))
	ctx := as(t, a)
	count := func(what string, want int, fn func() error) {
		t.Helper()
		proxy.Reset()
		require.NoError(t, fn(), what)
		assert.Equal(t, want, proxy.Stats().RoundTrips, what)
	}
	query := func() error { _, err := body(ctx, db); return err }
	write := func() error {
		_, err := db.ExecContext(ctx, `UPDATE note SET body = $1 WHERE id = $2`, "x", 99)
		return err
	}
	count("the first use of a statement", 2, query)
	count("a query", 1, query)
	count("a query of another tenant, first", 2, func() error { _, err := body(as(t, b), db); return err })
	count("a write, first", 2, write)
	count("a write", 1, write)
	count("a write without arguments, first", 1, func() error {
		_, err := db.ExecContext(ctx, `DELETE FROM note WHERE id = 77`)
		return err
	})
	for _, n := range []int{0, 1, 5} {
		count(fmt.Sprintf("a transaction of %d", n), n+2, func() error {
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			for range n {
				if _, err := body(ctx, tx); err != nil {
					return errors.Join(err, tx.Rollback())
				}
			}
			return tx.Commit()
		})
	}
	count("a savepoint, set and released", 4, func() error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		_, set := tx.ExecContext(ctx, `SAVEPOINT x`)
		_, released := tx.ExecContext(ctx, `RELEASE SAVEPOINT x`)
		return errors.Join(set, released, tx.Commit())
	})
	count("preparing and closing", 0, func() error {
		prepared, err := db.PrepareContext(ctx, `SELECT body FROM note WHERE id = $1`)
		return errors.Join(err, prepared.Close())
	})
	count("a prepared statement, known before", 1, func() error {
		prepared, err := db.PrepareContext(ctx, `SELECT body FROM note WHERE id = $1`)
		if err != nil {
			return err
		}
		var s string
		return errors.Join(prepared.QueryRowContext(ctx, 1).Scan(&s), prepared.Close())
	})
	count("a ping", 1, func() error { return db.PingContext(ctx) })
	count("a ping for no tenant", 1, func() error { return db.PingContext(t.Context()) })

	asExec := closing(t, tenantsql.Open(core, tenantsql.WithExecMode(pgx.QueryExecModeExec)))
	for i := range 3 { // as libraries do that write values into the SQL
		count("new SQL each time, in exec mode", 1, func() error {
			var s string
			return asExec.QueryRowContext(ctx, fmt.Sprintf(`SELECT body FROM note WHERE id = 1 AND %d = %[1]d`, i)).Scan(&s)
		})
	}
}

func TestTheSimpleProtocolIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	db := closing(t, tenantsql.Open(openOn(t, w.pool(1)), tenantsql.WithExecMode(pgx.QueryExecModeSimpleProtocol)))
	_, err := db.ExecContext(as(t, w.tenant()), `SELECT 1`)
	require.ErrorIs(t, err, tenantdb.ErrSimpleProtocol)
}
