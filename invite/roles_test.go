package invite_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/tenant"
)

func TestDefaultRolesAreALadder(t *testing.T) {
	t.Parallel()
	roles := invite.DefaultRoles()
	ladder := []invite.Role{invite.RoleOwner, invite.RoleAdmin, invite.RoleMember, invite.RoleViewer}
	assert.Equal(t, ladder, roles.Names())
	assert.Equal(t, invite.RoleOwner, roles.Owner())
	for i, r := range ladder {
		for j, least := range ladder {
			assert.Equal(t, i <= j, roles.Covers(r, least), "%s covers %s", r, least)
		}
		parsed, err := roles.Parse(string(r))
		require.NoError(t, err)
		assert.Equal(t, r, parsed)
	}
	assert.Equal(t, []invite.Permission{invite.PermManageMembers, invite.PermRead, invite.PermWrite}, roles.Permissions(invite.RoleAdmin))
}

func TestWhatIsNoRoleMayDoNothing(t *testing.T) {
	t.Parallel()
	roles := invite.DefaultRoles()
	for _, none := range []invite.Role{"", "Owner", "owner ", "root"} {
		assert.False(t, roles.Covers(none, invite.RoleViewer), "%q", none)
		assert.False(t, roles.Covers(none, none), "%q", none)
		assert.False(t, roles.Covers(invite.RoleOwner, none), "%q", none)
		assert.False(t, roles.Has(none, invite.PermRead), "%q", none)
		assert.Empty(t, roles.Permissions(none), "%q", none)
		_, err := roles.Parse(string(none))
		require.ErrorIs(t, err, invite.ErrBadRole, "%q", none)
		require.ErrorContains(t, err, "owner, admin, member, viewer")
		var told *tenant.Error
		require.ErrorAs(t, err, &told)
		assert.Equal(t, tenant.CodeValidationFailed, told.Code)
		assert.Equal(t, "role", told.Fields[0].Field)
	}
}

func TestRolesDontChange(t *testing.T) {
	t.Parallel()
	permissions := []invite.Permission{invite.PermManageMembers}
	roles, err := invite.NewRoles(invite.RoleDef{Name: "boss", Permissions: permissions})
	require.NoError(t, err)
	permissions[0] = "other"
	roles.Names()[0] = "other"
	assert.Equal(t, invite.Role("boss"), roles.Owner())
	assert.True(t, roles.Has("boss", invite.PermManageMembers))
}

func TestRolesThatCantBeAreRefused(t *testing.T) {
	t.Parallel()
	def := func(name string, permissions ...invite.Permission) invite.RoleDef {
		return invite.RoleDef{Name: invite.Role(name), Permissions: permissions}
	}
	boss := def("boss", invite.PermManageMembers, "a")
	for want, defs := range map[string][]invite.RoleDef{
		"0 roles":                     {},
		"101 roles":                   slices.Repeat([]invite.RoleDef{boss}, invite.MaxRoles+1),
		"defined twice":               {boss, boss},
		`role "": a name`:             {boss, def("")},
		`role "Boss": a name`:         {def("Boss")},
		"a name has 1 to 50":          {boss, def(strings.Repeat("x", invite.MaxRoleLen+1))},
		"permissions is empty":        {boss, def("x", "")},
		"1001 permissions":            {boss, def("x", make([]invite.Permission, invite.MaxPermissions+1)...)},
		"needs the permission":        {def("boss", "a")},
		`a permission that "boss"`:    {boss, def("x", "b")},
		`all permissions of "boss"`:   {boss, def("x", "a", invite.PermManageMembers)},
		`"x": it has a permission th`: {def("boss", invite.PermManageMembers), def("x", invite.PermManageMembers, "a")},
	} {
		_, err := invite.NewRoles(defs...)
		require.ErrorContains(t, err, want)
	}
}
