package invite_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

func TestRow29_NobodyGivesOrTakesARoleAboveTheirOwn(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.staffed(t, "acme-corp")
	s.join(t, acme, "owner-2", invite.RoleOwner)
	s.join(t, acme, "admin-2", invite.RoleAdmin)
	for _, test := range []struct {
		by, user string
		role     invite.Role
		want     error
	}{
		{"admin", "member", invite.RoleOwner, invite.ErrForbidden},
		{"admin", "admin", invite.RoleOwner, invite.ErrForbidden},
		{"admin", "owner", invite.RoleAdmin, invite.ErrForbidden},
		{"admin", "owner", invite.RoleViewer, invite.ErrForbidden},
		{"member", "viewer", invite.RoleViewer, invite.ErrForbidden},
		{"member", "member", invite.RoleViewer, invite.ErrForbidden},
		{"member", "viewer", invite.RoleMember, invite.ErrForbidden},
		{"viewer", "viewer", invite.RoleOwner, invite.ErrForbidden},
		{"viewer", "nobody", invite.RoleOwner, invite.ErrForbidden}, // who may not ask isn't told who is a member
		{"stranger", "viewer", invite.RoleViewer, invite.ErrNotAMember},
		{"", "viewer", invite.RoleViewer, invite.ErrNotAMember},
		{"admin", "nobody", invite.RoleViewer, invite.ErrNotFound},
		{"admin", "member", "root", invite.ErrBadRole},
	} {
		_, err := s.members.ChangeRole(t.Context(), acme.ID, invite.By(test.by), test.user, test.role)
		require.ErrorIs(t, err, test.want, "%s makes %s %s", test.by, test.user, test.role)
	}
	for _, test := range []struct {
		by, user string
		want     error
	}{
		{"admin", "owner", invite.ErrForbidden},
		{"member", "viewer", invite.ErrForbidden},
		{"viewer", "nobody", invite.ErrForbidden},
		{"stranger", "viewer", invite.ErrNotAMember},
		{"stranger", "stranger", invite.ErrNotAMember},
		{"", "", invite.ErrNotAMember},
		{"admin", "nobody", invite.ErrNotFound},
	} {
		err := s.members.Remove(t.Context(), acme.ID, invite.By(test.by), test.user)
		require.ErrorIs(t, err, test.want, "%s removes %s", test.by, test.user)
	}
	_, err := s.members.ChangeRole(t.Context(), acme.ID, invite.Actor{}, "viewer", invite.RoleMember)
	require.ErrorIs(t, err, invite.ErrNotAMember, "the zero Actor is nobody")
	assert.Equal(t, []string{"admin admin", "admin-2 admin", "member member", "owner owner", "owner-2 owner", "viewer viewer"}, s.roles(t, acme))

	for _, test := range []struct {
		by, user string
		role     invite.Role
	}{
		{"admin", "viewer", invite.RoleMember},
		{"admin", "member", invite.RoleAdmin},
		{"admin", "admin-2", invite.RoleViewer},
		{"admin", "admin", invite.RoleMember},
		{"owner", "owner-2", invite.RoleAdmin},
		{"owner", "viewer", invite.RoleOwner},
	} {
		got, err := s.members.ChangeRole(t.Context(), acme.ID, invite.By(test.by), test.user, test.role)
		require.NoError(t, err, "%s makes %s %s", test.by, test.user, test.role)
		assert.Equal(t, test.role, got.Role)
	}
}

func TestRow32_VersionsGrowWithEachChangeAndOverAReturn(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp", "ada")
	s.join(t, acme, "cleo", invite.RoleOwner)
	version := func() int64 {
		m, err := s.members.Get(t.Context(), acme.ID, "cleo")
		require.NoError(t, err)
		return m.Version
	}
	first := version()
	same, err := s.members.ChangeRole(t.Context(), acme.ID, invite.By("ada"), "cleo", invite.RoleOwner)
	require.NoError(t, err)
	assert.Equal(t, first, same.Version, "what changes nothing is no change")

	changed, err := s.members.ChangeRole(t.Context(), acme.ID, invite.By("ada"), "cleo", invite.RoleViewer)
	require.NoError(t, err)
	second := version()
	assert.Equal(t, changed.Version, second)
	assert.Greater(t, second, first)

	require.NoError(t, s.members.Leave(t.Context(), acme.ID, "cleo"))
	s.join(t, acme, "cleo", invite.RoleViewer)
	assert.Greater(t, version(), second, "a token of the time before is of no use")

	assert.Equal(t, []string{"member.added", "member.added", "member.role_changed", "member.removed", "member.added"}, s.told(t, acme))
}

