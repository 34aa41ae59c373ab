package invite_test

import (
	"fmt"

	"github.com/tenantwall/tenantwall/invite"
)

// Each role may do all that those below it may.
func ExampleRole_AtLeast() {
	fmt.Println(invite.RoleAdmin.AtLeast(invite.RoleMember))
	fmt.Println(invite.RoleViewer.AtLeast(invite.RoleMember))
	// Output:
	// true
	// false
}
