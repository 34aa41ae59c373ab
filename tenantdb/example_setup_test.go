package tenantdb_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantwall/tenantwall/tenantdb"
)

// The owner of a database prepares it once, in a migration or by hand. It may be called
// again: what is as it should be stays.
func ExampleSetup() {
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
	fmt.Println(err)
	// Output: <nil>
}

// A login that can do more than become one tenant at a time is found out when the service
// starts, before it serves anybody.
func ExampleOpen() {
	ctx := context.Background()
	database := newExampleDatabase()
	defer database.drop()
	pool, err := pgxpool.New(ctx, database.url) // the owner's, by mistake
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pool.Close()

	_, err = tenantdb.Open(ctx, pool)
	if audit, ok := errors.AsType[*tenantdb.AuditError](err); ok {
		first := audit.Findings[0] // it has the Problem in words, and mostly the SQL that mends it, in Fix
		fmt.Println(first.Code)
	}
	// Output: login_is_superuser
}

// An operator, or a check in a pipeline, asks the same without opening anything.
func ExampleAudit() {
	ctx := context.Background()
	gateway, _, done := exampleLogins()
	defer done()

	findings, err := tenantdb.Audit(ctx, gateway)
	for _, finding := range findings {
		fmt.Println(finding.Code, finding.Warning)
		fmt.Println(finding.Problem)
		fmt.Println(finding.Fix)
	}
	fmt.Println(len(findings), err)
	// Output: 0 <nil>
}
