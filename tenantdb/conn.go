package tenantdb

import (
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/tenantwall/tenantwall/internal/lru"
	"github.com/tenantwall/tenantwall/tenant"
)

// conn is a physical connection and what this package knows of it, for as long as it
// lives.
type conn struct {
	*pgx.Conn
	mode      pgx.QueryExecMode
	prepared  *lru.Cache[statementKey, *statement] // by name on this connection
	evicted   []string                             // names to be deallocated by the next exchange
	bindable  bool                                 // bindStatement is prepared
	checkable bool                                 // checkStatement is
	tracer    pgx.QueryTracer                      // of the connection's configuration, or nil

	// Room for the values of one exchange, for there is never a second one at the same time.
	builder pgx.ExtendedQueryBuilder
	role    []byte
	path    []byte
	binding [2][]byte
}

// customDataKey is this package's place in a connection's custom data.
const customDataKey = "github.com/tenantwall/tenantwall/tenantdb"

// connOf is what is known of a connection.
func connOf(c *pgx.Conn) *conn {
	data := c.PgConn().CustomData()
	if known, ok := data[customDataKey].(*conn); ok {
		return known
	}
	config := c.Config()
	known := &conn{Conn: c, mode: config.DefaultQueryExecMode}
	if known.mode == pgx.QueryExecModeCacheStatement && config.StatementCacheCapacity == 0 {
		known.mode = pgx.QueryExecModeCacheDescribe
	}
	known.prepared = lru.New[statementKey, *statement](config.StatementCacheCapacity)
	known.tracer = config.Tracer
	data[customDataKey] = known
	return known
}

// keep notes that st is prepared on the connection.
func (c *conn) keep(st *statement) {
	if gone, evicted := c.prepared.Put(st.key, st); evicted {
		c.evicted = append(c.evicted, gone.Name)
	}
}

// drop forgets a statement, which the next exchange deallocates. It need not be there.
func (c *conn) drop(key statementKey) {
	c.prepared.Delete(key)
	c.evicted = append(c.evicted, statementName(key))
}

// bindStatement confines the transaction in which it runs, and it alone, to a role and a
// search path. The role comes first, so that the path is set by a session that may no
// longer do anything else. pg_temp is named, at the end, for otherwise it would be
// searched first (PostgreSQL documentation, 5.9.3 and 20.11.1).
var bindStatement = pgconn.StatementDescription{
	Name:      "tenantwall_bind",
	SQL:       `SELECT pg_catalog.set_config('role', $1, true), pg_catalog.set_config('search_path', $2, true)`,
	ParamOIDs: []uint32{pgtype.TextOID, pgtype.TextOID},
	Fields:    []pgconn.FieldDescription{{Name: "set_config", DataTypeOID: pgtype.TextOID}, {Name: "set_config", DataTypeOID: pgtype.TextOID}},
}

// bindValues are the values of bindStatement for a tenant, good until the next call.
func (c *conn) bindValues(id tenant.ID, roles bool) [][]byte {
	c.role = append(c.role[:0], "none"...)
	if roles {
		c.role = appendSchemaName(c.role[:0], id)
	}
	c.path = appendSearchPath(c.path[:0], id)
	c.binding = [2][]byte{c.role, c.path}
	return c.binding[:]
}

func appendSearchPath(b []byte, id tenant.ID) []byte {
	b = append(b, '"')
	b = appendSchemaName(b, id)
	return append(b, `", pg_temp`...)
}
