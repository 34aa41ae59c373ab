package invite

import (
	"errors"
	"slices"
)

// Role is what a member may do in a tenant. Each role may do all that those below it may.
// The zero Role may do nothing.
type Role string

// The roles, the highest first.
const (
	RoleOwner  Role = "owner"
	RoleAdmin  Role = "admin"
	RoleMember Role = "member"
	RoleViewer Role = "viewer" // only reads
)

// ascending has the roles from the lowest to the highest.
var ascending = [...]Role{RoleViewer, RoleMember, RoleAdmin, RoleOwner}

// ErrBadRole says that a text is the name of no role.
var ErrBadRole = errors.New("unknown role: the roles are owner, admin, member and viewer")

// ParseRole is the role with a name, or [ErrBadRole].
func ParseRole(name string) (Role, error) {
	if r := Role(name); r.rank() >= 0 {
		return r, nil
	}
	return "", ErrBadRole
}

// AtLeast reports whether r is the role least or a higher one. It is false if either is
// no role.
func (r Role) AtLeast(least Role) bool {
	return least.rank() >= 0 && r.rank() >= least.rank()
}

// rank is r's place among the roles, from 0 for the lowest, and -1 for what is no role.
func (r Role) rank() int { return slices.Index(ascending[:], r) }
