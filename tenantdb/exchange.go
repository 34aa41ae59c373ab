package tenantdb

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tenantwall/tenantwall/tenant"
)

// exchange is one round trip on one connection:
//
//	Close of names no longer wanted · bind · Parse if it is new here · Bind, Execute · check … · Sync
//
// All of it is one implicit transaction (PostgreSQL documentation, 55.2.3): the binding
// ends with it, and what a check refuses is undone. Within a transaction that is bound
// already there is no bind.
type exchange struct {
	db       *DB
	c        *conn
	tenant   tenant.ID
	bound    bool // the connection is in a transaction of this tenant's
	pipeline *pgconn.Pipeline

	described  bool // an exchange of its own has described statements for this one
	closes     int  // names deallocated
	bindParsed bool // the bind statement was prepared
	checked    bool // there is a check among the statements
	unread     bool // one is behind the statement whose result was handed out last
}

// open sends the exchange up to the statements, in one burst with them: nothing leaves
// before [exchange.sync].
func (x *exchange) open(ctx context.Context) {
	x.pipeline = x.c.PgConn().StartPipeline(ctx)
	x.closes, x.bindParsed, x.checked, x.unread = 0, false, false, false
	if !x.described { // a name that made room for another one of this exchange is needed by it
		x.closes = len(x.c.evicted)
		for _, name := range x.c.evicted {
			x.pipeline.SendDeallocate(name)
		}
	}
	if x.bound {
		return
	}
	values := x.c.bindValues(x.tenant, x.db.roles)
	if x.c.mode != pgx.QueryExecModeCacheStatement {
		x.pipeline.SendQueryParams(bindStatement.SQL, values, bindStatement.ParamOIDs, nil, nil)
		return
	}
	if !x.c.bindable {
		x.bindParsed = true
		x.pipeline.SendPrepare(bindStatement.Name, bindStatement.SQL, bindStatement.ParamOIDs)
	}
	x.pipeline.SendQueryStatement(&bindStatement, values, nil, nil)
}

// sync sends what was queued and reads the results of what open queued.
func (x *exchange) sync() error {
	if err := x.pipeline.Sync(); err != nil {
		return x.fail(err)
	}
	for range x.closes {
		if _, err := x.pipeline.GetResults(); err != nil {
			return x.fail(err)
		}
	}
	x.c.evicted = slices.Delete(x.c.evicted, 0, x.closes)
	if x.bound {
		return nil
	}
	if err := x.readBind(); err != nil {
		return x.fail(x.explainBind(err))
	}
	return nil
}

func (x *exchange) readBind() error {
	if x.bindParsed {
		if _, err := x.pipeline.GetResults(); err != nil {
			return err
		}
		x.c.bindable = true
	}
	return x.readAll()
}

// readAll reads a result to its end.
func (x *exchange) readAll() error {
	results, err := x.pipeline.GetResults()
	if err != nil {
		return err
	}
	if reader, ok := results.(*pgconn.ResultReader); ok {
		_, err = reader.Close()
	}
	return err
}

// fail ends an exchange that went wrong before the caller got any result.
func (x *exchange) fail(err error) error {
	_ = x.pipeline.Close() // what it says is err, or follows from it
	return err
}

// explainBind says what a refusal of the bind means.
func (x *exchange) explainBind(err error) error {
	var pgErr *pgconn.PgError
	switch {
	case !errors.As(err, &pgErr):
		return err
	case isPoisoned(err):
		return errPoisoned
	case pgErr.Code == codeInsufficientPrivilege, pgErr.Code == codeInvalidParameter:
		return fmt.Errorf("tenantdb: tenant %s has no role here, or the gateway is not a member of it: %w", x.tenant, err)
	case isStale(err):
		x.c.bindable = false
		return fmt.Errorf("tenantdb: prepared statements are lost between this process and the server; behind a pooler that does not know them set default_query_exec_mode=cache_describe: %w", err)
	}
	return fmt.Errorf("tenantdb: bind to tenant %s: %w", x.tenant, err)
}

