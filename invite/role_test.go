package invite_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/invite"
)

func TestRolesAreOrdered(t *testing.T) {
	t.Parallel()
	roles := []invite.Role{invite.RoleViewer, invite.RoleMember, invite.RoleAdmin, invite.RoleOwner}
	for i, r := range roles {
		for j, least := range roles {
			assert.Equal(t, i >= j, r.AtLeast(least), "%s at least %s", r, least)
		}
	}
}

func TestWhatIsNoRoleMayDoNothing(t *testing.T) {
	t.Parallel()
	for _, none := range []invite.Role{"", "Owner", "owner ", "root"} {
		assert.False(t, none.AtLeast(invite.RoleViewer), "%q", none)
		assert.False(t, none.AtLeast(none), "%q", none)
		assert.False(t, invite.RoleOwner.AtLeast(none), "%q", none)
		_, err := invite.ParseRole(string(none))
		require.ErrorIs(t, err, invite.ErrBadRole, "%q", none)
	}
	admin, err := invite.ParseRole("admin")
	require.NoError(t, err)
	assert.Equal(t, invite.RoleAdmin, admin)
}