func TestEventsSayWhoDidWhat(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp", "ada")
	s.join(t, acme, "cleo", invite.RoleMember)
	_, err := s.members.ChangeRole(t.Context(), acme.ID, invite.By("ada"), "cleo", invite.RoleViewer)
	require.NoError(t, err)
	require.NoError(t, s.members.Remove(t.Context(), acme.ID, invite.ByProgram(), "cleo"))
	var events []tenantdb.Event
	for e, err := range s.catalog.Events(t.Context(), tenantdb.EventOptions{Tenant: acme.ID}) {
		require.NoError(t, err)
		if e.Kind == invite.EventRoleChanged || e.Kind == invite.EventMemberRemoved {
			assert.Equal(t, acme.Version, e.Version)
			assert.WithinDuration(t, s.clock.Now(), e.At, time.Second)
			delete(e.Before, "version")
			delete(e.After, "version")
			events = append(events, tenantdb.Event{Kind: e.Kind, Before: e.Before, After: e.After})
		}
	}
	assert.Equal(t, []tenantdb.Event{
		{
			Kind: invite.EventRoleChanged, Before: map[string]string{"user": "cleo", "role": "member"},
			After: map[string]string{"user": "cleo", "role": "viewer", "by": "ada"},
		},
		{Kind: invite.EventMemberRemoved, Before: map[string]string{"user": "cleo", "role": "viewer"}},
	}, events)
}

func TestRow30_TheLastOwnerStays(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.staffed(t, "acme-corp")
	for name, try := range map[string]func() error{
		"demoted by themselves": func() error {
			_, err := s.members.ChangeRole(t.Context(), acme.ID, invite.By("owner"), "owner", invite.RoleAdmin)
			return err
		},
		"demoted by the program": func() error {
			_, err := s.members.ChangeRole(t.Context(), acme.ID, invite.ByProgram(), "owner", invite.RoleAdmin)
			return err
		},
		"removed by themselves":  func() error { return s.members.Remove(t.Context(), acme.ID, invite.By("owner"), "owner") },
		"removed by the program": func() error { return s.members.Remove(t.Context(), acme.ID, invite.ByProgram(), "owner") },
		"leaves":                 func() error { return s.members.Leave(t.Context(), acme.ID, "owner") },
	} {
		require.ErrorIs(t, try(), invite.ErrLastOwner, name)
	}
	s.join(t, acme, "second", invite.RoleOwner)
	require.NoError(t, s.members.Leave(t.Context(), acme.ID, "owner"))
	require.ErrorIs(t, s.members.Leave(t.Context(), acme.ID, "second"), invite.ErrLastOwner)
	require.NoError(t, s.members.Leave(t.Context(), acme.ID, "viewer"), "others leave as they like")
}

