package main

import (
	"cmp"
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/tenantwall/tenantwall/tenant"
)

// plan is what a tenant may use.
type plan struct {
	seats int // members and pending invitations together
}

// defaultPlan is the plan of a tenant that nobody gave another.
const defaultPlan = "free"

var plans = map[string]plan{
	defaultPlan: {seats: 3},
	"pro":       {seats: 50},
}

// isPlan reports whether there is a plan of this name.
func isPlan(name string) bool {
	_, ok := plans[name]
	return ok
}

// planOf is the plan of a tenant. One that this program does not know allows nothing.
func planOf(t tenant.Tenant) plan { return plans[cmp.Or(t.Plan, defaultPlan)] }

// seatLimit is what package invite asks; t is as the transaction holds it.
func seatLimit(_ context.Context, _ pgx.Tx, t tenant.Tenant) (int, error) {
	return planOf(t).seats, nil
}
