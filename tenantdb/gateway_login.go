package tenantdb

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/tenantwall/tenantwall/tenant"
)

// LoginName is the name of the login that [Catalog.GiveLogin] gives a tenant.
func LoginName(id tenant.ID) string { return "g_" + hex.EncodeToString(id[:]) }

// ErrNoRoles refuses what needs roles of a catalog that was opened without them.
var ErrNoRoles = errors.New("tenantdb: the catalog makes no roles (CatalogConfig.WithoutRoles)")

// ErrNoPassword refuses a login without a password.
var ErrNoPassword = errors.New("tenantdb: the password is empty")

// GiveLogin gives a tenant a login of its own, [LoginName], and takes its role from all
// other logins. From then on no session of another tenant can reach it, whatever SQL is
// injected there: their logins can't become it. Its own login can become no other tenant.
// Sessions for it need a pool that signs in so, see [WithPools].
//
// The password is as those of [Roles]. Called again it sets another password, and mends
// what is missing. Errors as of [Catalog], [ErrNoRoles] and [ErrNoPassword].
func (c *Catalog) GiveLogin(ctx context.Context, id tenant.ID, password string) error {
	role := LoginName(id)
	switch err := checkPassword(role, password); {
	case c.cfg.WithoutRoles:
		return ErrNoRoles
	case password == "":
		return ErrNoPassword
	case err != nil:
		return fmt.Errorf("tenantdb: %w", err)
	}
	return c.changeLogin(ctx, "give a login to", id, func(tx pgx.Tx, had bool) (tenant.Tenant, error) {
		if err := c.makeLogin(ctx, tx, id, role, password, had); err != nil {
			return tenant.Tenant{}, err
		}
		if err := c.revokeOthers(ctx, tx, id, role); err != nil || had {
			return tenant.Tenant{}, err
		}
		if _, err := tx.Exec(ctx, sqlOwnLogin, id, role, c.now()); err != nil {
			return tenant.Tenant{}, err
		}
		return c.tellLogin(ctx, tx, id, EventLoginGiven, eventData{After: map[string]string{"login": role}})
	})
}

// TakeLogin drops the login that [Catalog.GiveLogin] has given, and puts the tenant back
// with the shared gateways. First point sessions back to these: a login that is signed in
// is dropped all the same, and its sessions fail. A tenant without a login of its own
// stays as it is. Errors as of [Catalog], and [ErrNoRoles].
func (c *Catalog) TakeLogin(ctx context.Context, id tenant.ID) error {
	if c.cfg.WithoutRoles {
		return ErrNoRoles
	}
	return c.changeLogin(ctx, "take the login from", id, func(tx pgx.Tx, had bool) (tenant.Tenant, error) {
		if !had {
			return tenant.Tenant{}, nil
		}
		gateways, err := c.gatewaysOf(id)
		if err != nil {
			return tenant.Tenant{}, err
		}
		if _, err := tx.Exec(ctx, `GRANT `+quote(SchemaName(id))+` TO `+quoteAll(gateways)); err != nil {
			return tenant.Tenant{}, err
		}
		role, err := c.forgetLogin(ctx, tx, id)
		if err != nil {
			return tenant.Tenant{}, err
		}
		if _, err := tx.Exec(ctx, `DROP ROLE `+quote(role)); err != nil {
			return tenant.Tenant{}, err
		}
		return c.tellLogin(ctx, tx, id, EventLoginTaken, eventData{Before: map[string]string{"login": LoginName(id)}})
	})
}

