package invite_test

import (
	"context"
	"fmt"
	"os"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// A tenant is made together with its first member, so that there is none without an owner.
func Example_tenantWithItsOwner() {
	ctx := context.Background()
	control, err := pgxpool.New(ctx, os.Getenv("CONTROL_URL"))
	if err != nil {
		panic(err)
	}
	defer control.Close()
	catalog, err := tenantdb.OpenCatalog(ctx, control, tenantdb.CatalogConfig{})
	if err != nil {
		panic(err)
	}
	members, err := invite.Open(ctx, control)
	if err != nil {
		panic(err)
	}

	acme, err := catalog.Create(ctx, tenantdb.NewTenant{
		Slug: "acme-corp",
		Name: "Acme Corp",
		Seed: func(ctx context.Context, tx pgx.Tx, t tenant.Tenant) error {
			return invite.Add(ctx, tx, invite.Member{TenantID: t.ID, UserID: "user-1", Email: "ada@acme.example", Role: invite.RoleOwner})
		},
	})
	if err != nil {
		panic(err)
	}

	ada, err := members.Get(ctx, acme.ID, "user-1")
	if err != nil {
		panic(err)
	}
	fmt.Println(ada.Email, "may change members:", ada.Role.AtLeast(invite.RoleAdmin))
}

// Each role may do all that those below it may.
func ExampleRole_AtLeast() {
	fmt.Println(invite.RoleAdmin.AtLeast(invite.RoleMember))
	fmt.Println(invite.RoleViewer.AtLeast(invite.RoleMember))
	// Output:
	// true
	// false
}
