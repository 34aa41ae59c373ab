package invite_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

func TestRow19_AMemberIsFoundInTheTenantAlone(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme, beta := s.create(t, "acme-corp", "ada"), s.create(t, "beta-industries", "ben")

	ada, err := s.members.Get(t.Context(), acme.ID, "ada")
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now(), ada.JoinedAt, time.Minute)
	assert.Equal(t, time.UTC, ada.JoinedAt.Location())
	assert.Positive(t, ada.Version)
	ada.JoinedAt, ada.Version = time.Time{}, 0
	assert.Equal(t, member(acme, "ada", invite.RoleOwner), ada)

	for name, ask := range map[string]struct {
		in   tenant.ID
		user string
	}{
		"in another tenant":   {beta.ID, "ada"},
		"in no tenant":        {tenant.NewID(), "ada"},
		"in the zero tenant":  {tenant.ID{}, "ada"},
		"another user":        {acme.ID, "ben"},
		"another case":        {acme.ID, "ADA"},
		"a user without name": {acme.ID, ""},
		"a zero in the name":  {acme.ID, "ada\x00"},
		"no UTF-8":            {acme.ID, "ada\xff"},
	} {
		_, err := s.members.Get(t.Context(), ask.in, ask.user)
		require.ErrorIs(t, err, invite.ErrNotAMember, name)
	}
}

func TestAUserJoinsOnce(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp", "ada")
	require.ErrorIs(t, s.add(t, member(acme, "ada", invite.RoleViewer)), invite.ErrAlreadyMember)
	assert.Equal(t, []string{"ada owner"}, s.roles(t, acme), "the first role stays")
	assert.Equal(t, []string{"member.added"}, s.told(t, acme))
}

func TestMembersAndTenantsAreListed(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	beta, acme := s.create(t, "beta-industries", "ben"), s.create(t, "acme-corp", "ada")
	gone, held := s.create(t, "gone-corp", "ada"), s.create(t, "held-corp", "ada")
	s.clock.Pass(time.Second)
	s.join(t, beta, "ada", invite.RoleViewer)
	_, err := s.catalog.Delete(t.Context(), gone.ID)
	require.NoError(t, err)
	held, err = s.catalog.Suspend(t.Context(), held.ID)
	require.NoError(t, err)

	tenants, err := s.members.OfUser(t.Context(), "ada")
	require.NoError(t, err)
	for i := range tenants {
		assert.Positive(t, tenants[i].Version)
		tenants[i].Version = 0
	}
	assert.Equal(t, []invite.Membership{
		{Tenant: acme, Role: invite.RoleOwner},
		{Tenant: beta, Role: invite.RoleViewer},
		{Tenant: held, Role: invite.RoleOwner},
	}, tenants)
	assert.Equal(t, []string{"ben owner", "ada viewer"}, s.roles(t, beta), "in the order of joining")

	assert.Empty(t, s.roles(t, tenant.Tenant{ID: tenant.NewID()}))
	for _, nobody := range []string{"dora", "", "\xff"} {
		nowhere, err := s.members.OfUser(t.Context(), nobody)
		require.NoError(t, err)
		assert.Empty(t, nowhere)
	}
}

func TestALongListIsReadToItsEnd(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp", "ada")
	const more = 1200 // of which many have joined at the same moment, across the ends of pages
	_, err := s.control.Exec(t.Context(), `
		INSERT INTO tenantwall.membership (tenant_id, user_id, email, role, joined_at)
		SELECT $1, 'user ' || n, 'e', 'viewer', '2050-01-01'::timestamptz + (n / 700) * interval '1 s'
		  FROM generate_series(1, $2) n`, acme.ID, more)
	require.NoError(t, err)
	all := s.roles(t, acme)
	assert.Len(t, all, more+1)
	seen := make(map[string]bool)
	for _, m := range all {
		seen[m] = true
	}
	assert.Len(t, seen, more+1, "nobody twice")

	for range s.members.OfTenant(t.Context(), acme.ID) {
		break // and whoever has seen enough stops
	}
}

func TestATenantWhoseOwnerCantJoinIsNotMade(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	failure := errors.New("cannot join")
	_, err := s.catalog.Create(t.Context(), tenantdb.NewTenant{
		Slug: "acme-corp", Name: "Acme Corp",
		Seed: func(ctx context.Context, tx pgx.Tx, in tenant.Tenant) error {
			return errors.Join(s.members.Add(ctx, tx, member(in, "ada", invite.RoleOwner)), failure)
		},
	})
	require.ErrorIs(t, err, failure)
	_, err = s.catalog.Lookup(t.Context(), tenant.BySlug("acme-corp"))
	require.ErrorIs(t, err, tenant.ErrNotFound)
	tenants, err := s.members.OfUser(t.Context(), "ada")
	require.NoError(t, err)
	assert.Empty(t, tenants)
}

