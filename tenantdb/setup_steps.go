package tenantdb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// setupTx is one run of [Setup], in its transaction.
type setupTx struct {
	tx               pgx.Tx
	gateway, control login

	superuser bool   // the one who runs it
	database  string // quoted
	version   int    // of the server, as in server_version_num
}

// run does one step after the other. A step that the rights of the connection do not
// allow leaves no error, only a state that the audit finds.
func (s *setupTx) run(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		s.begin, s.makeControl, s.makeGateway, s.grantDatabase, s.makeSchema, s.revokePublic, s.grantSetConfig, s.revokeBlocks, s.revokeStatements,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// sqlSetupLock makes two runs in the same database take turns, and those that change who
// may call set_config. The lock ends with the transaction.
const sqlSetupLock = `SELECT pg_advisory_xact_lock(1952804471, 0)`

// sqlSetupOwner tells who runs Setup and where: whether a superuser, whether one with the
// rights of the database's owner and CREATEROLE.
const sqlSetupOwner = `
SELECT r.rolsuper,
       pg_has_role(r.oid, d.datdba, 'USAGE') AND r.rolcreaterole,
       d.datname, r.rolname, current_setting('server_version_num')::int
  FROM pg_roles r, pg_database d
 WHERE r.rolname = current_user AND d.datname = current_database()`

func (s *setupTx) begin(ctx context.Context) error {
	if _, err := s.tx.Exec(ctx, sqlSetupLock); err != nil {
		return err
	}
	var owner bool
	var database, me string
	if err := s.tx.QueryRow(ctx, sqlSetupOwner).Scan(&s.superuser, &owner, &database, &me, &s.version); err != nil {
		return err
	}
	if !s.superuser && !owner {
		return fmt.Errorf("the role %q is neither a superuser nor the owner of the database %q with CREATEROLE: connect as one of them", me, database)
	}
	if me == s.gateway.name || me == s.control.name {
		return fmt.Errorf("the role %q is the connection's own: gateway and control must be others than the owner", me)
	}
	s.database = quote(database)
	return nil
}

// makeControl leaves INHERIT and a path as they are: control runs only our own SQL and the
// tenants' migrations, which name or set their schemas.
func (s *setupTx) makeControl(ctx context.Context) error {
	return s.makeLogin(ctx, s.control, "LOGIN", "CREATEROLE")
}

func (s *setupTx) makeGateway(ctx context.Context) error {
	if err := s.makeLogin(ctx, s.gateway, "LOGIN", "NOINHERIT"); err != nil {
		return err
	}
	return s.exec(ctx, sqlEmptyPath(s.gateway.name, s.database))
}

// sqlEmptyPath takes from a login all tables but those named with their schema, for the
// case that a statement runs before its tenant is set.
func sqlEmptyPath(role, quotedDatabase string) string {
	return fmt.Sprintf(`ALTER ROLE %s IN DATABASE %s SET search_path = ''`, quote(role), quotedDatabase)
}

// sqlSetupRole tells which attributes the role $1 has, by their keywords: those of a login
// of ours, and those that none may have. No row when there is no such role.
const sqlSetupRole = `
SELECT array_remove(ARRAY[
           CASE WHEN rolcanlogin THEN 'LOGIN' END,
           CASE WHEN rolcreaterole THEN 'CREATEROLE' END,
           CASE WHEN NOT rolinherit THEN 'NOINHERIT' END], NULL),
       array_remove(ARRAY[
           CASE WHEN rolsuper THEN 'SUPERUSER' END,
           CASE WHEN rolbypassrls THEN 'BYPASSRLS' END,
           CASE WHEN rolcreatedb THEN 'CREATEDB' END,
           CASE WHEN rolreplication THEN 'REPLICATION' END], NULL)
  FROM pg_roles WHERE rolname = $1`

// makeLogin makes a role with the attributes, or adds those that it lacks.
func (s *setupTx) makeLogin(ctx context.Context, l login, attributes ...string) error {
	var has, never []string
	err := s.tx.QueryRow(ctx, sqlSetupRole, l.name).Scan(&has, &never)
	if errors.Is(err, pgx.ErrNoRows) {
		return s.exec(ctx, "CREATE ROLE "+quote(l.name)+" "+strings.Join(attributes, " ")+passwordSQL(l.password))
	}
	if err != nil {
		return err
	}
	if slices.Contains(has, "CREATEROLE") && !slices.Contains(attributes, "CREATEROLE") {
		never = append(never, "CREATEROLE")
	}
	if len(never) > 0 {
		return fmt.Errorf("the role %q exists and is %s, which it must not be: choose another name, or take it away with ALTER ROLE", l.name, strings.Join(never, ", "))
	}
	missing := slices.DeleteFunc(attributes, func(a string) bool { return slices.Contains(has, a) })
	if len(missing) == 0 && l.password == "" {
		return nil
	}
	return s.exec(ctx, "ALTER ROLE "+quote(l.name)+" "+strings.Join(missing, " ")+passwordSQL(l.password))
}

// grantDatabase lets control make schemas, and both sign in where CONNECT has been taken
// from PUBLIC. Control may pass that on, to the logins that it makes for single tenants.
func (s *setupTx) grantDatabase(ctx context.Context) error {
	control, gateway := quote(s.control.name), quote(s.gateway.name)
	return s.exec(ctx,
		`GRANT CREATE, TEMPORARY ON DATABASE `+s.database+` TO `+control,
		`GRANT CONNECT ON DATABASE `+s.database+` TO `+control+` WITH GRANT OPTION`,
		`GRANT CONNECT ON DATABASE `+s.database+` TO `+gateway)
}

const sqlSchemaOwner = `SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = $1`

// makeSchema makes control's schema. To make it for control, an owner who is no superuser
// must be able to become control, for this moment.
func (s *setupTx) makeSchema(ctx context.Context) error {
	var owner string
	switch err := s.tx.QueryRow(ctx, sqlSchemaOwner, ControlSchema).Scan(&owner); {
	case err == nil && owner == s.control.name:
		return nil
	case err == nil:
		return fmt.Errorf("the schema %q exists and belongs to %q, not to the control role %q: name that role as Roles.Control, or rename the schema", ControlSchema, owner, s.control.name)
	case !errors.Is(err, pgx.ErrNoRows):
		return err
	}
	control := quote(s.control.name)
	become, leave, err := s.becomeControl(ctx)
	if err != nil {
		return err
	}
	return s.exec(ctx, become, `CREATE SCHEMA `+quote(ControlSchema)+` AUTHORIZATION `+control, leave)
}

// becomeControl are the statements that make the current user a member of control and take
// it back; empty where that is not needed. PostgreSQL 16 began to tell a membership that
// allows SET ROLE from others, and who granted it.
func (s *setupTx) becomeControl(ctx context.Context) (become, leave string, err error) {
	if s.superuser {
		return "", "", nil
	}
	kind, with, by := "MEMBER", "", ""
	if s.version >= 160000 {
		kind, with, by = "SET", " WITH SET TRUE, INHERIT FALSE", " GRANTED BY CURRENT_USER"
	}
	var can bool
	if err := s.tx.QueryRow(ctx, `SELECT pg_has_role($1, $2)`, s.control.name, kind).Scan(&can); err != nil || can {
		return "", "", err
	}
	control := quote(s.control.name)
	return `GRANT ` + control + ` TO CURRENT_USER` + with, `REVOKE ` + control + ` FROM CURRENT_USER` + by, nil
}

// revokePublic takes from everybody what tenants' roles would have through it.
func (s *setupTx) revokePublic(ctx context.Context) error {
	if err := s.try(ctx, `REVOKE CREATE, TEMPORARY ON DATABASE `+s.database+` FROM PUBLIC`); err != nil {
		return err
	}
	var owner string // of the schema public, which a database need not have
	switch err := s.tx.QueryRow(ctx, sqlSchemaOwner, "public").Scan(&owner); {
	case errors.Is(err, pgx.ErrNoRows):
		return nil
	case err != nil:
		return err
	}
	return s.try(ctx, `REVOKE ALL ON SCHEMA public FROM PUBLIC`)
}

// setConfig is the function with which a session binds itself to a tenant.
const setConfig = `pg_catalog.set_config(text, text, boolean)`

// grantSetConfig keeps the function to the two logins. Control may pass it on, to the
// logins that it makes for single tenants.
func (s *setupTx) grantSetConfig(ctx context.Context) error {
	return s.try(ctx,
		`REVOKE EXECUTE ON FUNCTION `+setConfig+` FROM PUBLIC`,
		`GRANT EXECUTE ON FUNCTION `+setConfig+` TO `+quote(s.gateway.name),
		`GRANT EXECUTE ON FUNCTION `+setConfig+` TO `+quote(s.control.name)+` WITH GRANT OPTION`)
}

// sqlSetupLanguages are the languages that DO takes of everybody who may use them.
const sqlSetupLanguages = `SELECT lanname::text FROM pg_language WHERE lanpltrusted AND laninline <> 0 ORDER BY lanname`

// revokeBlocks keeps the languages to control, whose migrations make functions. Who may call
// a function needs no right to its language; DO does.
func (s *setupTx) revokeBlocks(ctx context.Context) error {
	rows, err := s.tx.Query(ctx, sqlSetupLanguages)
	if err != nil {
		return err
	}
	languages, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, language := range languages {
		err := s.try(ctx,
			`REVOKE USAGE ON LANGUAGE `+quote(language)+` FROM PUBLIC`,
			`GRANT USAGE ON LANGUAGE `+quote(language)+` TO `+quote(s.control.name))
		if err != nil {
			return err
		}
	}
	return nil
}

// revokeStatements keeps the texts of prepared statements, which may hold the values of
// other tenants, from who has a connection after them.
func (s *setupTx) revokeStatements(ctx context.Context) error {
	return s.try(ctx, `REVOKE EXECUTE ON FUNCTION pg_catalog.pg_prepared_statement() FROM PUBLIC`)
}

// exec runs statements, of which some may be empty.
func (s *setupTx) exec(ctx context.Context, statements ...string) error {
	for _, sql := range statements {
		if sql == "" {
			continue
		}
		if _, err := s.tx.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// try runs statements all of which may be refused for want of rights: the audit tells
// what is missing then.
func (s *setupTx) try(ctx context.Context, statements ...string) error {
	sub, err := s.tx.Begin(ctx)
	if err != nil {
		return err
	}
	for _, sql := range statements {
		_, err := sub.Exec(ctx, sql)
		if isCode(err, codeInsufficientPrivilege) {
			return sub.Rollback(ctx)
		}
		if err != nil {
			return err
		}
	}
	return sub.Commit(ctx)
}
