package tenantsql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// Open is a *sql.DB on which each call is confined to the tenant that its context is for.
// A call without a context, such as [sql.DB.Query], is therefore refused with
// [tenant.ErrRequired], except within a transaction. Ping alone works for no tenant and
// asks then whether the server answers; with a tenant it asks whether that one is served.
//
// Close it when it is of no more use; db and its pool are not closed with it. When db is
// nil, all calls fail.
func Open(db *tenantdb.DB, opts ...Option) *sql.DB {
	return open(connector{db: db}, opts)
}

// OpenFor is a *sql.DB for one tenant, for work that has no request and for libraries that
// pass no context on. A context may be for the same tenant or for none, but not for another:
// that is [ErrOtherTenant].
//
// t is taken as it is now: who keeps the *sql.DB for long does not learn that the tenant
// has been suspended since, unless the contexts say so.
func OpenFor(db *tenantdb.DB, t tenant.Tenant, opts ...Option) *sql.DB {
	return open(connector{db: db, tenant: &t}, opts)
}

func open(c connector, opts []Option) *sql.DB {
	for _, opt := range opts {
		opt(&c)
	}
	return sql.OpenDB(&c)
}

// Option changes how statements are sent.
type Option func(*connector)

// WithExecMode chooses how statements are sent, in place of the DefaultQueryExecMode of
// the pool. [pgx.QueryExecModeExec] is for libraries that write values into the SQL, as
// bun does: each statement is a new one then, which would be described in a round trip of
// its own and remembered in vain. [pgx.QueryExecModeSimpleProtocol] is refused by each
// call, with [tenantdb.ErrSimpleProtocol].
func WithExecMode(mode pgx.QueryExecMode) Option {
	return func(c *connector) { c.mode = &mode }
}

// connector makes the "connections" of database/sql. Its fields do not change.
type connector struct {
	db     *tenantdb.DB
	tenant *tenant.Tenant     // of all calls; nil for the one of each call's context
	mode   *pgx.QueryExecMode // nil for the pool's
}

func (c *connector) Connect(context.Context) (driver.Conn, error) {
	if c.db == nil {
		return nil, errors.New("tenantsql: Open needs a *tenantdb.DB, and was given nil")
	}
	return &conn{connector: c}, nil
}

func (c *connector) Driver() driver.Driver { return refusal{} }

// session is what a call outside a transaction is made on. Whether its tenant may be
// worked for, and that there is one at all, is tenantdb's to say.
func (c *connector) session(ctx context.Context) (*tenantdb.Session, tenant.ID, error) {
	t, err := c.tenantOf(ctx)
	if err != nil {
		return nil, tenant.ID{}, err
	}
	return c.db.As(t), t.ID, nil
}

func (c *connector) tenantOf(ctx context.Context) (tenant.Tenant, error) {
	t, ok := tenant.FromContext(ctx)
	switch {
	case c.tenant == nil:
		return t, nil
	case !ok:
		return *c.tenant, nil
	case t.ID != c.tenant.ID:
		return tenant.Tenant{}, ErrOtherTenant
	}
	return t, nil // the same one, as a request has just looked it up
}

// arguments puts what pgx is to know before the arguments of a statement.
func (c *connector) arguments(named []driver.NamedValue) []any {
	args := make([]any, 0, 2+len(named))
	if c.mode != nil {
		args = append(args, *c.mode)
	}
	args = append(args, resultFormats)
	for _, arg := range named {
		args = append(args, arg.Value)
	}
	return args
}

// refusal is the driver that sql.DB.Driver returns. Connection strings name no tenant.
type refusal struct{}

func (refusal) Open(string) (driver.Conn, error) {
	return nil, errors.New("tenantsql: there is no connection string; use tenantsql.Open")
}
