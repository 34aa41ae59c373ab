package invite

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantwall/tenantwall/tenant"
)

// Members knows who belongs to which tenant, and who is invited. Make one with [Open]. It
// may be used by several goroutines at once, and several processes may each have one.
//
// All changes of one tenant's members and invitations take turns, so that none passes the
// limit of seats or takes the last owner. Each is one transaction with its events, see
// [tenantdb.Catalog.Events]. Users act as the members that they are at that moment, and
// only in a tenant that is active: their errors are [ErrNotAMember], [ErrForbidden] and
// those of [tenant.Tenant.Usable]. A tenant that is deleted has the error [tenant.ErrGone],
// one that never was [tenant.ErrNotFound].
type Members struct {
	pool  *pgxpool.Pool
	cfg   Config
	cache *Cache
}

// MaxListed bounds [Members.OfUser], which is not paged.
const MaxListed = 1000

// pageSize is how many rows a sequence reads at a time.
const pageSize = 500

// Roles are the product's.
func (m *Members) Roles() *Roles { return m.cfg.Roles }

// Cache remembers memberships, and forgets those that are changed by m at once. It is what
// a [Guard] asks.
func (m *Members) Cache() *Cache { return m.cache }

// Get is the membership of a user in a tenant, read from the database at each call. The error
// is [ErrNotAMember] when there is none, also for a tenant that does not exist. The tenant's
// status is not looked at.
func (m *Members) Get(ctx context.Context, in tenant.ID, userID string) (Member, error) {
	found, err := readMember(ctx, m.pool, in, userID)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return Member{}, ErrNotAMember
	case err != nil:
		return Member{}, fmt.Errorf("invite: %w", err)
	}
	return found, nil
}

// OfTenant lists a tenant's members in the order in which they joined. It reads page by
// page: no connection is held while the caller works, and members who join or leave
// meanwhile may be listed or not. The sequence ends with an error if there is one.
func (m *Members) OfTenant(ctx context.Context, in tenant.ID) iter.Seq2[Member, error] {
	return func(yield func(Member, error) bool) {
		var after *time.Time
		var user string
		for {
			rows, _ := m.pool.Query(ctx, sqlMembers, in, after, user, pageSize) // CollectRows tells the error
			page, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Member, error) { return scanMember(row) })
			if err != nil {
				yield(Member{}, fmt.Errorf("invite: list members: %w", err))
				return
			}
			for _, found := range page {
				if !yield(found, nil) {
					return
				}
			}
			if len(page) < pageSize {
				return
			}
			last := page[len(page)-1]
			after, user = &last.JoinedAt, last.UserID
		}
	}
}

// OfUser lists the tenants that a user belongs to, deleted ones left out, in the order of
// their slugs, the first [MaxListed] of them.
func (m *Members) OfUser(ctx context.Context, userID string) ([]Membership, error) {
	if !isUserID(userID) {
		return nil, nil
	}
	rows, _ := m.pool.Query(ctx, sqlTenants, userID, MaxListed) // CollectRows tells the error
	memberships, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (found Membership, err error) {
		err = scanTenant(&found.Tenant, row, &found.Role, &found.Version)
		return found, err
	})
	if err != nil {
		return nil, fmt.Errorf("invite: list a user's tenants: %w", err)
	}
	return memberships, nil
}

// Forget removes all members and invitations of a tenant, in a transaction of the
// caller's on a connection of the control role. It is made for
// [tenantdb.CatalogConfig.OnPurge], and asks nobody: the tenant is to be gone already.
func Forget(ctx context.Context, tx pgx.Tx, in tenant.ID) error {
	if _, err := tx.Exec(ctx, sqlForget, in); err != nil {
		return fmt.Errorf("invite: forget the people of a tenant: %w", err)
	}
	return nil
}

// now is the time for what is stored, in the precision that it is stored with.
func (m *Members) now() time.Time { return m.cfg.Now().UTC().Truncate(time.Microsecond) }
