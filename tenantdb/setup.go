package tenantdb

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// The names that [Roles] has when they are empty.
const (
	DefaultGateway = "tenantwall_gateway"
	DefaultControl = "tenantwall_control"
)

// ControlSchema is the schema of the control plane: the catalog, memberships, keys. Its
// owner is the control role, and no tenant's session can reach it.
const ControlSchema = "tenantwall"

// Roles are the two logins that a service has. Roles belong to the whole server and not to
// one database: services that share a server each need names of their own.
type Roles struct {
	// Gateway is the login of tenants' sessions, see [Open]; empty means
	// [DefaultGateway]. It can do nothing but become one tenant at a time.
	Gateway string

	// GatewayPassword is set when it is not empty; else a password that the role has
	// stays. It consists of printable ASCII, up to [MaxPasswordLen] characters. Only what
	// proves it (a SCRAM verifier) is sent to the server, so it is in none of its logs.
	GatewayPassword string

	// Control is the login of the control plane, see [OpenCatalog]; empty means
	// [DefaultControl]. It makes and owns the tenants' schemas. On PostgreSQL 15 its
	// attribute CREATEROLE is power over all roles that are not superusers, so its
	// password is to be kept like the owner's; from 16 on it reaches only over roles that
	// it made.
	Control string

	// ControlPassword is as GatewayPassword.
	ControlPassword string
}

// SetupOption is an option of [Setup].
type SetupOption func(*setupOptions)

type setupOptions struct {
	unrevokedSetConfig bool
}

// AcceptUnrevokedSetConfig lets [Setup] succeed where the right to call set_config can't
// be taken from PUBLIC, as on managed PostgreSQL, whose customers don't own pg_catalog.
// What it costs: SQL that is injected into a single SELECT can become another tenant.
// [Open] needs [WithUnrevokedSetConfig] then.
func AcceptUnrevokedSetConfig() SetupOption {
	return func(o *setupOptions) { o.unrevokedSetConfig = true }
}

// Setup prepares a database for tenants, once and on the connection of an owner: a
// superuser, or the owner of the database who may create roles. Neither a [DB] nor a
// [Catalog] needs the owner afterwards.
//
// It makes the two logins of roles and the schema [ControlSchema], gives each login what
// it needs, and takes from PUBLIC what lets one tenant reach another: the function
// set_config, making temporary tables and schemas in this database, the schema public, the
// languages of DO, and the function behind the view pg_prepared_statements. Other programs
// that use the database with roles of their own lose these too.
//
// It may be called again, also at the same time by several processes: what is as it should
// be stays. Another gateway is made by calling it again with the name. A login that exists
// with powers that none of the two may have (superuser, BYPASSRLS, and the like) is
// refused, and so is a schema [ControlSchema] of another owner.
//
// All of it is one transaction, which is committed also when something could not be
// mended with the rights that conn has. What is missing then is the [*AuditError].
func Setup(ctx context.Context, conn *pgx.Conn, roles Roles, opts ...SetupOption) error {
	if err := setup(ctx, conn, roles, opts); err != nil {
		return fmt.Errorf("tenantdb: set up: %w", err)
	}
	return nil
}

func setup(ctx context.Context, conn *pgx.Conn, roles Roles, opts []SetupOption) error {
	var o setupOptions
	for _, opt := range opts {
		opt(&o)
	}
	if conn == nil {
		return errors.New("conn is nil: it needs a connection of the database's owner")
	}
	if conn.PgConn().TxStatus() != 'I' {
		return errors.New("conn is inside a transaction: Setup begins its own")
	}
	gateway, control, err := roles.logins()
	if err != nil {
		return err
	}
	// Roles are shared by all databases of the server, where the lock of one database's
	// Setup does not reach: there the other is noticed by its conflict.
	for attempt := 1; ; attempt++ {
		err := setupOnce(ctx, conn, gateway, control, o)
		if attempt == setupAttempts || !concurrentChange(err) && !isCode(err, codeDuplicateObject) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(rand.N(setupPause)):
		}
	}
}

const (
	setupAttempts = 20
	setupPause    = 100 * time.Millisecond
)

func setupOnce(ctx context.Context, conn *pgx.Conn, gateway, control login, o setupOptions) error {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer rollback(ctx, tx)
	s := setupTx{tx: tx, gateway: gateway, control: control}
	if err := s.run(ctx); err != nil {
		return err
	}
	findings, err := auditRole(ctx, tx, gateway.name, auditOptions{unrevokedSetConfig: o.unrevokedSetConfig})
	if err != nil {
		return err
	}
	if err := tx.Commit(ctx); err != nil {
		return err
	}
	return auditError(findings)
}

// rollback ends a transaction that may be over already, with a context of its own: the
// caller's may be what ended the work.
func rollback(ctx context.Context, tx pgx.Tx) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	_ = tx.Rollback(ctx) // a connection on which this fails is closed by pgx
}

// concurrentChange reports whether err is that of a statement which met another one that
// changed the same role or grant. The system catalogs have no locks to wait on there.
func concurrentChange(err error) bool {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return false
	}
	switch pgErr.Code {
	case codeUniqueViolation: // of a system catalog: the role or schema was just made
		return pgErr.SchemaName == "pg_catalog"
	case codeInternalError:
		return pgErr.Message == "tuple concurrently updated" || pgErr.Message == "tuple concurrently deleted"
	}
	return false
}

// SQLSTATE codes besides those of errors.go: first those with which system catalogs answer
// two changes at once.
const (
	codeUniqueViolation = "23505"
	codeDuplicateObject = "42710"
	codeDuplicateSchema = "42P06"
	codeInternalError   = "XX000"

	codeDependentObjects = "2BP01"
	codeOutOfMemory      = "53200" // of locks, above all
)

func isCode(err error, code string) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == code
}
