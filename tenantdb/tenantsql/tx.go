package tenantsql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/tenantwall/tenantwall/tenant"
)

// tx is a conn's transaction, which has a connection of the pool to itself until its end.
type tx struct {
	pgx.Tx
	conn       *conn
	ctx        context.Context //nolint:containedctx // of BEGIN, and so of COMMIT: driver.Tx is given none
	tenant     tenant.ID
	savepoints []savepoint
}

// errInTx refuses a second transaction on a sql.Conn.
var errInTx = errors.New("tenantsql: a transaction is open on this connection; end it first, or use SAVEPOINT in it")

func (c *conn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

func (c *conn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	if c.tx != nil {
		return nil, errInTx
	}
	options, err := txOptions(o)
	if err != nil {
		return nil, err
	}
	session, id, err := c.session(ctx)
	if err != nil {
		return nil, err
	}
	begun, err := session.BeginTx(ctx, options)
	if err != nil {
		return nil, err
	}
	c.tx = &tx{Tx: begun, conn: c, ctx: ctx, tenant: id}
	return c.tx, nil
}

// txOptions are PostgreSQL's (documentation, 13.2). Its REPEATABLE READ is what others call
// snapshot isolation.
func txOptions(o driver.TxOptions) (options pgx.TxOptions, err error) {
	switch level := sql.IsolationLevel(o.Isolation); level {
	case sql.LevelDefault:
	case sql.LevelReadUncommitted:
		options.IsoLevel = pgx.ReadUncommitted
	case sql.LevelReadCommitted:
		options.IsoLevel = pgx.ReadCommitted
	case sql.LevelRepeatableRead, sql.LevelSnapshot:
		options.IsoLevel = pgx.RepeatableRead
	case sql.LevelSerializable:
		options.IsoLevel = pgx.Serializable
	case sql.LevelWriteCommitted, sql.LevelLinearizable:
		fallthrough
	default:
		return options, fmt.Errorf("tenantsql: PostgreSQL has no isolation level %s: %w", level, errors.ErrUnsupported)
	}
	if o.ReadOnly {
		options.AccessMode = pgx.ReadOnly
	}
	return options, nil
}

// Commit commits; after a statement that failed it rolls back, and says so.
func (t *tx) Commit() error {
	t.conn.tx = nil
	return t.Tx.Commit(t.ctx)
}

// Rollback works when the context is over, too: tenantdb sees to it.
func (t *tx) Rollback() error {
	t.conn.tx = nil
	return t.Tx.Rollback(t.ctx)
}