// changeLogin locks the tenant and all who change memberships, and tells whether the
// tenant has a login of its own. fn returns the tenant if it has changed it.
func (c *Catalog) changeLogin(ctx context.Context, what string, id tenant.ID, fn func(tx pgx.Tx, had bool) (tenant.Tenant, error)) error {
	var after tenant.Tenant
	err := c.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := c.lock(ctx, tx, id); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, sqlSetupLock); err != nil {
			return err
		}
		var had bool
		if err := tx.QueryRow(ctx, sqlHasOwnLogin, id).Scan(&had); err != nil {
			return err
		}
		var err error
		after, err = fn(tx, had)
		return err
	})
	if err != nil {
		return fmt.Errorf("tenantdb: %s tenant %s: %w", what, id, err)
	}
	if !after.ID.IsZero() {
		c.changed(ctx, after)
	}
	return nil
}

// tellLogin raises the tenant's version, for those that hold it in a cache with its pool.
func (c *Catalog) tellLogin(ctx context.Context, tx pgx.Tx, id tenant.ID, kind EventKind, data eventData) (tenant.Tenant, error) {
	t, err := scanTenant(tx.QueryRow(ctx, sqlTouch, id, c.now()))
	if err != nil {
		return t, err
	}
	return t, c.tell(ctx, tx, kind, t, data)
}

// makeLogin makes a gateway for one tenant, or sets the password of the one that it has. A
// role of the name that the catalog knows nothing of was made by somebody else.
func (c *Catalog) makeLogin(ctx context.Context, tx pgx.Tx, id tenant.ID, role, password string, had bool) error {
	var database string
	if err := tx.QueryRow(ctx, `SELECT current_database()`).Scan(&database); err != nil {
		return err
	}
	create := `CREATE`
	if had {
		create = `ALTER`
	}
	quoted := quote(role)
	_, err := tx.Exec(ctx, strings.Join([]string{
		create + ` ROLE ` + quoted + ` LOGIN NOINHERIT` + passwordSQL(password),
		sqlEmptyPath(role, quote(database)),
		`GRANT CONNECT ON DATABASE ` + quote(database) + ` TO ` + quoted,
		`GRANT EXECUTE ON FUNCTION ` + setConfig + ` TO ` + quoted,
		`GRANT ` + quote(SchemaName(id)) + ` TO ` + quoted,
	}, ";\n"))
	if isCode(err, codeDuplicateObject) {
		return fmt.Errorf("the role %s is there already, and was not made by this catalog: drop it if nothing needs it: %w", role, err)
	}
	return err
}

// forgetLogin takes from a tenant's login what it was granted, so that it can be dropped,
// and returns its name; empty when it has none.
func (c *Catalog) forgetLogin(ctx context.Context, tx pgx.Tx, id tenant.ID) (string, error) {
	var role, database string
	err := tx.QueryRow(ctx, sqlForgetOwnLogin, id).Scan(&role, &database)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	_, err = tx.Exec(ctx, `REVOKE EXECUTE ON FUNCTION `+setConfig+` FROM `+quote(role)+`;
		REVOKE CONNECT ON DATABASE `+quote(database)+` FROM `+quote(role))
	return role, err
}

// revokeOthers takes a tenant's role from all but its own login. A membership that another
// role than control has granted (known from PostgreSQL 16 on) can't be taken by control;
// then the error says what can.
func (c *Catalog) revokeOthers(ctx context.Context, tx pgx.Tx, id tenant.ID, login string) error {
	tenantRole := SchemaName(id)
	others, err := c.otherMembers(ctx, tx, tenantRole, login)
	if err != nil || len(others) == 0 {
		return err
	}
	if _, err := tx.Exec(ctx, `REVOKE `+quote(tenantRole)+` FROM `+quoteAll(others)); err != nil {
		return err
	}
	others, err = c.otherMembers(ctx, tx, tenantRole, login)
	if err == nil && len(others) > 0 {
		err = fmt.Errorf("memberships that another role has granted are left: as a superuser, run REVOKE %s FROM %s", quote(tenantRole), quoteAll(others))
	}
	return err
}

func (c *Catalog) otherMembers(ctx context.Context, tx pgx.Tx, role, login string) ([]string, error) {
	rows, err := tx.Query(ctx, sqlOtherMembers, role, login)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
