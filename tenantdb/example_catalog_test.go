package tenantdb_test

import (
	"context"
	"errors"
	"fmt"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// From an empty database to a tenant: Setup once, as the database's owner; then a catalog,
// as control; then tenants. What a tenant starts with is committed with it or not at all.
func ExampleCatalog_Create() {
	ctx := context.Background()
	database := newExampleDatabase()
	defer database.drop()

	owner, err := pgx.Connect(ctx, database.url)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer owner.Close(ctx)
	err = tenantdb.Setup(ctx, owner, tenantdb.Roles{
		Gateway: database.gateway, GatewayPassword: "gateway's secret", // DefaultGateway when empty
		Control: database.control, ControlPassword: "control's secret", // DefaultControl
	})
	if err != nil {
		fmt.Println(err) // what is missing, and the SQL that mends it
		return
	}

	pool, err := pgxpool.New(ctx, database.as(database.control, "control's secret"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pool.Close()
	catalog, err := tenantdb.OpenCatalog(ctx, pool, tenantdb.CatalogConfig{
		Gateways: []string{database.gateway},
		Migrations: fstest.MapFS{ // an embed.FS in a program
			"0001_note.sql": {Data: []byte(`CREATE TABLE note (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text NOT NULL)`)},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	acme, err := catalog.Create(ctx, tenantdb.NewTenant{
		Slug: "acme-corp",
		Name: "Acme Corp",
		Seed: func(ctx context.Context, tx pgx.Tx, t tenant.Tenant) error {
			note := pgx.Identifier{tenantdb.SchemaName(t.ID), "note"}.Sanitize()
			_, err := tx.Exec(ctx, `INSERT INTO `+note+` (body) VALUES ('Welcome')`)
			return err
		},
	})
	fmt.Println(acme.Slug, acme.Status, err)

	_, err = catalog.Create(ctx, tenantdb.NewTenant{Slug: "acme-corp", Name: "Another Acme"})
	fmt.Println(errors.Is(err, tenant.ErrSlugTaken))
	// Output:
	// acme-corp active <nil>
	// true
}

// A job that follows what happens to tenants keeps the id of the last event that it has
// seen, and misses none.
func ExampleCatalog_Events() {
	ctx := context.Background()
	catalog, done := exampleCatalog()
	defer done()
	acme, _ := catalog.Create(ctx, tenantdb.NewTenant{Slug: "acme-corp", Name: "Acme Corp"})
	_, _ = catalog.Rename(ctx, acme.ID, "acme")
	_, _ = catalog.Suspend(ctx, acme.ID)

	var last int64 // as it was kept
	for event, err := range catalog.Events(ctx, tenantdb.EventOptions{After: last}) {
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Println(event.Kind, event.Before, event.After)
		last = event.ID
	}
	_ = last // to be kept
	// Output:
	// tenant.reserved map[] map[slug:acme-corp status:provisioning]
	// tenant.created map[status:provisioning] map[status:active]
	// tenant.renamed map[slug:acme-corp] map[slug:acme]
	// tenant.suspended map[status:active] map[status:suspended]
}

// A sequence lists tenants without holding a connection in between.
func ExampleCatalog_List() {
	ctx := context.Background()
	catalog, done := exampleCatalog()
	defer done()
	for _, slug := range []tenant.Slug{"acme-corp", "beta-industries"} {
		_, _ = catalog.Create(ctx, tenantdb.NewTenant{Slug: slug, Name: string(slug)})
	}

	for t, err := range catalog.List(ctx, tenantdb.ListOptions{Status: []tenant.Status{tenant.StatusActive}}) {
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Println(t.Slug)
	}
	// Output:
	// acme-corp
	// beta-industries
}

// A tenant that nothing injected elsewhere may ever reach gets a login of its own, and a
// pool that signs in as it. The rest of the program stays as it is.
func ExampleCatalog_GiveLogin() {
	ctx := context.Background()
	gateway, control, done := exampleLogins()
	defer done()
	catalog, err := tenantdb.OpenCatalog(ctx, control, tenantdb.CatalogConfig{Migrations: migrations})
	if err != nil {
		fmt.Println(err)
		return
	}
	bank, err := catalog.Create(ctx, tenantdb.NewTenant{Slug: "bank", Name: "A Bank"})
	if err != nil {
		fmt.Println(err)
		return
	}

	if err := catalog.GiveLogin(ctx, bank.ID, "the bank's secret"); err != nil {
		fmt.Println(err)
		return
	}
	config := gateway.Config()
	config.ConnConfig.User, config.ConnConfig.Password = tenantdb.LoginName(bank.ID), "the bank's secret"
	own, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer own.Close()
	db, err := tenantdb.Open(ctx, gateway, tenantdb.WithPools(func(t tenant.Tenant) *pgxpool.Pool {
		if t.ID == bank.ID {
			return own
		}
		return nil // the gateway's
	}))
	if err != nil {
		fmt.Println(err)
		return
	}

	var login string
	err = db.As(bank).QueryRow(ctx, `SELECT session_user`).Scan(&login)
	fmt.Println(login == tenantdb.LoginName(bank.ID), err)

	shared, err := tenantdb.Open(ctx, gateway)
	if err != nil {
		fmt.Println(err)
		return
	}
	err = shared.As(bank).QueryRow(ctx, `SELECT session_user`).Scan(&login)
	refused, ok := errors.AsType[*pgconn.PgError](err)
	fmt.Println(ok, refused.Code, "the gateway can't become it any more")
	// Output:
	// true <nil>
	// true 42501 the gateway can't become it any more
}
