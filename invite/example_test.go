package invite_test

import (
	"fmt"

	"github.com/tenantwall/tenantwall/invite"
)

// Each role of the ladder may do all that those below it may.
func ExampleDefaultRoles() {
	roles := invite.DefaultRoles()
	fmt.Println(roles.Covers(invite.RoleAdmin, invite.RoleMember))
	fmt.Println(roles.Covers(invite.RoleViewer, invite.RoleMember))
	fmt.Println(roles.Has(invite.RoleAdmin, invite.PermManageTenant))
	// Output:
	// true
	// false
	// false
}

// A product has roles of its own, which need not be a ladder: here neither of the two below
// the owner is above the other, and so neither may appoint the other.
func ExampleNewRoles() {
	const (
		publish invite.Permission = "articles:publish"
		bill    invite.Permission = "bills:pay"
	)
	roles, err := invite.NewRoles(
		invite.RoleDef{Name: "publisher", Permissions: []invite.Permission{publish, bill, invite.PermManageMembers}},
		invite.RoleDef{Name: "editor", Permissions: []invite.Permission{publish, invite.PermManageMembers}},
		invite.RoleDef{Name: "accountant", Permissions: []invite.Permission{bill}},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(roles.Owner())
	fmt.Println(roles.Covers("editor", "accountant"), roles.Covers("accountant", "editor"))
	// Output:
	// publisher
	// false false
}
