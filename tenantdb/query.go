package tenantdb

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/tenantwall/tenantwall/tenant"
)

// query is one statement of an exchange: as the caller gave it, and as it is sent.
type query struct {
	sql          string
	args         []any
	mode         pgx.QueryExecMode
	formats      pgx.QueryResultFormats
	formatsByOID pgx.QueryResultFormatsByOID
	verb         verb
	st           *statement // nil in QueryExecModeExec, which needs none
	values       *pgx.ExtendedQueryBuilder
	fresh        bool // new on the connection: its columns are asked for, they may be others by now
	parse        bool // its Parse travels in the same exchange, with a result of its own
}

// newQuery takes the options off the arguments, as pgx does.
func newQuery(ctx context.Context, c *conn, sql string, args []any) (query, error) {
	q := query{sql: sql, args: args, mode: c.mode}
	var rewriter pgx.QueryRewriter
options:
	for len(q.args) > 0 {
		switch arg := q.args[0].(type) {
		case pgx.QueryResultFormats:
			q.formats = arg
		case pgx.QueryResultFormatsByOID:
			q.formatsByOID = arg
		case pgx.QueryExecMode:
			q.mode = arg
		case pgx.QueryRewriter:
			rewriter = arg
		default:
			break options
		}
		q.args = q.args[1:]
	}
	if rewriter != nil {
		var err error
		if q.sql, q.args, err = rewriter.RewriteQuery(ctx, c.Conn, q.sql, q.args); err != nil {
			return q, fmt.Errorf("rewrite query failed: %w", err)
		}
	}
	switch q.mode {
	case pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec:
	case pgx.QueryExecModeSimpleProtocol:
		return q, ErrSimpleProtocol
	default:
		return q, fmt.Errorf("tenantdb: unknown query exec mode %v", q.mode)
	}
	if q.mode == pgx.QueryExecModeCacheStatement && c.mode == pgx.QueryExecModeCacheDescribe {
		q.mode = c.mode // the connection has no room for names
	}
	if q.verb = verbOf(q.sql); q.verb == control {
		return q, ErrTransactionControl
	}
	if q.verb != plain && len(q.args) == 0 {
		q.mode = pgx.QueryExecModeExec // to describe it would cost a trip and tell nothing
	}
	return q, nil
}

// named reports whether the statement is prepared under a name.
func (q *query) named() bool { return q.mode == pgx.QueryExecModeCacheStatement }

// find looks for what is known of the statement, and reports whether that is enough.
func (q *query) find(db *DB, c *conn, id tenant.ID) bool {
	if q.mode == pgx.QueryExecModeExec {
		return true
	}
	key := statementKey{tenant: id, sql: q.sql}
	if q.named() {
		if st, ok := c.prepared.Get(key); ok {
			q.st = st
			return true
		}
	}
	q.st = db.statements.get(key)
	q.fresh = q.named() && q.st != nil
	q.parse = q.fresh
	return q.st != nil
}

// encode makes the arguments ready to be sent. It comes before the exchange is begun,
// which an argument that can't be encoded would leave half said.
func (q *query) encode(c *conn, into *pgx.ExtendedQueryBuilder) error {
	q.values = into
	if q.st == nil {
		return into.Build(c.TypeMap(), nil, q.args)
	}
	if len(q.st.ParamOIDs) != len(q.args) {
		return fmt.Errorf("expected %d arguments, got %d", len(q.st.ParamOIDs), len(q.args))
	}
	if err := into.Build(c.TypeMap(), &q.st.StatementDescription, q.args); err != nil {
		return err
	}
	switch {
	case q.formatsByOID != nil:
		into.ResultFormats = into.ResultFormats[:0]
		for _, field := range q.st.Fields {
			into.ResultFormats = append(into.ResultFormats, q.formatsByOID[field.DataTypeOID])
		}
	case q.formats != nil:
		into.ResultFormats = q.formats
	}
	return nil
}
