package quota

import (
	"context"

	"github.com/tenantwall/tenantwall/tenant"
)

// UnitsSource knows what a tenant has really used in a month: the truth, beside which the
// backend only keeps a running count. It is asked when the backend has no count of the
// month, because the month is new or the backend was lost, and again when the count is
// older than [Config.UnitsAge].
//
// Used returns how many units of that name the tenant has used in the period, 0 if none.
// With an error the units are decided by their WhenAway. It is called by many goroutines at
// once, with a context that ends while half of the time-out that was left is still there for
// the backend.
type UnitsSource interface {
	Used(ctx context.Context, in tenant.ID, name string, period Period) (int64, error)
}

// UnitsRecorder is told of each use of units that was admitted, to write it where the bill
// is made from.
//
// Record must not block: it is called on the way of a request. N is below 0 when units are
// given back. It is called by many goroutines at once.
type UnitsRecorder interface {
	Record(ctx context.Context, use UnitsUse)
}

// UnitsUse is some units that a tenant has used.
type UnitsUse struct {
	Tenant tenant.ID
	Name   string
	Period Period
	N      int64
}
