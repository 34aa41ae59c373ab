package invite

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tenantwall/tenantwall/tenant"
)

// RoleDef is a role and what it may do, for [NewRoles].
type RoleDef struct {
	Name        Role // 1 to MaxRoleLen characters of a-z, 0-9, - and _
	Permissions []Permission
}

// Roles are the roles of a product. They are sets of permissions and need not be a ladder:
// one role is above another when it may do all that the other may. Nobody gives or takes a
// role with a permission that their own has not.
//
// Roles never change, and may be used by several goroutines at once.
type Roles struct {
	names []Role // as they were defined, the owner's first
	sets  map[Role]map[Permission]struct{}
}

// NewRoles makes the roles of a product, up to [MaxRoles]. The first is the owner's, of
// which every tenant keeps at least one: it has every permission that any role has, among
// them [PermManageMembers], and no other role has them all. A role of the product's that
// is dropped stays with those who have it, and may do nothing.
func NewRoles(defs ...RoleDef) (*Roles, error) {
	if len(defs) == 0 || len(defs) > MaxRoles {
		return nil, fmt.Errorf("invite: %d roles: there are 1 to %d, the owner's first", len(defs), MaxRoles)
	}
	r := &Roles{sets: make(map[Role]map[Permission]struct{}, len(defs))}
	for _, def := range defs {
		if err := r.define(def); err != nil {
			return nil, fmt.Errorf("invite: role %q: %w", def.Name, err)
		}
	}
	owner := r.Owner()
	if !r.Has(owner, PermManageMembers) {
		return nil, fmt.Errorf("invite: role %q: the first role is the owner's, and needs the permission %q", owner, PermManageMembers)
	}
	for _, other := range r.names[1:] {
		if !r.Covers(owner, other) {
			return nil, fmt.Errorf("invite: role %q: it has a permission that %q, the owner's role, has not", other, owner)
		}
		if r.Covers(other, owner) {
			return nil, fmt.Errorf("invite: role %q: it has all permissions of %q, the owner's role", other, owner)
		}
	}
	return r, nil
}

func (r *Roles) define(def RoleDef) error {
	if def.Name == "" || len(def.Name) > MaxRoleLen || strings.Trim(string(def.Name), "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		return fmt.Errorf("a name has 1 to %d characters of a-z, 0-9, - and _", MaxRoleLen)
	}
	if _, twice := r.sets[def.Name]; twice {
		return errors.New("it is defined twice")
	}
	if len(def.Permissions) > MaxPermissions {
		return fmt.Errorf("%d permissions, and the most is %d", len(def.Permissions), MaxPermissions)
	}
	set := make(map[Permission]struct{}, len(def.Permissions))
	for _, p := range def.Permissions {
		if p == "" {
			return errors.New("one of its permissions is empty")
		}
		set[p] = struct{}{}
	}
	r.names = append(r.names, def.Name)
	r.sets[def.Name] = set
	return nil
}

// DefaultRoles are the ladder owner > admin > member > viewer: viewers read, members write
// too, admins manage members too, and owners the tenant itself.
func DefaultRoles() *Roles {
	all := []Permission{PermRead, PermWrite, PermManageMembers, PermManageTenant}
	r, err := NewRoles(
		RoleDef{RoleOwner, all},
		RoleDef{RoleAdmin, all[:3]},
		RoleDef{RoleMember, all[:2]},
		RoleDef{RoleViewer, all[:1]},
	)
	if err != nil {
		panic(err) // it depends on nothing
	}
	return r
}

// Owner is the role of which a tenant keeps at least one member.
func (r *Roles) Owner() Role { return r.names[0] }

// Names are all roles, the owner's first, in the order in which they were defined.
func (r *Roles) Names() []Role { return slices.Clone(r.names) }

// Permissions are what a role allows, in alphabetical order; nothing when there is no such
// role.
func (r *Roles) Permissions(of Role) []Permission { return slices.Sorted(maps.Keys(r.sets[of])) }

// Parse is the role with a name. The error is a [tenant.Error] of the code
// [tenant.CodeValidationFailed] that says which roles there are, and [ErrBadRole].
func (r *Roles) Parse(name string) (Role, error) {
	if _, known := r.sets[Role(name)]; known {
		return Role(name), nil
	}
	known := make([]string, len(r.names))
	for i, n := range r.names {
		known[i] = string(n)
	}
	return "", invalid("role", fmt.Errorf("%w: the roles are %s", ErrBadRole, strings.Join(known, ", ")))
}

// Has reports whether a role allows p. A role that is unknown allows nothing.
func (r *Roles) Has(role Role, p Permission) bool {
	_, has := r.sets[role][p]
	return has
}

// Covers reports whether a member with a role may do all that one with the other role may.
// It is false if either is unknown.
func (r *Roles) Covers(role, other Role) bool {
	set, known := r.sets[role]
	wanted, also := r.sets[other]
	if !known || !also {
		return false
	}
	for p := range wanted {
		if _, has := set[p]; !has {
			return false
		}
	}
	return true
}

// knows reports whether any role has the permission.
func (r *Roles) knows(p Permission) bool { return r.Has(r.Owner(), p) }

// invalid is what a client is told of a field that is not valid.
func invalid(field string, err error) *tenant.Error {
	return &tenant.Error{
		Code:   tenant.CodeValidationFailed,
		Detail: "some fields are not valid",
		Fields: []tenant.FieldError{{Field: field, Message: err.Error()}},
		Err:    err,
	}
}
