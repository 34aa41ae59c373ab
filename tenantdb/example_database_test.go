package tenantdb_test

import (
	"context"
	"net/url"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantwall/tenantwall/internal/pgtest"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// exampleDatabase is an empty database for an example, with names for its roles.
type exampleDatabase struct {
	url              string // its owner's
	gateway, control string
	drop             func()
}

func newExampleDatabase() *exampleDatabase {
	t, done := pgtest.Example()
	return &exampleDatabase{
		url: pgtest.Database(t), gateway: pgtest.Name(t, "gateway"), control: pgtest.Name(t, "control"), drop: done,
	}
}

// as is the URL of another user.
func (d *exampleDatabase) as(user, password string) string {
	u, err := url.Parse(d.url)
	if err != nil {
		panic(err)
	}
	u.User = url.UserPassword(user, password)
	return u.String()
}

// exampleCatalog is a catalog on a database of its own.
func exampleCatalog(change ...func(*tenantdb.CatalogConfig)) (_ *tenantdb.Catalog, done func()) {
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
	pool, err := pgxpool.New(ctx, d.as(d.control, "control"))
	if err != nil {
		panic(err)
	}
	cfg := tenantdb.CatalogConfig{Gateways: []string{d.gateway}}
	for _, f := range change {
		f(&cfg)
	}
	catalog, err := tenantdb.OpenCatalog(ctx, pool, cfg)
	if err != nil {
		panic(err)
	}
	return catalog, func() {
		pool.Close()
		d.drop()
	}
}
