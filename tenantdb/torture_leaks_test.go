package tenantdb_test

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// leakySessions bind as tenantdb must not. They bring the pool behind them.
var leakySessions = map[string]func(x *torture) (sessions, *pgxpool.Pool){
	// The connections of the pool lead to some tenant, as they do when somebody has set the
	// path of a login or in a connection string.
	"nothing is bound": func(x *torture) (sessions, *pgxpool.Pool) {
		pool := x.pool(x.gatewayURL(), 8, func(c *pgxpool.Config) {
			c.ConnConfig.RuntimeParams["search_path"] = fmt.Sprintf("%q", x.schema(x.tenants[0]))
		})
		return leaky{pool: pool}, pool
	},
	"SET for each use": func(x *torture) (sessions, *pgxpool.Pool) {
		pool := x.pool(x.gatewayURL(), 8)
		return leaky{pool: pool, before: setSession}, pool
	},
	"SET and RESET behind a pooler": func(x *torture) (sessions, *pgxpool.Pool) {
		pool := x.pool(x.poolerURL(2), 8, func(c *pgxpool.Config) { c.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec })
		return leaky{pool: pool, before: setSession, after: func(ctx context.Context, conn *pgx.Conn) {
			_, _ = conn.Exec(ctx, `RESET ROLE; RESET search_path`)
		}}, pool
	},
}

func setSession(ctx context.Context, conn *pgx.Conn, schema string) error {
	_, err := conn.Exec(ctx, fmt.Sprintf(`SET ROLE %[1]q; SET search_path = %[1]q`, schema))
	return err
}

// leaky is a pool whose connections are set before they are used, and reset after it.
type leaky struct {
	pool   *pgxpool.Pool
	before func(ctx context.Context, conn *pgx.Conn, schema string) error
	after  func(ctx context.Context, conn *pgx.Conn)
}

// on calls use with a connection for the context's tenant.
func (l leaky) on(ctx context.Context, use func(*pgx.Conn) error) error {
	who, ok := tenant.FromContext(ctx)
	if !ok || who.ID.IsZero() {
		return tenant.ErrRequired
	}
	lease, err := l.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer lease.Release()
	if l.after != nil {
		defer l.after(ctx, lease.Conn())
	}
	if l.before != nil {
		if err := l.before(ctx, lease.Conn(), tenantdb.SchemaName(who.ID)); err != nil {
			return err
		}
	}
	return use(lease.Conn())
}

func (l leaky) Exec(ctx context.Context, sql string, args ...any) (tag pgconn.CommandTag, err error) {
	err = l.on(ctx, func(conn *pgx.Conn) error { tag, err = conn.Exec(ctx, sql, args...); return err })
	return tag, err
}

// Query reads all rows before it gives the connection back.
func (l leaky) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	var all *marks
	err := l.on(ctx, func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		list, err := pgx.CollectRows(rows, pgx.RowTo[string])
		all = &marks{list: list}
		return err
	})
	return all, err
}

func (l leaky) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	rows, err := l.Query(ctx, sql, args...)
	return oneMark{rows, err}
}

func (l leaky) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	return batchEnd{err: l.on(ctx, func(conn *pgx.Conn) error { return conn.SendBatch(ctx, b).Close() })}
}

// batchEnd are the results of a batch that is read to its end.
type batchEnd struct {
	pgx.BatchResults
	err error
}

func (b batchEnd) Close() error { return b.err }

func (l leaky) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, src pgx.CopyFromSource) (n int64, err error) {
	err = l.on(ctx, func(conn *pgx.Conn) error { n, err = conn.CopyFrom(ctx, table, columns, src); return err })
	return n, err
}

func (l leaky) InTx(ctx context.Context, fn func(context.Context, pgx.Tx) error) error {
	return l.on(ctx, func(conn *pgx.Conn) error {
		return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return fn(ctx, tx) })
	})
}

// Begin is not what these are about.
func (l leaky) Begin(context.Context) (pgx.Tx, error) { return nil, pgx.ErrTxClosed }

// marks are rows of one text.
type marks struct {
	pgx.Rows
	list []string
	next int
}

func (m *marks) Next() bool { m.next++; return m.next <= len(m.list) }
func (m *marks) Close()     {}
func (m *marks) Err() error { return nil }
func (m *marks) Scan(dest ...any) error {
	*dest[0].(*string) = m.list[m.next-1]
	return nil
}

type oneMark struct {
	rows pgx.Rows
	err  error
}

func (o oneMark) Scan(dest ...any) error {
	if o.err != nil {
		return o.err
	}
	if !o.rows.Next() {
		return pgx.ErrNoRows
	}
	return o.rows.Scan(dest...)
}
