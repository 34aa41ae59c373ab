package invite

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/tenantwall/tenantwall/tenant"
)

// MaxUserIDLen bounds the id of a user, in bytes.
const MaxUserIDLen = 255

// Member is a user who belongs to a tenant.
type Member struct {
	TenantID tenant.ID
	UserID   string // opaque, up to MaxUserIDLen bytes, not empty
	Email    string // verified when the user joined, in the form of CanonicalEmail
	Role     Role

	// Version grows with each change of the membership, and goes on where it was when a
	// user comes back who had left. It has gaps, and is given by this package.
	Version  int64
	JoinedAt time.Time // in UTC; given by this package
}

// Membership is a tenant that a user belongs to.
type Membership struct {
	Tenant  tenant.Tenant // in whatever status but deleted
	Role    Role
	Version int64 // of the Member
}

// checkUserID refuses what no user's id can be.
func checkUserID(id string) error {
	if isUserID(id) {
		return nil
	}
	return invalid("user_id", fmt.Errorf("a user's id is UTF-8 without zeros, of 1 to %d bytes", MaxUserIDLen))
}

func isUserID(id string) bool {
	return id != "" && len(id) <= MaxUserIDLen && utf8.ValidString(id) && !strings.ContainsRune(id, 0)
}

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// readMember is a member as the database has it. The error is [pgx.ErrNoRows] when there
// is none, also for an id that no user can have.
func readMember(ctx context.Context, q querier, in tenant.ID, userID string) (Member, error) {
	if !isUserID(userID) {
		return Member{}, pgx.ErrNoRows
	}
	m, err := scanMember(q.QueryRow(ctx, sqlMember, in, userID))
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return Member{}, fmt.Errorf("look up a member: %w", err)
	}
	return m, err
}

// scanMember reads the columns of memberColumns.
func scanMember(row pgx.Row) (Member, error) {
	var m Member
	err := row.Scan(&m.TenantID, &m.UserID, &m.Email, &m.Role, &m.Version, &m.JoinedAt)
	m.JoinedAt = m.JoinedAt.UTC()
	return m, err
}

// scanTenant reads the columns of tenantColumns, and those behind them.
func scanTenant(t *tenant.Tenant, row pgx.Row, more ...any) error {
	err := row.Scan(append([]any{&t.ID, &t.Slug, &t.Name, &t.Status, &t.Plan, &t.Version, &t.CreatedAt}, more...)...)
	t.CreatedAt = t.CreatedAt.UTC()
	return err
}
