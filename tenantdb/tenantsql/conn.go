package tenantsql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tenantwall/tenantwall/tenant"
)

// conn is a connection to database/sql, and nothing to the server: each statement takes a
// connection of tenantdb's pool and gives it back confined to nobody. So there is nothing
// that the next user of a conn could inherit. In a transaction alone does it hold on to
// one. It is used by one goroutine at a time, which database/sql sees to.
type conn struct {
	*connector
	tx *tx // nil outside a transaction
}

var (
	_ driver.ConnBeginTx        = (*conn)(nil)
	_ driver.ConnPrepareContext = (*conn)(nil)
	_ driver.ExecerContext      = (*conn)(nil)
	_ driver.NamedValueChecker  = (*conn)(nil)
	_ driver.Pinger             = (*conn)(nil)
	_ driver.QueryerContext     = (*conn)(nil)
	_ driver.SessionResetter    = (*conn)(nil)
	_ driver.Validator          = (*conn)(nil)
)

// statements runs statements: a session or a transaction of tenantdb.
type statements interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// on is what a call is made on. A transaction has its tenant, so a context without one is
// all right in it.
func (c *conn) on(ctx context.Context) (statements, error) {
	if c.tx == nil {
		session, _, err := c.session(ctx)
		return session, err
	}
	if t, ok := tenant.FromContext(ctx); ok && t.ID != c.tx.tenant {
		return nil, ErrOtherTenant
	}
	return c.tx.Tx, nil
}

func (c *conn) QueryContext(ctx context.Context, sql string, args []driver.NamedValue) (driver.Rows, error) {
	on, err := c.on(ctx)
	if err != nil {
		return nil, err
	}
	found, err := on.Query(ctx, sql, c.arguments(args)...)
	if err != nil {
		return nil, err
	}
	return newRows(found)
}

func (c *conn) ExecContext(ctx context.Context, sql string, args []driver.NamedValue) (driver.Result, error) {
	on, err := c.on(ctx)
	if err != nil {
		return nil, err
	}
	if c.tx != nil {
		if s, ok := parseSavepoint(sql); ok {
			return driver.ResultNoRows, c.tx.savepoint(ctx, s)
		}
	}
	tag, err := on.Exec(ctx, sql, c.arguments(args)...)
	if err != nil {
		return nil, err
	}
	return driver.RowsAffected(tag.RowsAffected()), nil
}

// CheckNamedValue lets every type through that pgx can send.
func (c *conn) CheckNamedValue(arg *driver.NamedValue) error {
	if arg.Name != "" {
		return fmt.Errorf("tenantsql: sql.Named(%q, …): PostgreSQL's parameters are $1, $2, …; pgx.NamedArgs as the only argument brings @%[1]s: %w", arg.Name, errors.ErrUnsupported)
	}
	return nil
}

func (c *conn) Ping(ctx context.Context) error {
	if _, ok := tenant.FromContext(ctx); !ok && c.tenant == nil && c.tx == nil {
		return c.db.Ping(ctx)
	}
	_, err := c.ExecContext(ctx, `SELECT`, nil)
	return err
}

func (c *conn) Prepare(sql string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), sql)
}

// PrepareContext sends nothing. Which statement the SQL is depends on the tenant for whom
// it is run; tenantdb keeps it prepared for each.
func (c *conn) PrepareContext(_ context.Context, sql string) (driver.Stmt, error) {
	return &stmt{conn: c, sql: sql}, nil
}

// ResetSession is asked before a conn is used again.
func (c *conn) ResetSession(context.Context) error {
	if c.tx != nil {
		return driver.ErrBadConn
	}
	return nil
}

// IsValid is asked before a conn is kept.
func (c *conn) IsValid() bool { return c.tx == nil }

// Close ends a transaction that nobody has ended.
func (c *conn) Close() error {
	if c.tx != nil {
		return c.tx.Rollback()
	}
	return nil
}
