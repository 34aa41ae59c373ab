package tenantdb_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantwall/tenantwall/resolve"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/problem"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// migrations are a service's own, usually an embed.FS.
var migrations = fstest.MapFS{"0001_note.sql": {Data: []byte(`
	CREATE TABLE note (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text NOT NULL);`)}}

// serve is the ten lines of the README.
func serve(ctx context.Context, gateway, control *pgxpool.Pool) (http.Handler, *tenantdb.Catalog, error) {
	catalog, err := tenantdb.OpenCatalog(ctx, control, tenantdb.CatalogConfig{Migrations: migrations})
	if err != nil {
		return nil, nil, err
	}
	db, err := tenantdb.Open(ctx, gateway) // audits roles and grants; an error says what to run
	if err != nil {
		return nil, nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /notes", func(w http.ResponseWriter, r *http.Request) {
		var notes []string // no WHERE tenant_id: there is no other tenant's row in sight
		err := db.QueryRow(r.Context(), `SELECT array_agg(body) FROM note`).Scan(&notes)
		if err != nil {
			problem.Write(w, r, err)
			return
		}
		fmt.Fprint(w, notes)
	})
	inTenant := resolve.Middleware(catalog, resolve.Subdomain("example.com"), resolve.Header())
	return inTenant(mux), catalog, nil
}

// A service of several tenants: acme.example.com and beta.example.com read the same table,
// and each finds its own rows.
func Example_service() {
	ctx := context.Background()
	gateway, control, done := exampleLogins()
	defer done()

	handler, catalog, err := serve(ctx, gateway, control)
	if err != nil {
		panic(err)
	}
	for _, slug := range []tenant.Slug{"acme", "beta"} {
		_, err := catalog.Create(ctx, tenantdb.NewTenant{Slug: slug, Name: string(slug),
			Seed: func(ctx context.Context, tx pgx.Tx, t tenant.Tenant) error {
				table := pgx.Identifier{tenantdb.SchemaName(t.ID), "note"}.Sanitize()
				_, err := tx.Exec(ctx, `INSERT INTO `+table+` (body) VALUES ($1)`, "a note of "+string(slug))
				return err
			}})
		if err != nil {
			panic(err)
		}
	}

	for _, host := range []string{"acme.example.com", "beta.example.com", "gamma.example.com", "example.com"} {
		r := httptest.NewRequest("GET", "http://"+host+"/notes", nil)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		body, _ := io.ReadAll(w.Body)
		fmt.Printf("%s: %d %.17s\n", host, w.Code, body)
	}
	// Output:
	// acme.example.com: 200 [a note of acme]
	// beta.example.com: 200 [a note of beta]
	// gamma.example.com: 404 {"type":"https://
	// example.com: 400 {"type":"https://
}

// exampleLogins are pools as the two logins of a database that is set up.
func exampleLogins() (gateway, control *pgxpool.Pool, done func()) {
	ctx := context.Background()
	d := newExampleDatabase()
	owner, err := pgx.Connect(ctx, d.url)
	if err != nil {
		panic(err)
	}
	defer owner.Close(ctx)
	if err := tenantdb.Setup(ctx, owner, tenantdb.Roles{GatewayPassword: "gateway", ControlPassword: "control"}); err != nil {
		panic(err)
	}
	if gateway, err = pgxpool.New(ctx, d.as(tenantdb.DefaultGateway, "gateway")); err != nil {
		panic(err)
	}
	if control, err = pgxpool.New(ctx, d.as(tenantdb.DefaultControl, "control")); err != nil {
		panic(err)
	}
	return gateway, control, func() {
		gateway.Close()
		control.Close()
		d.drop()
	}
}
