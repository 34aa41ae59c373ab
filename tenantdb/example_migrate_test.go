package tenantdb_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// The files are checked without a database, as a test of the program does. They usually
// are an embed.FS.
func ExampleParseMigrations() {
	_, err := tenantdb.ParseMigrations(fstest.MapFS{
		"0001_note.sql":  {Data: []byte("CREATE TABLE note (id bigint PRIMARY KEY);")},
		"0002_title.sql": {Data: []byte("BEGIN;\nALTER TABLE note ADD COLUMN title text;\nCOMMIT;")},
	})
	if file, ok := errors.AsType[*tenantdb.MigrationFileError](err); ok {
		fmt.Println(file.File, "line", file.Line)
		fmt.Println(errors.Is(err, tenantdb.ErrMigrationTransaction))
	}
	// Output:
	// 0002_title.sql line 1
	// true
}

// A new version of the program, with one more migration, brings all tenants up to date
// before it serves.
func ExampleCatalog_Migrate() {
	ctx := context.Background()
	files := fstest.MapFS{"0001_note.sql": {Data: []byte("CREATE TABLE note (id bigint PRIMARY KEY);")}}
	_, open, done := exampleCatalogs()
	defer done()
	for _, slug := range []tenant.Slug{"acme-corp", "beta-industries"} {
		if _, err := open(files).Create(ctx, tenantdb.NewTenant{Slug: slug, Name: "A Tenant"}); err != nil {
			panic(err)
		}
	}

	files["0002_title.sql"] = &fstest.MapFile{Data: []byte("ALTER TABLE note ADD COLUMN title text;")}
	report, err := open(files).Migrate(ctx, tenantdb.MigrateOptions{
		Progress: func(p tenantdb.MigrateProgress) { fmt.Printf("%d of %d %s\n", p.Done, p.Total, p.Last.Outcome) },
	})
	if err != nil {
		panic(err) // some tenants are not up to date: the report says which, and why
	}
	fmt.Println(report.Count(tenantdb.OutcomeMigrated), "migrated, the first:", report.Tenants[0].Applied)
	// Output:
	// 1 of 2 migrated
	// 2 of 2 migrated
	// 2 migrated, the first: [2]
}

// What somebody changed by hand is found.
func ExampleCatalog_MigrationStatus() {
	ctx := context.Background()
	pool, open, done := exampleCatalogs()
	defer done()
	catalog := open(fstest.MapFS{"0001_note.sql": {Data: []byte("CREATE TABLE note (id bigint PRIMARY KEY, title text);")}})
	acme, err := catalog.Create(ctx, tenantdb.NewTenant{Slug: "acme-corp", Name: "Acme Corp"})
	if err != nil {
		panic(err)
	}
	table := pgx.Identifier{tenantdb.SchemaName(acme.ID), "note"}.Sanitize()
	if _, err := pool.Exec(ctx, `ALTER TABLE `+table+` DROP COLUMN title`); err != nil {
		panic(err)
	}

	status, err := catalog.MigrationStatus(ctx)
	if err != nil {
		panic(err)
	}
	for _, s := range status {
		fmt.Println(s.State, s.Drift)
	}
	// Output:
	// drifted [column note.title: missing]
}

// exampleCatalogs opens catalogs with different migrations on one database. The pool is
// that of the control role.
func exampleCatalogs() (pool *pgxpool.Pool, open func(fs.FS) *tenantdb.Catalog, done func()) {
	ctx := context.Background()
	d := newExampleDatabase()
	owner, err := pgx.Connect(ctx, d.url)
	if err != nil {
		panic(err)
	}
	defer owner.Close(ctx)
	if err := tenantdb.Setup(ctx, owner, tenantdb.Roles{Gateway: d.gateway, Control: d.control, ControlPassword: "control"}); err != nil {
		panic(err)
	}
	pool, err = pgxpool.New(ctx, d.as(d.control, "control"))
	if err != nil {
		panic(err)
	}
	open = func(migrations fs.FS) *tenantdb.Catalog {
		catalog, err := tenantdb.OpenCatalog(ctx, pool, tenantdb.CatalogConfig{Migrations: migrations, Gateways: []string{d.gateway}})
		if err != nil {
			panic(err)
		}
		return catalog
	}
	return pool, open, func() {
		pool.Close()
		d.drop()
	}
}
