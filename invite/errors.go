package invite

import (
	"errors"

	"github.com/tenantwall/tenantwall/tenant"
)

// Errors that an API client may see, for [errors.Is], which compares their codes.
var (
	// ErrNotAMember says that the one who acts does not belong to the tenant.
	ErrNotAMember = &tenant.Error{Code: tenant.CodeNotAMember, Detail: "the user is no member of the tenant"}

	// ErrForbidden says that the role of the one who acts is too small.
	ErrForbidden = &tenant.Error{Code: tenant.CodeForbidden, Detail: "the role does not allow it"}

	// ErrNotFound says that the tenant has no member or no invitation with the id, which is
	// also said of those of other tenants.
	ErrNotFound = &tenant.Error{Code: tenant.CodeNotFound, Detail: "the tenant has no member or invitation with this id"}

	// ErrAlreadyMember says that the user, or the address, belongs to the tenant already,
	// perhaps in another role; or, see [ErrOneTenant], to another tenant.
	ErrAlreadyMember = &tenant.Error{Code: tenant.CodeAlreadyMember, Detail: "the user is a member of the tenant already"}

	// ErrLastOwner says that the tenant would be without an owner.
	ErrLastOwner = &tenant.Error{Code: tenant.CodeLastOwner, Detail: "a tenant keeps at least one owner: make another member an owner first"}

	// ErrSeatLimit says that members and pending invitations have taken all seats.
	ErrSeatLimit = &tenant.Error{Code: tenant.CodeSeatLimitReached, Detail: "members and pending invitations have taken all seats of the tenant's plan"}

	// ErrInviteExpired says that an invitation can't be accepted: it is expired, revoked,
	// declined, replaced by a later one, accepted by another, its secret was renewed, who
	// sent it may no longer give the role, or it never was. Which of these, nobody is told.
	ErrInviteExpired = &tenant.Error{Code: tenant.CodeInviteExpired, Detail: "the invitation can't be accepted any more"}

	// ErrEmailMismatch says that the invitation is for another address than the user's
	// verified one.
	ErrEmailMismatch = &tenant.Error{Code: tenant.CodeEmailMismatch, Detail: "the invitation is for another e-mail address"}
)

var (
	// ErrOneTenant is the cause of an [ErrAlreadyMember] when the user belongs to another
	// tenant and [Config.OneTenantPerUser] is set.
	ErrOneTenant = errors.New("a user belongs to one tenant only")

	// ErrNotSent is the cause when an invitation was made or renewed but its mail could not
	// be sent. It can be sent again.
	ErrNotSent = errors.New("the mail of the invitation could not be sent")
)

// errOtherTenant is ErrAlreadyMember because of another tenant.
var errOtherTenant = &tenant.Error{
	Code:   tenant.CodeAlreadyMember,
	Detail: "the user belongs to another tenant already, and may belong to one only",
	Err:    ErrOneTenant,
}