func TestMembersWithBadFieldsAreRefused(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp", "ada")
	validation := &tenant.Error{Code: tenant.CodeValidationFailed}
	for name, test := range map[string]struct {
		change func(*invite.Member)
		want   error
	}{
		"no tenant":              {func(m *invite.Member) { m.TenantID = tenant.ID{} }, tenant.ErrNotFound},
		"an unknown tenant":      {func(m *invite.Member) { m.TenantID = tenant.NewID() }, tenant.ErrNotFound},
		"no user":                {func(m *invite.Member) { m.UserID = "" }, validation},
		"a long user":            {func(m *invite.Member) { m.UserID = strings.Repeat("u", invite.MaxUserIDLen+1) }, validation},
		"a zero in the user":     {func(m *invite.Member) { m.UserID = "a\x00b" }, validation},
		"no UTF-8":               {func(m *invite.Member) { m.UserID = "\xff" }, validation},
		"no address":             {func(m *invite.Member) { m.Email = "" }, invite.ErrBadEmail},
		"no role":                {func(m *invite.Member) { m.Role = "" }, invite.ErrBadRole},
		"a role that is unknown": {func(m *invite.Member) { m.Role = "root" }, invite.ErrBadRole},
	} {
		m := member(acme, "cleo", invite.RoleMember)
		test.change(&m)
		require.ErrorIs(t, s.add(t, m), test.want, name)
	}
	assert.Equal(t, []string{"ada owner"}, s.roles(t, acme))
}

func TestAddNeedsATransactionThatSeesWhoHasJoined(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp", "ada")
	err := pgx.BeginTxFunc(t.Context(), s.control, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, func(tx pgx.Tx) error {
		return s.members.Add(t.Context(), tx, member(acme, "cleo", invite.RoleMember))
	})
	require.ErrorContains(t, err, "READ COMMITTED")
}

func TestATransactionGoesOnAfterARefusal(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp", "ada")
	require.NoError(t, pgx.BeginFunc(t.Context(), s.control, func(tx pgx.Tx) error {
		err := s.members.Add(t.Context(), tx, member(acme, "ada", invite.RoleMember))
		require.ErrorIs(t, err, invite.ErrAlreadyMember)
		return s.members.Add(t.Context(), tx, member(acme, "cleo", invite.RoleMember))
	}))
	assert.Equal(t, []string{"ada owner", "cleo member"}, s.roles(t, acme))
}

func TestOpenAgainFindsWhatIsThere(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp", "ada")
	_, err := s.open(t).Get(t.Context(), acme.ID, "ada")
	require.NoError(t, err)
}

func TestAPurgedTenantHasNoPeople(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme, beta := s.create(t, "acme-corp", "ada"), s.create(t, "beta-industries", "ben")
	_, secret := s.invited(t, acme, "ada", "cleo@acme.example", invite.RoleMember)
	s.invited(t, beta, "ben", "dora@acme.example", invite.RoleMember)
	_, err := s.catalog.Delete(t.Context(), acme.ID)
	require.NoError(t, err)
	_, err = s.members.Accept(t.Context(), secret, userOf("cleo"))
	require.ErrorIs(t, err, tenant.ErrGone)
	purged, err := s.catalog.Purge(t.Context(), 10)
	require.NoError(t, err)
	assert.Equal(t, []tenant.ID{acme.ID}, purged)

	assert.Empty(t, s.roles(t, acme))
	used, err := s.members.SeatsUsed(t.Context(), acme.ID)
	require.NoError(t, err)
	assert.Zero(t, used)
	_, err = s.members.Accept(t.Context(), secret, userOf("cleo"))
	require.ErrorIs(t, err, invite.ErrInviteExpired)
	used, err = s.members.SeatsUsed(t.Context(), beta.ID)
	require.NoError(t, err)
	assert.Equal(t, 2, used, "other tenants keep theirs")
}

func TestADatabaseThatIsAwayIsNoAnswer(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp", "ada")
	inv, secret := s.invited(t, acme, "ada", "cleo@acme.example", invite.RoleMember)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range map[string]func() error{
		"Get":       func() error { _, err := s.members.Get(ctx, acme.ID, "ada"); return err },
		"Cache":     func() error { _, err := s.members.Cache().Get(ctx, acme.ID, "ada"); return err },
		"OfUser":    func() error { _, err := s.members.OfUser(ctx, "ada"); return err },
		"SeatsUsed": func() error { _, err := s.members.SeatsUsed(ctx, acme.ID); return err },
		"OfTenant": func() error {
			for _, err := range s.members.OfTenant(ctx, acme.ID) {
				return err
			}
			return nil
		},
		"Invitations": func() error {
			for _, err := range s.members.Invitations(ctx, acme.ID) {
				return err
			}
			return nil
		},
		"Invitation": func() error { _, err := s.members.Invitation(ctx, acme.ID, inv.ID); return err },
		"Invite": func() error {
			_, err := s.members.Invite(ctx, acme.ID, invite.By("ada"), "x@acme.example", invite.RoleViewer)
			return err
		},
		"Resend":  func() error { _, err := s.members.Resend(ctx, acme.ID, invite.By("ada"), inv.ID); return err },
		"Revoke":  func() error { return s.members.Revoke(ctx, acme.ID, invite.By("ada"), inv.ID) },
		"Preview": func() error { _, err := s.members.Preview(ctx, secret); return err },
		"Accept":  func() error { _, err := s.members.Accept(ctx, secret, userOf("cleo")); return err },
		"Decline": func() error { return s.members.Decline(ctx, secret) },
		"Remove":  func() error { return s.members.Leave(ctx, acme.ID, "ada") },
		"Open":    func() error { _, err := invite.Open(ctx, s.control, invite.Config{}); return err },
	} {
		err := call()
		require.ErrorIs(t, err, context.Canceled, name)
		_, told := errors.AsType[*tenant.Error](err)
		assert.False(t, told, name)
	}
}
