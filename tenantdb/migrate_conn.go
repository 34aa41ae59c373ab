package tenantdb

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// migrationConn is a connection on which scripts run, one after the other. It is for one
// goroutine.
type migrationConn struct {
	pool *pgxpool.Pool
	conn *pgxpool.Conn // nil when there is none at the moment
	used int           // transactions
	ran  bool          // scripts
}

// maxUses is how many tenants one connection serves: its server process keeps what it has
// learned of each tenant's tables, some ten kilobytes a table.
const maxUses = 500

// get is the connection, a new one where the last is broken or worn out.
func (c *migrationConn) get(ctx context.Context) (*pgx.Conn, error) {
	if c.conn != nil && (c.used == maxUses || c.conn.Conn().IsClosed()) {
		c.release(ctx)
	}
	if c.conn == nil {
		conn, err := c.pool.Acquire(ctx)
		if err != nil {
			return nil, err
		}
		c.conn, c.used, c.ran = conn, 0, false
	}
	c.used++
	return c.conn.Conn(), nil
}

// apply brings one schema up to date in a transaction of its own.
func (c *migrationConn) apply(ctx context.Context, m *Migrations, l ledger, o applyOptions) ([]int64, error) {
	conn, err := c.get(ctx)
	if err != nil {
		return nil, err
	}
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadWrite})
	if err != nil {
		return nil, err
	}
	defer rollback(ctx, tx)
	applied, err := m.applyTo(ctx, tx, l, o)
	c.ran = c.ran || err != nil || len(applied) > 0
	if err != nil {
		return nil, err
	}
	if err := tx.Commit(ctx); err != nil { // a deferred constraint may fail here
		return nil, fmt.Errorf("tenantdb: migrate %s: %w", l, err)
	}
	return applied, nil
}

// release gives the connection back to the pool. One on which scripts have run is closed:
// what they have left behind on it is not to reach others.
func (c *migrationConn) release(ctx context.Context) {
	if c.conn == nil {
		return
	}
	if c.ran {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
		defer cancel()
		_ = c.conn.Conn().Close(ctx) // it is cut if it can't be closed in order
	}
	c.conn.Release()
	c.conn = nil
}
