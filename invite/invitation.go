package invite

import (
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tenantwall/tenantwall/tenant"
)

// Invitation is an address that was asked to join a tenant. It has no secret: that is told
// to the [Sender] alone.
type Invitation struct {
	ID         string // opaque; of the tenant, and asked for together with it
	TenantID   tenant.ID
	Email      string // in the form of CanonicalEmail
	Role       Role
	InvitedBy  string // the user who vouches for the role; empty for the program
	Status     Status
	AcceptedBy string    // the user who joined with it; empty unless StatusAccepted
	CreatedAt  time.Time // in UTC
	ExpiresAt  time.Time // in UTC; from then on it can't be accepted
}

// Status is what has become of an invitation.
type Status string

// The statuses of an invitation. Only one that is pending can be accepted.
const (
	StatusPending  Status = "pending"
	StatusExpired  Status = "expired" // can be sent again
	StatusAccepted Status = "accepted"
	StatusDeclined Status = "declined"
	StatusRevoked  Status = "revoked"
	StatusReplaced Status = "replaced" // by a later one of the address, or because it joined in another way
)

// scanInvitation reads the columns of invitationColumns, and those behind them.
func scanInvitation(row pgx.Row, more ...any) (Invitation, error) {
	var i Invitation
	err := row.Scan(append([]any{
		&i.ID, &i.TenantID, &i.Email, &i.Role, &i.InvitedBy, &i.Status, &i.AcceptedBy, &i.CreatedAt, &i.ExpiresAt,
	}, more...)...)
	i.CreatedAt, i.ExpiresAt = i.CreatedAt.UTC(), i.ExpiresAt.UTC()
	return i, err
}

// at is the invitation as it is at a moment. Expired is no status of the database's,
// because nothing happens there when time goes by.
func (i Invitation) at(now time.Time) Invitation {
	if i.Status == StatusPending && !i.ExpiresAt.After(now) {
		i.Status = StatusExpired
	}
	return i
}

// describeInvitation is what an event says of an invitation.
func describeInvitation(i Invitation, by Actor) map[string]string {
	said := map[string]string{"invitation": i.ID, "role": string(i.Role)}
	if name := by.name(); name != "" {
		said["by"] = name
	}
	return said
}
