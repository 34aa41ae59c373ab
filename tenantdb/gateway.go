package tenantdb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/tenantwall/tenantwall/tenant"
)

// SyncGateways makes the memberships of [CatalogConfig.Gateways] what the configuration
// says they are, after a gateway was added or another choice is made by GatewaysOf: it
// grants and revokes the roles of all tenants that have data, in transactions of a bounded
// size. What is right already stays. It returns how many memberships it granted and
// revoked. Gateways that are not in the configuration keep what they have.
//
// A session that has begun in a tenant's role goes on when the role is revoked from its
// gateway; the next one is refused. So first point sessions to the new gateway, then
// revoke. It does not run at the same time as itself or [Catalog.GiveLogin].
func (c *Catalog) SyncGateways(ctx context.Context) (granted, revoked int, err error) {
	for after := (tenant.ID{}); ; {
		var page []memberships
		var g, r int
		err := c.inTx(ctx, func(tx pgx.Tx) (err error) {
			page, err = c.membershipPage(ctx, tx, after)
			if err != nil {
				return err
			}
			g, r, err = c.syncPage(ctx, tx, page)
			return err
		})
		if err != nil {
			return granted, revoked, fmt.Errorf("tenantdb: grant tenants to gateways: %w", err)
		}
		granted, revoked = granted+g, revoked+r
		if len(page) < gatewayPage {
			return granted, revoked, nil
		}
		after = page[len(page)-1].id
	}
}

// gatewayPage is how many tenants are granted in one transaction.
const gatewayPage = 200

// memberships are the configured gateways that are members of a tenant's role.
type memberships struct {
	id       tenant.ID
	ownLogin bool
	gateways []string
}

func (c *Catalog) membershipPage(ctx context.Context, tx pgx.Tx, after tenant.ID) ([]memberships, error) {
	if _, err := tx.Exec(ctx, sqlSetupLock); err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, sqlMemberships, after, c.cfg.Gateways, gatewayPage)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (m memberships, err error) {
		return m, row.Scan(&m.id, &m.ownLogin, &m.gateways)
	})
}

// syncPage grants and revokes, with one statement for each gateway and direction.
func (c *Catalog) syncPage(ctx context.Context, tx pgx.Tx, page []memberships) (granted, revoked int, err error) {
	grant, revoke := map[string][]string{}, map[string][]string{}
	for _, m := range page {
		want, err := c.gatewaysOf(m.id)
		if err != nil {
			return 0, 0, err
		}
		if m.ownLogin {
			want = nil
		}
		for _, name := range c.cfg.Gateways {
			switch has, wanted := slices.Contains(m.gateways, name), slices.Contains(want, name); {
			case wanted && !has:
				grant[name] = append(grant[name], SchemaName(m.id))
				granted++
			case has && !wanted:
				revoke[name] = append(revoke[name], SchemaName(m.id))
				revoked++
			}
		}
	}
	var sql []string
	for name, roles := range grant {
		sql = append(sql, `GRANT `+quoteAll(roles)+` TO `+quote(name))
	}
	for name, roles := range revoke {
		sql = append(sql, `REVOKE `+quoteAll(roles)+` FROM `+quote(name))
	}
	if len(sql) == 0 {
		return 0, 0, nil
	}
	_, err = tx.Exec(ctx, strings.Join(sql, ";\n"))
	return granted, revoked, err
}

// gatewaysOf are the gateways that a tenant without a login of its own is granted to.
func (c *Catalog) gatewaysOf(id tenant.ID) ([]string, error) {
	if c.cfg.WithoutRoles {
		return nil, nil
	}
	if c.cfg.GatewaysOf == nil {
		return c.cfg.Gateways, nil
	}
	names := c.cfg.GatewaysOf(id)
	if len(names) == 0 {
		return nil, errors.New("CatalogConfig.GatewaysOf chose no gateway: no session could become the tenant")
	}
	for _, name := range names {
		if !slices.Contains(c.cfg.Gateways, name) {
			return nil, fmt.Errorf("CatalogConfig.GatewaysOf chose %q, which is not among Gateways", name)
		}
	}
	return names, nil
}
