package tenantdb

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

var (
	// ErrLeftTenant says that a statement changed the role of its session. What it did is
	// rolled back, and its connection closed.
	ErrLeftTenant = errors.New("tenantdb: the statement left its tenant: it changed the role of the session; nothing of it was kept")

	// ErrTransactionControl refuses BEGIN, COMMIT, ROLLBACK, SAVEPOINT and their like as
	// statements. Use [DB.InTx], [DB.Begin], and [pgx.Tx] for savepoints.
	ErrTransactionControl = errors.New("tenantdb: transaction control as a statement; use InTx or Begin, and the transaction's own Begin for a savepoint")

	// ErrSimpleProtocol refuses [pgx.QueryExecModeSimpleProtocol]: it takes several
	// statements at once, and so the injected ones too. Behind a pooler use
	// [pgx.QueryExecModeCacheDescribe] or [pgx.QueryExecModeExec].
	ErrSimpleProtocol = errors.New("tenantdb: the simple protocol is not used; set default_query_exec_mode to cache_describe or exec behind a pooler without prepared statements")

	// ErrTxOptions refuses transaction options that would replace the BEGIN or COMMIT by
	// which a transaction is confined, or that PostgreSQL does not know.
	ErrTxOptions = errors.New("tenantdb: transaction options")
)

// errPoisoned says that a connection's session has been left in a tenant's role: the role
// that may not bind refuses it. Nothing of the exchange was executed.
var errPoisoned = errors.New("tenantdb: the connection was left in the role of a tenant")

// SQLSTATE codes (PostgreSQL documentation, appendix A) that tell what to do next.
const (
	codeInsufficientPrivilege = "42501"
	codeInvalidParameter      = "22023"
	codeInvalidText           = "22P02"
	codeFeatureNotSupported   = "0A000" // among others: cached plan must not change result type
	codeNoSuchStatement       = "26000"
	codeDuplicateStatement    = "42P05"
	codeProtocolViolation     = "08P01" // among others: result formats for another number of columns
	codeInvalidBinary         = "22P03"
)

// leftTenant is in the error that the check of the role raises, see [checkStatement].
const leftTenant = "session left its tenant"

func isLeftTenant(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == codeInvalidText && strings.Contains(pgErr.Message, leftTenant)
}

// isPoisoned reports whether the bind failed because the session's role may not call
// set_config. The other reason for its code is a role that may not be taken, which comes
// from another routine of the server; messages are translated, routines are not.
func isPoisoned(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == codeInsufficientPrivilege && pgErr.Routine == "aclcheck_error"
}

// isStale reports whether a statement failed, before it was executed, because what this
// process knows of it is out of date: the table was altered, or the connection's prepared
// statements are not those that were prepared on it.
func isStale(err error) bool {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return false
	}
	switch pgErr.Code {
	case codeFeatureNotSupported:
		return pgErr.Routine == "RevalidateCachedQuery"
	case codeNoSuchStatement, codeDuplicateStatement, codeProtocolViolation, codeInvalidBinary:
		return true
	}
	return false
}