// Two owners remove or demote each other, or themselves, at the same time.
func TestRow30_RacingOwnersLeaveOne(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	const pairs = 100
	left, refused := 0, 0
	for i := range pairs {
		in := s.create(t, tenant.Slug(fmt.Sprintf("pair-%d", i)), "a")
		s.join(t, in, "b", invite.RoleOwner)
		moves := [][2]func() error{
			{
				func() error { return s.members.Leave(t.Context(), in.ID, "a") },
				func() error { return s.members.Leave(t.Context(), in.ID, "b") },
			},
			{
				func() error { return s.members.Remove(t.Context(), in.ID, invite.By("a"), "b") },
				func() error { return s.members.Remove(t.Context(), in.ID, invite.By("b"), "a") },
			},
			{
				func() error {
					_, err := s.members.ChangeRole(t.Context(), in.ID, invite.By("a"), "a", invite.RoleViewer)
					return err
				},
				func() error { return s.members.Leave(t.Context(), in.ID, "b") },
			},
		}[i%3]
		var wg sync.WaitGroup
		errs := make([]error, 2)
		start := make(chan struct{})
		for j, move := range moves {
			wg.Go(func() {
				<-start
				errs[j] = move()
			})
		}
		close(start)
		wg.Wait()
		owners := 0
		for m, err := range s.members.OfTenant(t.Context(), in.ID) {
			require.NoError(t, err)
			if m.Role == invite.RoleOwner {
				owners++
			}
		}
		require.Equal(t, 1, owners, "pair %d: %v", i, errs)
		left += owners
		for _, err := range errs {
			if err != nil {
				refused++
			}
		}
	}
	t.Logf("%d pairs, %d owners left, %d refused", pairs, left, refused)
	assert.Equal(t, pairs, refused)
}

func TestOwnershipIsTransferred(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.staffed(t, "acme-corp")
	for _, test := range []struct {
		from, to string
		then     invite.Role
		want     error
	}{
		{"admin", "member", invite.RoleMember, invite.ErrForbidden},
		{"viewer", "viewer", invite.RoleMember, &tenant.Error{Code: tenant.CodeValidationFailed}},
		{"owner", "owner", invite.RoleMember, &tenant.Error{Code: tenant.CodeValidationFailed}},
		{"owner", "nobody", invite.RoleMember, invite.ErrNotFound},
		{"stranger", "member", invite.RoleMember, invite.ErrNotAMember},
		{"owner", "member", "root", invite.ErrBadRole},
	} {
		err := s.members.TransferOwnership(t.Context(), acme.ID, test.from, test.to, test.then)
		require.ErrorIs(t, err, test.want, "from %s to %s", test.from, test.to)
	}
	require.NoError(t, s.members.TransferOwnership(t.Context(), acme.ID, "owner", "member", invite.RoleAdmin))
	assert.Equal(t, []string{"admin admin", "member owner", "owner admin", "viewer viewer"}, s.roles(t, acme))
	require.ErrorIs(t, s.members.TransferOwnership(t.Context(), acme.ID, "owner", "member", invite.RoleAdmin), invite.ErrForbidden)

	s.join(t, acme, "second", invite.RoleOwner)
	require.NoError(t, s.members.TransferOwnership(t.Context(), acme.ID, "member", "second", invite.RoleViewer), "to one who is an owner already")
	assert.Contains(t, s.roles(t, acme), "member viewer")
}

func TestPeopleActInActiveTenantsAlone(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.staffed(t, "acme-corp")
	inv, secret := s.invited(t, acme, "owner", "cleo@acme.example", invite.RoleMember)
	change := func(by invite.Actor) error {
		_, err := s.members.ChangeRole(t.Context(), acme.ID, by, "viewer", invite.RoleMember)
		return err
	}
	_, err := s.catalog.Suspend(t.Context(), acme.ID)
	require.NoError(t, err)
	require.ErrorIs(t, change(invite.By("owner")), tenant.ErrSuspended)
	require.ErrorIs(t, s.members.Leave(t.Context(), acme.ID, "viewer"), tenant.ErrSuspended)
	require.ErrorIs(t, s.members.Revoke(t.Context(), acme.ID, invite.By("owner"), inv.ID), tenant.ErrSuspended)
	_, err = s.members.Preview(t.Context(), secret)
	require.ErrorIs(t, err, tenant.ErrSuspended)
	_, err = s.members.Accept(t.Context(), secret, userOf("cleo"))
	require.ErrorIs(t, err, tenant.ErrSuspended)
	require.NoError(t, change(invite.ByProgram()), "the program works on")

	_, err = s.catalog.Delete(t.Context(), acme.ID)
	require.NoError(t, err)
	require.ErrorIs(t, change(invite.ByProgram()), tenant.ErrGone)
	_, err = s.members.Preview(t.Context(), secret)
	require.ErrorIs(t, err, tenant.ErrGone)
	require.ErrorIs(t, s.add(t, member(acme, "cleo", invite.RoleMember)), tenant.ErrGone)

	_, err = s.members.ChangeRole(t.Context(), tenant.NewID(), invite.By("owner"), "viewer", invite.RoleMember)
	require.ErrorIs(t, err, tenant.ErrNotFound)
}

