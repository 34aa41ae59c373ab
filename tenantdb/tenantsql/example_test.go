package tenantsql_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb/tenantsql"
)

// One *sql.DB serves all tenants. Whose rows a call reads depends on its context.
func ExampleOpen() {
	core, acme, beta, done := exampleTenants() // a *tenantdb.DB of tenantdb.Open
	defer done()

	db := tenantsql.Open(core)
	defer db.Close()

	greeting := func(ctx context.Context) (s string, err error) {
		err = db.QueryRowContext(ctx, `SELECT body FROM note WHERE id = $1`, 1).Scan(&s)
		return s, err
	}
	ctx := context.Background()
	fmt.Println(greeting(tenant.NewContext(ctx, acme))) // the middleware of package resolve does this
	fmt.Println(greeting(tenant.NewContext(ctx, beta)))
	_, err := greeting(ctx)
	fmt.Println(errors.Is(err, tenant.ErrRequired))
	// Output:
	// Hello, Acme! <nil>
	// Hello, Beta! <nil>
	// true
}

// A job works for a tenant without a request, with a library that knows no contexts.
func ExampleOpenFor() {
	core, acme, _, done := exampleTenants()
	defer done()

	db := tenantsql.OpenFor(core, acme)
	defer db.Close()

	var greeting string
	err := db.QueryRow(`SELECT body FROM note`).Scan(&greeting)
	fmt.Println(greeting, err)
	// Output: Hello, Acme! <nil>
}

// A transaction is of one tenant, from its beginning to its end.
func ExampleOpen_transaction() {
	core, acme, beta, done := exampleTenants()
	defer done()

	db := tenantsql.Open(core)
	defer db.Close()

	ctx := tenant.NewContext(context.Background(), acme)
	tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer tx.Rollback()

	_, err = tx.ExecContext(ctx, `INSERT INTO note (body) VALUES ($1)`, "Bye.")
	fmt.Println(err)
	_, err = tx.ExecContext(tenant.NewContext(ctx, beta), `DELETE FROM note`)
	fmt.Println(errors.Is(err, tenantsql.ErrOtherTenant))
	fmt.Println(tx.Commit())
	// Output:
	// <nil>
	// true
	// <nil>
}
