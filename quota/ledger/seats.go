package ledger

import (
	"cmp"
	"context"
	"math"

	"github.com/jackc/pgx/v5"

	"github.com/tenantwall/tenantwall/quota"
	"github.com/tenantwall/tenantwall/tenant"
)

// SeatLimit is how many members t may have by its plan and its override, for package invite,
// whose Seats a [Ledger] is: 0 for none, [math.MaxInt] for as many as it likes. It reads both
// in the transaction tx, not from memory, by t.Plan as the caller holds it; an override is
// changed by whoever holds the tenant, so it stays until tx ends. With an error nobody is to
// join; it is that of [Ledger.Plan].
func (l *Ledger) SeatLimit(ctx context.Context, tx pgx.Tx, t tenant.Tenant) (int, error) {
	key := planKey{t.ID, cmp.Or(t.Plan, l.cfg.Default)}
	a, err := readPlan(ctx, tx, key)
	if err != nil {
		return 0, err
	}
	plan, err := a.result(key)
	if err != nil {
		return 0, err
	}
	if plan.Seats == quota.Unlimited {
		return math.MaxInt, nil
	}
	return plan.Seats, nil
}