func TestRow19_AnOwnerOfAnotherTenantIsNobody(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.staffed(t, "acme-corp")
	s.create(t, "beta-industries", "ben")
	_, err := s.members.ChangeRole(t.Context(), acme.ID, invite.By("ben"), "viewer", invite.RoleMember)
	require.ErrorIs(t, err, invite.ErrNotAMember)
	require.ErrorIs(t, s.members.Remove(t.Context(), acme.ID, invite.By("ben"), "viewer"), invite.ErrNotAMember)
	_, err = s.members.Invite(t.Context(), acme.ID, invite.By("ben"), "x@acme.example", invite.RoleViewer)
	require.ErrorIs(t, err, invite.ErrNotAMember)
}

func TestChangesAreToldAfterTheyAreCommitted(t *testing.T) {
	t.Parallel()
	var told []string
	s := setUp(t, func(cfg *invite.Config) {
		cfg.OnChange = func(_ tenant.ID, user string) { told = append(told, user) }
	})
	acme := s.staffed(t, "acme-corp")
	_, secret := s.invited(t, acme, "owner", "cleo@acme.example", invite.RoleMember)
	assert.Empty(t, told)
	_, err := s.members.Accept(t.Context(), secret, userOf("cleo"))
	require.NoError(t, err)
	require.NoError(t, s.members.TransferOwnership(t.Context(), acme.ID, "owner", "admin", invite.RoleAdmin))
	require.NoError(t, s.members.Leave(t.Context(), acme.ID, "viewer"))
	require.ErrorIs(t, s.members.Leave(t.Context(), acme.ID, "admin"), invite.ErrLastOwner)
	assert.Equal(t, []string{"cleo", "admin", "owner", "viewer"}, told)
}

func TestAProductsRolesAreRules(t *testing.T) {
	t.Parallel()
	roles, err := invite.NewRoles(
		invite.RoleDef{Name: "owner", Permissions: []invite.Permission{"publish", "bill", invite.PermManageMembers}},
		invite.RoleDef{Name: "editor", Permissions: []invite.Permission{"publish", invite.PermManageMembers}},
		invite.RoleDef{Name: "accountant", Permissions: []invite.Permission{"bill"}},
		invite.RoleDef{Name: "guest"},
	)
	require.NoError(t, err)
	s := setUp(t, func(cfg *invite.Config) { cfg.Roles = roles })
	assert.Equal(t, roles, s.members.Roles())
	acme := s.create(t, "acme-corp", "ada")
	s.join(t, acme, "ed", "editor")
	s.join(t, acme, "ac", "accountant")
	s.join(t, acme, "gus", "guest")
	change := func(by, user string, role invite.Role) error {
		_, err := s.members.ChangeRole(t.Context(), acme.ID, invite.By(by), user, role)
		return err
	}
	require.ErrorIs(t, change("ed", "ac", "guest"), invite.ErrForbidden, "the accountant may do what the editor may not")
	require.ErrorIs(t, change("ed", "gus", "accountant"), invite.ErrForbidden)
	require.ErrorIs(t, change("ac", "gus", "guest"), invite.ErrForbidden)
	require.ErrorIs(t, change("ada", "gus", "viewer"), invite.ErrBadRole)
	require.NoError(t, change("ed", "gus", "editor"))

	// The product gives up the role of the editor.
	rest, err := invite.NewRoles(
		invite.RoleDef{Name: "owner", Permissions: []invite.Permission{"publish", "bill", invite.PermManageMembers}},
		invite.RoleDef{Name: "accountant", Permissions: []invite.Permission{"bill"}},
	)
	require.NoError(t, err)
	s.members = s.open(t, func(cfg *invite.Config) { cfg.Roles = rest })
	require.ErrorIs(t, change("ed", "ac", "accountant"), invite.ErrForbidden, "who has it may do nothing")
	require.NoError(t, change("ada", "ed", "accountant"))
}
