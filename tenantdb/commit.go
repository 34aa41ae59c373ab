package tenantdb

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// checkStatement raises an error unless the session is in the role $1. The text that it
// can't read as a number stands in the error, and tells. All names have their schema,
// whatever the search path has become.
var checkStatement = pgconn.StatementDescription{
	Name:      "tenantwall_check",
	SQL:       `SELECT (CASE WHEN current_user::pg_catalog.text OPERATOR(pg_catalog.=) $1 THEN '1' ELSE '` + leftTenant + `' END)::int`,
	ParamOIDs: []uint32{pgtype.TextOID},
	Fields:    []pgconn.FieldDescription{{Name: "int4", DataTypeOID: pgtype.Int4OID}},
}

const commitSQL = "commit"

// commit ends a transaction in one round trip, with the check of its role in front. An
// error may leave it open.
//
// The check is kept prepared where it can be: parsed and planned each time, it would cost
// the server as much as all else that an empty transaction does. Where a statement of the
// transaction may have prepared another one of its name (lasting), it is sent without one.
func (x *exchange) commit(ctx context.Context, lasting bool) (err error) {
	var tag pgconn.CommandTag
	if tracer := x.c.tracer; tracer != nil {
		ctx = tracer.TraceQueryStart(ctx, x.c.Conn, pgx.TraceQueryStartData{SQL: commitSQL})
		defer func() { tracer.TraceQueryEnd(ctx, x.c.Conn, pgx.TraceQueryEndData{CommandTag: tag, Err: err}) }()
	}
	x.pipeline = x.c.PgConn().StartPipeline(ctx)
	if x.db.roles {
		x.sendCheck(!lasting && x.c.mode == pgx.QueryExecModeCacheStatement)
	}
	x.pipeline.SendQueryParams(commitSQL, nil, nil, nil, nil)
	if err := x.pipeline.Sync(); err != nil {
		return x.fail(err)
	}
	if tag, err = x.readLast(); err != nil {
		return x.fail(err)
	}
	if err := x.pipeline.Close(); err != nil {
		return err
	}
	if tag.String() == "ROLLBACK" {
		return pgx.ErrTxCommitRollback
	}
	return nil
}

func (x *exchange) sendCheck(named bool) {
	role := [][]byte{appendSchemaName(nil, x.tenant)}
	if !named {
		x.pipeline.SendQueryParams(checkStatement.SQL, role, checkStatement.ParamOIDs, nil, nil)
		return
	}
	if !x.c.checkable {
		x.pipeline.SendPrepare(checkStatement.Name, checkStatement.SQL, checkStatement.ParamOIDs)
	}
	x.pipeline.SendQueryStatement(&checkStatement, role, nil, nil)
}

// readLast reads all results, and returns the last one's tag.
func (x *exchange) readLast() (tag pgconn.CommandTag, err error) {
	for {
		results, err := x.pipeline.GetResults()
		if err != nil {
			return tag, err
		}
		switch results := results.(type) {
		case *pgconn.StatementDescription:
			x.c.checkable = true
		case *pgconn.ResultReader:
			if tag, err = results.Close(); err != nil {
				return tag, err
			}
		default: // the end
			return tag, nil
		}
	}
}
