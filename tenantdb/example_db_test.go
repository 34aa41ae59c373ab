package tenantdb_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// The tenant of each statement is the context's. The SQL is the same for all of them.
func ExampleDB() {
	ctx := context.Background()
	db, acme, beta, done := exampleTenants()
	defer done()

	for _, t := range []tenant.Tenant{acme, beta} {
		ctx := tenant.NewContext(ctx, t) // in a service, the middleware of package resolve does this
		if _, err := db.Exec(ctx, `INSERT INTO note (body) VALUES ($1)`, "of "+t.Name); err != nil {
			fmt.Println(err)
			return
		}
		rows, err := db.Query(ctx, `SELECT id, body FROM note`)
		if err != nil {
			fmt.Println(err)
			return
		}
		notes, err := pgx.CollectRows(rows, pgx.RowToStructByPos[struct {
			ID   int64
			Body string
		}])
		fmt.Println(notes, err)
	}

	_, err := db.Exec(ctx, `DELETE FROM note`)
	fmt.Println(errors.Is(err, tenant.ErrRequired), "without a tenant nothing is sent")
	// Output:
	// [{1 of Acme}] <nil>
	// [{1 of Beta}] <nil>
	// true without a tenant nothing is sent
}

// What has no request, such as an import, says for whom it works.
func ExampleDB_As() {
	ctx := context.Background()
	db, acme, beta, done := exampleTenants()
	defer done()

	n, err := db.As(acme).CopyFrom(ctx, pgx.Identifier{"note"}, []string{"body"},
		pgx.CopyFromRows([][]any{{"one"}, {"two"}, {"three"}}))
	fmt.Println(n, err)

	var count int
	err = db.As(beta).QueryRow(ctx, `SELECT count(*) FROM note`).Scan(&count)
	fmt.Println(count, err)
	// Output:
	// 3 <nil>
	// 0 <nil>
}

// A transaction commits when its function returns nil; an error, a panic and a context that
// is over roll it back.
func ExampleDB_InTx() {
	db, acme, _, done := exampleTenants()
	defer done()
	ctx := tenant.NewContext(context.Background(), acme)

	tooMany := errors.New("too many notes")
	write := func(bodies ...string) error {
		return db.InTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
			for _, body := range bodies {
				if _, err := tx.Exec(ctx, `INSERT INTO note (body) VALUES ($1)`, body); err != nil {
					return err
				}
			}
			var count int
			if err := tx.QueryRow(ctx, `SELECT count(*) FROM note`).Scan(&count); err != nil {
				return err
			}
			if count > 2 {
				return tooMany
			}
			return nil
		})
	}
	fmt.Println(write("one", "two"))
	fmt.Println(write("three"))

	var count int
	err := db.QueryRow(ctx, `SELECT count(*) FROM note`).Scan(&count)
	fmt.Println(count, err)
	// Output:
	// <nil>
	// too many notes
	// 2 <nil>
}

// exampleTenants are two tenants with a table each, and the sessions of both.
func exampleTenants() (db *tenantdb.DB, acme, beta tenant.Tenant, done func()) {
	ctx := context.Background()
	gateway, control, done := exampleLogins()
	catalog, err := tenantdb.OpenCatalog(ctx, control, tenantdb.CatalogConfig{Migrations: migrations})
	if err != nil {
		panic(err)
	}
	if acme, err = catalog.Create(ctx, tenantdb.NewTenant{Slug: "acme", Name: "Acme"}); err != nil {
		panic(err)
	}
	if beta, err = catalog.Create(ctx, tenantdb.NewTenant{Slug: "beta", Name: "Beta"}); err != nil {
		panic(err)
	}
	if db, err = tenantdb.Open(ctx, gateway); err != nil {
		panic(err)
	}
	return db, acme, beta, done
}
