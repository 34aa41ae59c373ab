package invite

import "errors"

// Role is the name of what a member may do in a tenant. What it means is said by [Roles];
// a role that they do not know may do nothing, and so may the zero Role.
type Role string

// The roles of [DefaultRoles], the highest first. Each may do all that those below it may.
const (
	RoleOwner  Role = "owner"
	RoleAdmin  Role = "admin"
	RoleMember Role = "member"
	RoleViewer Role = "viewer" // only reads
)

// Permission is the name of something that a role allows. A product adds its own.
type Permission string

// The permissions of [DefaultRoles]. Of these, this package itself asks for
// PermManageMembers alone.
const (
	PermRead          Permission = "read"
	PermWrite         Permission = "write"
	PermManageMembers Permission = "members:manage" // invite, change roles, remove
	PermManageTenant  Permission = "tenant:manage"  // rename, delete
)

// Bounds of [NewRoles].
const (
	MaxRoles       = 100
	MaxRoleLen     = 50 // bytes
	MaxPermissions = 1000
)

// ErrBadRole says that a text is the name of no role of the product's.
var ErrBadRole = errors.New("unknown role")
