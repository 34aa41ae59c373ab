package ledger_test

import (
	"context"
	"fmt"
	"time"

	"github.com/tenantwall/tenantwall/internal/pgtest"
	"github.com/tenantwall/tenantwall/quota"
	"github.com/tenantwall/tenantwall/quota/ledger"
)

// A limiter that decides by stored plans, and whose units are on the books.
func ExampleLedger() {
	t, done := pgtest.Example()
	defer done()
	ctx, database := context.Background(), setUp(t)
	acme := database.create(t, "acme-corp", "") // on no plan, and so on the default one

	book, err := ledger.Open(ctx, database.control, ledger.Config{ // a pool as the control role
		Default: "free",
		Plans: []quota.Plan{
			{Name: "free", Seats: 3, Units: []quota.Units{{Name: "exports", Limit: 2}}},
			{Name: "pro", Seats: 50, Units: []quota.Units{{Name: "exports", Limit: 100}}},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer book.Close(ctx)                                                                            // writes what was used
	limiter, err := quota.New(quota.NewMemory(nil), book, quota.Config{Units: book, Recorder: book}) // NewRedis in a service
	if err != nil {
		fmt.Println(err)
		return
	}
	defer limiter.Close(ctx)

	export := quota.Request{Costs: []quota.Cost{{Limit: "exports", N: 1}}}
	for range 3 {
		d, err := limiter.Admit(ctx, acme, export)
		fmt.Println(d.Allowed, err)
	}

	// A customer asks for more, and gets it: this process knows at once.
	err = book.SetOverride(ctx, acme.ID, ledger.Override{Units: []quota.Units{{Name: "exports", Limit: 10}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	d, err := limiter.Admit(ctx, acme, export)
	fmt.Println(d.Allowed, err)

	// The bill.
	if err := book.Flush(ctx); err != nil {
		fmt.Println(err)
		return
	}
	for usage, err := range book.Usage(ctx, ledger.UsageOptions{}) {
		fmt.Println(usage.Tenant == acme.ID, usage.Name, usage.Used, err)
	}
	// Output:
	// true <nil>
	// true <nil>
	// false <nil>
	// true <nil>
	// true exports 3 <nil>
}

// A plan is changed while the service runs; what it was is kept.
func ExampleLedger_PutPlan() {
	t, done := pgtest.Example()
	defer done()
	ctx, database := context.Background(), setUp(t)
	acme := database.create(t, "acme-corp", "free")
	free := quota.Plan{Name: "free", Rates: []quota.Rate{{Name: "requests", Limit: 60, Per: time.Minute}}}
	book, err := ledger.Open(ctx, database.control, ledger.Config{Plans: []quota.Plan{free}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer book.Close(ctx)

	free.Rates[0].Limit = 120
	changed, err := book.PutPlan(ctx, free)
	fmt.Println(changed.Version, err)
	now, err := book.Plan(ctx, acme)
	fmt.Println(now.Rates[0].Limit, err)
	before, err := book.PlanVersion(ctx, "free", 1)
	fmt.Println(before.Rates[0].Limit, err)
	// Output:
	// 2 <nil>
	// 120 <nil>
	// 60 <nil>
}
