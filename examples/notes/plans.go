package main

import (
	"time"

	"github.com/tenantwall/tenantwall/quota"
)

// defaultPlan is the plan of a tenant that nobody gave another.
const defaultPlan = "free"

// The limits of the plans. While Redis is away each process counts for itself: a service
// that refuses everybody then, or nobody, would be worse than one that is a little generous.
const (
	limitRequests = "requests" // on the routes in a tenant
	limitExports  = "exports"  // that run at a time
)

// plans are those that the service starts with. From then on they are the database's, which
// an operator may change without a new program.
func plans() []quota.Plan {
	return []quota.Plan{
		{
			Name:        defaultPlan,
			Rates:       []quota.Rate{{Name: limitRequests, Limit: 60, Per: time.Minute, Burst: 20, WhenAway: quota.Local}},
			Concurrency: []quota.Concurrency{{Name: limitExports, Limit: 2, WhenAway: quota.Local}},
			Seats:       3,
			Workflow:    quota.Workflow{FairnessWeight: 1},
		},
		{
			Name:        "pro",
			Rates:       []quota.Rate{{Name: limitRequests, Limit: 6000, Per: time.Minute, Burst: 1000, WhenAway: quota.Local}},
			Concurrency: []quota.Concurrency{{Name: limitExports, Limit: 10, WhenAway: quota.Local}},
			Seats:       50,
			Workflow:    quota.Workflow{FairnessWeight: 5},
		},
	}
}