// describe learns of the statements that are not known yet, all in one round trip, and
// prepares those that get a name.
func (x *exchange) describe(ctx context.Context, queries []query) error {
	unknown := make([]*query, 0, 1)
	for i := range queries {
		if q := &queries[i]; !q.find(x.db, x.c, x.tenant) {
			unknown = append(unknown, q)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	x.open(ctx)
	type form struct {
		sql   string
		named bool
	}
	seen := make(map[form]*query, len(unknown))
	for _, q := range unknown {
		if f := (form{q.sql, q.named()}); seen[f] == nil {
			seen[f] = q
			x.pipeline.SendPrepare(q.statementName(x.tenant), q.sql, nil)
		}
	}
	if err := x.sync(); err != nil {
		return err
	}
	for i, q := range unknown {
		if seen[form{q.sql, q.named()}] != q {
			continue
		}
		sd, err := x.description()
		if err != nil {
			for _, q := range unknown[i:] { // prepared or not: who knows
				x.forget(q)
			}
			return x.fail(err)
		}
		x.learn(q, sd)
	}
	for _, q := range unknown {
		q.st = seen[form{q.sql, q.named()}].st
	}
	x.described = true
	return x.pipeline.Close()
}

// description is the next result, which is a statement's description.
func (x *exchange) description() (*pgconn.StatementDescription, error) {
	results, err := x.pipeline.GetResults()
	if err != nil {
		return nil, err
	}
	sd, ok := results.(*pgconn.StatementDescription)
	if !ok {
		return nil, fmt.Errorf("tenantdb: expected a statement's description, got %T", results)
	}
	return sd, nil
}

// statementName is the name to prepare a statement under: none for one that is not kept.
func (q *query) statementName(id tenant.ID) string {
	if !q.named() {
		return ""
	}
	return statementName(statementKey{tenant: id, sql: q.sql})
}

// learn takes down what the server said of a statement.
func (x *exchange) learn(q *query, sd *pgconn.StatementDescription) {
	key := statementKey{tenant: x.tenant, sql: q.sql}
	q.st = newStatement(key, sd, x.db.statements.now())
	x.db.statements.put(q.st)
	if q.named() {
		x.c.keep(q.st)
	}
}

// queue adds a statement whose arguments are encoded, and right behind one that may change
// the role the check of it: nothing is executed for anybody else, not in a batch and not in
// a transaction. The check is sent without a name, which such a statement could have taken.
func (x *exchange) queue(q *query) {
	x.send(q)
	if x.checks(q) {
		x.checked = true
		x.c.role = appendSchemaName(x.c.role[:0], x.tenant)
		x.pipeline.SendQueryParams(checkStatement.SQL, [][]byte{x.c.role}, checkStatement.ParamOIDs, nil, nil)
	}
}

// checks reports whether a statement may change the role of its session.
func (x *exchange) checks(q *query) bool { return q.verb == lasting && x.db.roles }

func (x *exchange) send(q *query) {
	v := q.values
	switch {
	case q.st == nil:
		x.pipeline.SendQueryParams(q.sql, v.ParamValues, nil, v.ParamFormats, q.formats)
	case !q.named():
		x.pipeline.SendQueryParams(q.sql, v.ParamValues, q.st.ParamOIDs, v.ParamFormats, v.ResultFormats)
	case q.fresh:
		if q.parse {
			// The types of the parameters are told, for the values are encoded in them.
			x.pipeline.SendPrepare(q.st.Name, q.sql, q.st.ParamOIDs)
		}
		x.pipeline.SendQueryPrepared(q.st.Name, v.ParamValues, v.ParamFormats, v.ResultFormats)
	default:
		x.pipeline.SendQueryStatement(&q.st.StatementDescription, v.ParamValues, v.ParamFormats, v.ResultFormats)
	}
}

// result is the next statement's. The check behind the one before it comes first.
func (x *exchange) result(q *query) (*pgconn.ResultReader, error) {
	if x.unread {
		x.unread = false
		if err := x.readAll(); err != nil {
			return nil, x.countLeft(err)
		}
	}
	if q.parse {
		sd, err := x.description()
		if err != nil {
			return nil, x.explain(q, err)
		}
		if q.st.sameColumns(sd) {
			x.c.keep(q.st)
		} else {
			x.learn(q, sd)
		}
	}
	results, err := x.pipeline.GetResults()
	if err != nil {
		return nil, x.explain(q, err)
	}
	reader, ok := results.(*pgconn.ResultReader)
	if !ok {
		return nil, fmt.Errorf("tenantdb: expected a result, got %T", results)
	}
	x.unread = x.checks(q)
	return reader, nil
}

// explain forgets a statement that proved stale.
func (x *exchange) explain(q *query, err error) error {
	if isStale(err) {
		x.forget(q)
	}
	return err
}

func (x *exchange) forget(q *query) {
	key := statementKey{tenant: x.tenant, sql: q.sql}
	x.db.statements.forget(key)
	if q.named() {
		x.c.drop(key)
	}
}

// abandon makes sure that no name is left on the connection by statements whose results
// nobody will read: whether they were prepared is not known then.
func (x *exchange) abandon(queries []query) {
	for i := range queries {
		if q := &queries[i]; q.parse {
			x.c.drop(q.st.key)
		}
	}
}

// finish reads what is left and ends the implicit transaction. Its error is the first one
// that was met; a deferred constraint, for one, is only looked at here.
func (x *exchange) finish() error {
	err := x.pipeline.Close()
	if !x.checked {
		return err
	}
	return x.countLeft(err)
}

// countLeft is what the caller is told of a check's refusal, which it counts; any other
// error stays as it is.
func (x *exchange) countLeft(err error) error {
	if !isLeftTenant(err) {
		return err
	}
	x.db.left.Add(1)
	return ErrLeftTenant
}
