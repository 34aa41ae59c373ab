package invite

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// Bounds of what a [Member] holds and of the lists, which are not paged.
const (
	MaxUserIDLen = 255  // bytes
	MaxEmailLen  = 254  // bytes; the longest address that SMTP carries (RFC 5321, 4.5.3.1.3)
	MaxListed    = 1000 // members of a tenant, tenants of a user
)

// ErrNotAMember says that the user does not belong to the tenant.
var ErrNotAMember = &tenant.Error{Code: tenant.CodeNotAMember, Detail: "the user is no member of the tenant"}

// ErrAlreadyMember says that the user belongs to the tenant already, perhaps in another role.
var ErrAlreadyMember = &tenant.Error{Code: tenant.CodeAlreadyMember, Detail: "the user is a member of the tenant already"}

// Member is a user who belongs to a tenant.
type Member struct {
	TenantID tenant.ID
	UserID   string // opaque, up to MaxUserIDLen bytes, not empty
	Email    string // verified when the user joined, up to MaxEmailLen bytes
	Role     Role
	Version  int64     // grows with each change, starting at 1; Add sets it
	JoinedAt time.Time // in UTC; Add sets it
}

// Membership is a tenant that a user belongs to.
type Membership struct {
	Tenant tenant.Tenant // in whatever status but deleted
	Role   Role
}

// Members knows who belongs to which tenant. It may be used by several goroutines at once.
type Members struct{ pool *pgxpool.Pool }

//go:embed control/*.sql
var controlFiles embed.FS

// Open makes or migrates this package's tables and returns what works on them. The pool
// is one that is signed in as the control role, see [tenantdb.Setup], and its catalog is
// to be opened first, see [tenantdb.OpenCatalog]: the tables refer to its own. The pool
// stays the caller's to close.
func Open(ctx context.Context, pool *pgxpool.Pool) (*Members, error) {
	if pool == nil {
		return nil, errors.New("invite: pool is nil: it needs a pool signed in as the control role")
	}
	files, err := fs.Sub(controlFiles, "control")
	if err != nil {
		return nil, fmt.Errorf("invite: %w", err)
	}
	if err := tenantdb.MigrateControl(ctx, pool, "invite", files); err != nil {
		return nil, fmt.Errorf("invite: %w", err)
	}
	return &Members{pool: pool}, nil
}

// Add makes a user a member, in a transaction of the caller's on a connection of the
// control role, such as that of [tenantdb.NewTenant]'s Seed. The errors are
// [ErrAlreadyMember], after which the transaction can go on, [ErrBadRole], and others for
// fields that do not keep to their bounds.
func Add(ctx context.Context, tx pgx.Tx, who Member) error {
	if err := who.check(); err != nil {
		return fmt.Errorf("invite: %w", err)
	}
	const sql = `
		INSERT INTO tenantwall.membership (tenant_id, user_id, email, role) VALUES ($1, $2, $3, $4)
		ON CONFLICT (tenant_id, user_id) DO NOTHING`
	tag, err := tx.Exec(ctx, sql, who.TenantID, who.UserID, who.Email, who.Role)
	if err != nil {
		return fmt.Errorf("invite: add a member: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return ErrAlreadyMember
	}
	return nil
}

// Get is the membership of a user in a tenant, read from the database at each call. The
// error is [ErrNotAMember] when there is none, also for a tenant that does not exist.
func (m *Members) Get(ctx context.Context, in tenant.ID, userID string) (Member, error) {
	const sql = `
		SELECT tenant_id, user_id, email, role, version, joined_at FROM tenantwall.membership
		WHERE tenant_id = $1 AND user_id = $2`
	rows, _ := m.pool.Query(ctx, sql, in, userID) // CollectExactlyOneRow tells the error
	found, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Member])
	if errors.Is(err, pgx.ErrNoRows) {
		return Member{}, ErrNotAMember
	}
	if err != nil {
		return Member{}, fmt.Errorf("invite: look up a member: %w", err)
	}
	found.JoinedAt = found.JoinedAt.UTC()
	return found, nil
}

// OfTenant lists a tenant's members in the order in which they joined, the first
// [MaxListed] of them.
func (m *Members) OfTenant(ctx context.Context, in tenant.ID) ([]Member, error) {
	const sql = `
		SELECT tenant_id, user_id, email, role, version, joined_at FROM tenantwall.membership
		WHERE tenant_id = $1 ORDER BY joined_at, user_id LIMIT $2`
	rows, _ := m.pool.Query(ctx, sql, in, MaxListed) // CollectRows tells the error
	members, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Member])
	if err != nil {
		return nil, fmt.Errorf("invite: list members: %w", err)
	}
	for i := range members {
		members[i].JoinedAt = members[i].JoinedAt.UTC()
	}
	return members, nil
}

// OfUser lists the tenants that a user belongs to, deleted ones left out, in the order of
// their slugs, the first [MaxListed] of them.
func (m *Members) OfUser(ctx context.Context, userID string) ([]Membership, error) {
	const sql = `
		SELECT t.id, t.slug, t.name, t.status, t.plan, t.version, t.created_at, m.role
		FROM tenantwall.membership m JOIN tenantwall.tenant t ON t.id = m.tenant_id
		WHERE m.user_id = $1 AND t.status <> 'deleted' ORDER BY t.slug LIMIT $2`
	rows, _ := m.pool.Query(ctx, sql, userID, MaxListed) // CollectRows tells the error
	memberships, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (found Membership, err error) {
		t := &found.Tenant
		err = row.Scan(&t.ID, &t.Slug, &t.Name, &t.Status, &t.Plan, &t.Version, &t.CreatedAt, &found.Role)
		t.CreatedAt = t.CreatedAt.UTC()
		return found, err
	})
	if err != nil {
		return nil, fmt.Errorf("invite: list a user's tenants: %w", err)
	}
	return memberships, nil
}

// check says what is wrong with a member to be added.
func (m Member) check() error {
	switch {
	case m.TenantID.IsZero():
		return errors.New("the member is of no tenant")
	case m.UserID == "" || len(m.UserID) > MaxUserIDLen || !storable(m.UserID):
		return fmt.Errorf("a user's id is UTF-8 without zeros, of 1 to %d bytes", MaxUserIDLen)
	case m.Email == "" || len(m.Email) > MaxEmailLen || !storable(m.Email):
		return fmt.Errorf("an e-mail address is UTF-8 without zeros, of 1 to %d bytes", MaxEmailLen)
	case m.Role.rank() < 0:
		return ErrBadRole
	}
	return nil
}

// storable reports whether PostgreSQL takes s as text.
func storable(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }
