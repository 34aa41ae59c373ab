package tenantdb

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// auditProblem is what a code of sqlAudit means.
type auditProblem struct {
	code    string
	problem string // %s is what the rows name
	weight  func(auditOptions) weight
}

// weight is how much a finding counts.
type weight int

const (
	grave weight = iota
	warning
	expected // not told
)

func always(w weight) func(auditOptions) weight { return func(auditOptions) weight { return w } }

// withRoles counts only where tenants have roles: without them, the login itself reaches
// all tenants, and is what keeps them apart by its search path alone.
func withRoles(w weight) func(auditOptions) weight {
	return func(o auditOptions) weight {
		if o.withoutRoles {
			return expected
		}
		return w
	}
}

// mildWithoutRoles is a warning where tenants have no roles.
func mildWithoutRoles(o auditOptions) weight {
	if o.withoutRoles {
		return warning
	}
	return grave
}

// auditProblems are in the order in which findings are told.
var auditProblems = [...]auditProblem{
	{"login_is_superuser", "the login %s is a superuser, whom no grant binds: sign in as the gateway that Setup makes", mildWithoutRoles},
	{"login_is_control", "the login %s is the control role, which owns every tenant's tables: sign in as the gateway that Setup makes", withRoles(grave)},
	{"login_has_powers", "the login has %s, which reaches beyond a tenant", mildWithoutRoles},
	{"login_inherits", "the login has the rights of tenants' roles without becoming one, by INHERIT: %s", withRoles(grave)},
	{"login_owns", "the login owns objects, which every tenant's session can get back to: %s", withRoles(grave)},
	{"login_has_grants", "the login has grants of its own, which every tenant's session can get back to: %s", withRoles(grave)},
	{"login_is_member", "the login is a member of roles that are no tenant's: %s", withRoles(grave)},
	{"control_reachable", "a tenant's session can become the control role %s, by a membership", withRoles(grave)},
	{"path_not_empty", "the login's default search_path is not empty but %s: a statement that runs before its tenant is set would find tables", always(grave)},
	{"set_config_public", "%s may call set_config, with which one injected SELECT can become another tenant", func(o auditOptions) weight {
		switch {
		case o.withoutRoles:
			return expected
		case o.unrevokedSetConfig:
			return warning
		}
		return grave
	}},
	{"set_config_tenant", "tenants' roles may call set_config, with which one injected SELECT can become another tenant: %s", withRoles(grave)},
	{"set_config_missing", "the login %s may not call set_config, with which a session is bound to its tenant", always(grave)},
	{"database_open", "tenants may make schemas or temporary tables in the database, which shadow others: %s", mildWithoutRoles},
	{"schema_create", "tenants may make tables and functions in a schema: %s", mildWithoutRoles},
	{"schema_public", "tenants may use what is in the schema %s", always(warning)},
	{"language_public", "tenants may run blocks of code (DO) in %s: such a block can become another tenant and come back before anything checks it", withRoles(warning)},
	{"statements_public", "tenants may call %s: what others have prepared on a connection is read by it, with the values that are written into the SQL", withRoles(warning)},
	{"schema_crossed", "a schema is open to others than its tenant: %s", withRoles(grave)},
	{"tenant_owns", "tenants' roles own objects, whose grants they can change: %s", withRoles(grave)},
	{"tenant_is_member", "tenants' roles are members of other roles: %s", withRoles(grave)},
	{"tenant_has_powers", "tenants' roles have attributes that they must not have: %s", withRoles(grave)},
	{"tenant_admin_option", "the login may grant tenants' roles to others, by ADMIN OPTION: %s", withRoles(grave)},
	{"many_memberships", "the login is a member of %s roles: before PostgreSQL 18 each new connection spends 10 ms and more on that; share the tenants out to several gateways", withRoles(warning)},
}

// auditRole checks a login, or the session's own when role is empty.
func auditRole(ctx context.Context, db querier, role string, o auditOptions) ([]Finding, error) {
	rows, err := db.Query(ctx, sqlAudit, pgx.QueryExecModeExec, nullable(role))
	if err != nil {
		return nil, err
	}
	found := map[string][]auditRow{}
	row := auditRow{}
	_, err = pgx.ForEachRow(rows, []any{&row.code, &row.item, &row.fix}, func() error {
		found[row.code] = append(found[row.code], row)
		return nil
	})
	if err != nil {
		return nil, err
	}
	var findings []Finding
	for _, p := range auditProblems {
		if rows := found[p.code]; len(rows) > 0 && p.weight(o) != expected {
			findings = append(findings, Finding{
				Code:    p.code,
				Problem: fmt.Sprintf(p.problem, items(rows)),
				Fix:     fixes(rows),
				Warning: p.weight(o) == warning,
			})
		}
	}
	return findings, nil
}

// auditRow is a row of sqlAudit.
type auditRow struct{ code, item, fix string }

// items names what the rows are about, up to five of them.
func items(rows []auditRow) string {
	var names []string
	for _, r := range rows {
		names = append(names, r.item)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) > 5 {
		names = append(names[:5], "and more")
	}
	return strings.Join(names, ", ")
}

// fixes are the statements that mend the rows, each once.
func fixes(rows []auditRow) string {
	var statements []string
	for _, r := range rows {
		if r.fix != "" && !slices.Contains(statements, r.fix) {
			statements = append(statements, r.fix)
		}
	}
	return strings.Join(statements, "\n")
}

func nullable(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
