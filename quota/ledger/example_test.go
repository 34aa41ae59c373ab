package ledger_test

import (
	"fmt"
	"time"

	"github.com/tenantwall/tenantwall/quota"
	"github.com/tenantwall/tenantwall/quota/ledger"
)

// An override raises what one tenant may use, and leaves its plan to all others.
func ExampleOverride_Apply() {
	free := quota.Plan{
		Name: "free", Seats: 3,
		Rates: []quota.Rate{{Name: "requests", Limit: 60, Per: time.Minute, Burst: 20}},
	}
	trial := ledger.Override{
		Rates: []quota.Rate{{Name: "requests", Limit: 600, Per: time.Minute}},
		Seats: new(10),
	}
	own := trial.Apply(free)
	fmt.Println(own.Name, own.Rates[0].Limit, own.Seats)
	fmt.Println(free.Name, free.Rates[0].Limit, free.Seats)
	// Output:
	// free 600 10
	// free 60 3
}
