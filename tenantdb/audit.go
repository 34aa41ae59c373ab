package tenantdb

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Finding is one thing about roles and grants that is not as it must be for tenants to be
// kept from each other, as [Open] and [Audit] find it.
type Finding struct {
	// Code names the kind of finding, for programs: login_owns, set_config_public, ….
	Code string

	// Problem says what is the matter, and what may come of it.
	Problem string

	// Fix is the SQL that mends it, for the database's owner or a superuser to run in this
	// database. It is empty where a statement can't do it.
	Fix string

	// Warning marks what is told and goes on.
	Warning bool
}

// AuditError says all that an audit found, and the SQL that mends it. Some findings may
// be warnings; at least one is not.
type AuditError struct {
	Findings []Finding
}

// Error lists the findings, each with its SQL.
func (e *AuditError) Error() string {
	var b strings.Builder
	b.WriteString("tenants are not kept from each other in this database. As its owner or a superuser, run what mends it, or call Setup:")
	for _, f := range e.Findings {
		b.WriteString("\n  - ")
		if f.Warning {
			b.WriteString("(warning) ")
		}
		b.WriteString(f.Problem)
		if f.Fix != "" {
			b.WriteString("\n      ")
			b.WriteString(strings.ReplaceAll(f.Fix, "\n", "\n      "))
		}
	}
	return b.String()
}

// auditError is an *AuditError if a finding is more than a warning.
func auditError(findings []Finding) error {
	for _, f := range findings {
		if !f.Warning {
			return &AuditError{Findings: findings}
		}
	}
	return nil
}

// Audit tells what [Open] would find about the login of db, a pool or a connection: for
// operators, and for a check in a pipeline. The options are those of Open. It changes
// nothing. The error is an [*AuditError] when a finding is more than a warning; the
// findings are returned in any case.
func Audit(ctx context.Context, db interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}, opts ...Option) ([]Finding, error) {
	o := DB{roles: true}
	for _, opt := range opts {
		opt(&o)
	}
	findings, err := audit(ctx, db, auditOptions{withoutRoles: !o.roles, unrevokedSetConfig: o.unrevoked})
	if err != nil {
		err = fmt.Errorf("tenantdb: %w", err)
	}
	return findings, err
}

// querier is what an audit needs: a connection, a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// auditOptions say which findings are expected.
type auditOptions struct {
	withoutRoles       bool // the login reaches all tenants by itself
	unrevokedSetConfig bool // set_config can't be taken from PUBLIC here: a warning
}

// audit checks the login of the connection. The findings are returned also when all are
// warnings; when one is not, the error is an [*AuditError] of them all. It is one trip.
func audit(ctx context.Context, db querier, o auditOptions) ([]Finding, error) {
	findings, err := auditRole(ctx, db, "", o)
	if err != nil {
		return nil, fmt.Errorf("audit roles and grants: %w", err)
	}
	return findings, auditError(findings)
}
