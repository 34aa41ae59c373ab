package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// demoTenant is a tenant that demo mode starts with.
type demoTenant struct {
	slug, name, plan string
	members          []demoMember
	notes            []string // titles, the newest last
}

type demoMember struct {
	email string
	role  invite.Role
}

var demoTenants = []demoTenant{
	{
		slug: "acme-corp", name: "Acme Corp", plan: "pro",
		members: []demoMember{{"ada@acme.example", invite.RoleOwner}, {"cleo@acme.example", invite.RoleMember}},
		notes:   []string{"Anvils are back in stock", "Rocket skates: recall notice", "Ask Beta Industries for a quote"},
	},
	{
		slug: "beta-industries", name: "Beta Industries", plan: "free",
		members: []demoMember{{"ben@beta.example", invite.RoleOwner}, {"ada@acme.example", invite.RoleMember}},
		notes:   []string{"Quarterly figures", "Move to the new office", "Quote for Acme Corp"},
	},
}

// demoStranger can sign in, and belongs to no tenant.
const demoStranger = "dora@nowhere.example"

// seed makes the demo data that are not there. What a tenant was given when it was made
// is not given again by the next start on the same data.
func (s *server) seed(ctx context.Context) error {
	if _, err := s.users.ensure(ctx, demoStranger); err != nil {
		return err
	}
	for _, d := range demoTenants {
		_, err := s.catalog.Lookup(ctx, tenant.BySlug(tenant.Slug(d.slug)))
		if errors.Is(err, tenant.ErrNotFound) {
			_, err = s.catalog.Create(ctx, tenantdb.NewTenant{
				Slug: tenant.Slug(d.slug),
				Name: d.name,
				Plan: d.plan,
				Seed: func(ctx context.Context, tx pgx.Tx, t tenant.Tenant) error { return s.seedTenant(ctx, tx, t, d) },
			})
		}
		// Gone is one that somebody has renamed or deleted; taken is one that another
		// process makes at this moment.
		if err != nil && !errors.Is(err, tenant.ErrGone) && !errors.Is(err, tenant.ErrSlugTaken) {
			return fmt.Errorf("%s: %w", d.slug, err)
		}
	}
	return nil
}

// seedTenant adds what a tenant starts with. The transaction is the catalog's, which is in
// no tenant: it names the tenant's table with its schema.
func (s *server) seedTenant(ctx context.Context, tx pgx.Tx, t tenant.Tenant, d demoTenant) error {
	for _, m := range d.members {
		u, err := s.users.ensure(ctx, m.email)
		if err != nil {
			return err
		}
		if err := s.members.Add(ctx, tx, invite.Member{TenantID: t.ID, UserID: u.ID, Email: u.Email, Role: m.role}); err != nil {
			return err
		}
	}
	table := pgx.Identifier{tenantdb.SchemaName(t.ID), "note"}.Sanitize()
	for _, title := range d.notes {
		_, err := tx.Exec(ctx, `INSERT INTO `+table+` (title, body, author) VALUES ($1, $2, $3)`,
			title, "This note came with the demo.", d.members[0].email)
		if err != nil {
			return err
		}
	}
	return nil
}
