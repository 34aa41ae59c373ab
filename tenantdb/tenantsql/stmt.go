package tenantsql

import (
	"context"
	"database/sql/driver"
	"errors"
)

// stmt is SQL that is run again and again.
type stmt struct {
	conn *conn
	sql  string
}

var (
	_ driver.StmtExecContext  = (*stmt)(nil)
	_ driver.StmtQueryContext = (*stmt)(nil)
)

// NumInput says that the number of parameters is not known; the server counts.
func (s *stmt) NumInput() int { return -1 }

func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.conn.QueryContext(ctx, s.sql, args)
}

func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.conn.ExecContext(ctx, s.sql, args)
}

func (s *stmt) Close() error { return nil }

// errNoContext is for the methods of [driver.Stmt] that database/sql does not call on a
// statement which has those with a context.
var errNoContext = errors.New("tenantsql: a statement is run with a context")

func (s *stmt) Query([]driver.Value) (driver.Rows, error)  { return nil, errNoContext }
func (s *stmt) Exec([]driver.Value) (driver.Result, error) { return nil, errNoContext }
