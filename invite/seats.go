package invite

import (
	"context"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5"

	"github.com/tenantwall/tenantwall/tenant"
)

// NoSeatLimit is the limit of a tenant that may have as many members as it likes.
const NoSeatLimit = math.MaxInt

// Seats says how many members a tenant may have.
type Seats interface {
	// SeatLimit is how many members and pending invitations t may have together; zero or
	// less is none. It runs in the transaction tx, which holds t until it ends: a plan that
	// is read here stays in force for what is decided. It must not change members. With an
	// error nobody joins.
	SeatLimit(ctx context.Context, tx pgx.Tx, t tenant.Tenant) (int, error)
}

// SeatsFunc makes [Seats] of a function.
type SeatsFunc func(ctx context.Context, tx pgx.Tx, t tenant.Tenant) (int, error)

// SeatLimit calls f.
func (f SeatsFunc) SeatLimit(ctx context.Context, tx pgx.Tx, t tenant.Tenant) (int, error) {
	return f(ctx, tx, t)
}

// SeatsUsed is how many seats of a tenant are taken: by its members, and by its pending
// invitations until they expire.
func (m *Members) SeatsUsed(ctx context.Context, in tenant.ID) (int, error) {
	var used int
	if err := m.pool.QueryRow(ctx, sqlSeatsUsed, in, m.now(), "").Scan(&used); err != nil {
		return 0, fmt.Errorf("invite: count seats: %w", err)
	}
	return used, nil
}

// takeSeat finds out whether there is a seat for an address, that of its own pending
// invitation included.
func (c *change) takeSeat(ctx context.Context, email string) error {
	if c.m.cfg.Seats == nil {
		return nil
	}
	limit, err := c.m.cfg.Seats.SeatLimit(ctx, c.tx, c.tenant)
	if err != nil {
		return fmt.Errorf("seat limit: %w", err)
	}
	var used int
	if err := c.tx.QueryRow(ctx, sqlSeatsUsed, c.tenant.ID, c.now, email).Scan(&used); err != nil {
		return fmt.Errorf("count seats: %w", err)
	}
	if used >= limit {
		return ErrSeatLimit
	}
	return nil
}
