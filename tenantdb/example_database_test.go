package tenantdb_test

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantwall/tenantwall/internal/pgtest"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// exampleTest stands for the test that an example has not.
type exampleTest struct {
	testing.TB // nil: what is not overridden here is not called
	cleanups   []func()
}

func (*exampleTest) Name() string              { return "Example" }
func (*exampleTest) Helper()                   {}
func (*exampleTest) Fatal(args ...any)         { panic(fmt.Sprint(args...)) }
func (*exampleTest) Fatalf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }
func (x *exampleTest) Cleanup(fn func())       { x.cleanups = append(x.cleanups, fn) }

// exampleDatabase is an empty database for an example, with names for its roles.
type exampleDatabase struct {
	test             exampleTest
	url              string // its owner's
	gateway, control string
}

func newExampleDatabase() *exampleDatabase {
	d := &exampleDatabase{}
	d.url = pgtest.Database(&d.test)
	d.gateway, d.control = pgtest.Name(&d.test, "gateway"), pgtest.Name(&d.test, "control")
	return d
}

func (d *exampleDatabase) drop() {
	for _, fn := range slices.Backward(d.test.cleanups) {
		fn()
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
func exampleCatalog() (_ *tenantdb.Catalog, done func()) {
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
	catalog, err := tenantdb.OpenCatalog(ctx, pool, tenantdb.CatalogConfig{Gateways: []string{d.gateway}})
	if err != nil {
		panic(err)
	}
	return catalog, func() {
		pool.Close()
		d.drop()
	}
}
