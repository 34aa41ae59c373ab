package invite_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/pgtest"
	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// site is a database that is set up, with a catalog.
type site struct {
	control *pgxpool.Pool
	catalog *tenantdb.Catalog
	members *invite.Members
}

func setUp(t *testing.T) site {
	t.Helper()
	ctx := t.Context()
	url := pgtest.Database(t)
	owner, err := pgx.Connect(ctx, url)
	require.NoError(t, err)
	defer owner.Close(ctx)
	roles := tenantdb.Roles{
		Gateway: pgtest.Name(t, "gateway"), GatewayPassword: "secret",
		Control: pgtest.Name(t, "control"), ControlPassword: "secret",
	}
	require.NoError(t, tenantdb.Setup(ctx, owner, roles))

	cfg, err := pgxpool.ParseConfig(url)
	require.NoError(t, err)
	cfg.ConnConfig.User, cfg.ConnConfig.Password = roles.Control, roles.ControlPassword
	control, err := pgxpool.NewWithConfig(ctx, cfg)
	require.NoError(t, err)
	t.Cleanup(control.Close)
	catalog, err := tenantdb.OpenCatalog(ctx, control, tenantdb.CatalogConfig{Gateways: []string{roles.Gateway}})
	require.NoError(t, err)
	members, err := invite.Open(ctx, control)
	require.NoError(t, err)
	return site{control: control, catalog: catalog, members: members}
}

// create makes a tenant with an owner.
func (s site) create(t *testing.T, slug tenant.Slug, owner string) tenant.Tenant {
	t.Helper()
	made, err := s.catalog.Create(t.Context(), tenantdb.NewTenant{
		Slug: slug, Name: "Tenant " + string(slug),
		Seed: func(ctx context.Context, tx pgx.Tx, in tenant.Tenant) error {
			return invite.Add(ctx, tx, member(in, owner, invite.RoleOwner))
		},
	})
	require.NoError(t, err)
	return made
}

func (s site) add(t *testing.T, m invite.Member) error {
	t.Helper()
	return pgx.BeginFunc(t.Context(), s.control, func(tx pgx.Tx) error { return invite.Add(t.Context(), tx, m) })
}

func member(in tenant.Tenant, user string, role invite.Role) invite.Member {
	return invite.Member{TenantID: in.ID, UserID: user, Email: user + "@acme.example", Role: role}
}

func TestAMemberIsFoundInTheTenantAlone(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme, beta := s.create(t, "acme-corp", "ada"), s.create(t, "beta-industries", "ben")

	ada, err := s.members.Get(t.Context(), acme.ID, "ada")
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now(), ada.JoinedAt, time.Minute)
	assert.Equal(t, time.UTC, ada.JoinedAt.Location())
	ada.JoinedAt = time.Time{}
	want := member(acme, "ada", invite.RoleOwner)
	want.Version = 1
	assert.Equal(t, want, ada)

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
	ada, err := s.members.Get(t.Context(), acme.ID, "ada")
	require.NoError(t, err)
	assert.Equal(t, invite.RoleOwner, ada.Role, "the first role stays")
}

func TestMembersAndTenantsAreListed(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	beta, acme := s.create(t, "beta-industries", "ben"), s.create(t, "acme-corp", "ada")
	gone, held := s.create(t, "gone-corp", "ada"), s.create(t, "held-corp", "ada")
	require.NoError(t, s.add(t, member(beta, "ada", invite.RoleViewer)))
	_, err := s.catalog.Delete(t.Context(), gone.ID)
	require.NoError(t, err)
	held, err = s.catalog.Suspend(t.Context(), held.ID)
	require.NoError(t, err)

	tenants, err := s.members.OfUser(t.Context(), "ada")
	require.NoError(t, err)
	assert.Equal(t, []invite.Membership{
		{Tenant: acme, Role: invite.RoleOwner},
		{Tenant: beta, Role: invite.RoleViewer},
		{Tenant: held, Role: invite.RoleOwner},
	}, tenants)

	members, err := s.members.OfTenant(t.Context(), beta.ID)
	require.NoError(t, err)
	var users []string
	for _, m := range members {
		users = append(users, m.UserID+" "+string(m.Role))
	}
	assert.Equal(t, []string{"ben owner", "ada viewer"}, users, "in the order of joining")

	none, err := s.members.OfTenant(t.Context(), tenant.NewID())
	require.NoError(t, err)
	assert.Empty(t, none)
	nowhere, err := s.members.OfUser(t.Context(), "dora")
	require.NoError(t, err)
	assert.Empty(t, nowhere)
}

func TestATenantWhoseOwnerCantJoinIsNotMade(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	failure := errors.New("cannot join")
	_, err := s.catalog.Create(t.Context(), tenantdb.NewTenant{
		Slug: "acme-corp", Name: "Acme Corp",
		Seed: func(ctx context.Context, tx pgx.Tx, in tenant.Tenant) error {
			return errors.Join(invite.Add(ctx, tx, member(in, "ada", invite.RoleOwner)), failure)
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
	for name, change := range map[string]func(*invite.Member){
		"no tenant":              func(m *invite.Member) { m.TenantID = tenant.ID{} },
		"an unknown tenant":      func(m *invite.Member) { m.TenantID = tenant.NewID() },
		"no user":                func(m *invite.Member) { m.UserID = "" },
		"a long user":            func(m *invite.Member) { m.UserID = strings.Repeat("u", invite.MaxUserIDLen+1) },
		"a zero in the user":     func(m *invite.Member) { m.UserID = "a\x00b" },
		"no UTF-8":               func(m *invite.Member) { m.UserID = "\xff" },
		"no address":             func(m *invite.Member) { m.Email = "" },
		"a long address":         func(m *invite.Member) { m.Email = strings.Repeat("e", invite.MaxEmailLen+1) },
		"a zero in the address":  func(m *invite.Member) { m.Email = "a\x00@b" },
		"no role":                func(m *invite.Member) { m.Role = "" },
		"a role that is unknown": func(m *invite.Member) { m.Role = "root" },
	} {
		m := member(acme, "cleo", invite.RoleMember)
		change(&m)
		require.Error(t, s.add(t, m), name)
	}
	require.ErrorIs(t, s.add(t, member(acme, "cleo", "root")), invite.ErrBadRole)
	members, err := s.members.OfTenant(t.Context(), acme.ID)
	require.NoError(t, err)
	assert.Len(t, members, 1)
}

func TestListsAreBounded(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp", "ada")
	_, err := s.control.Exec(t.Context(), `
		INSERT INTO tenantwall.membership (tenant_id, user_id, email, role)
		SELECT $1, 'user ' || n, 'e', 'viewer' FROM generate_series(1, $2) n`, acme.ID, invite.MaxListed)
	require.NoError(t, err)
	members, err := s.members.OfTenant(t.Context(), acme.ID)
	require.NoError(t, err)
	assert.Len(t, members, invite.MaxListed)
}

func TestOpenAgainFindsWhatIsThere(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp", "ada")
	again, err := invite.Open(t.Context(), s.control)
	require.NoError(t, err)
	_, err = again.Get(t.Context(), acme.ID, "ada")
	require.NoError(t, err)
}

func TestOpenNeedsAPool(t *testing.T) {
	t.Parallel()
	_, err := invite.Open(t.Context(), nil)
	require.ErrorContains(t, err, "control role")
}

func TestADatabaseThatIsAwayIsNoAnswer(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp", "ada")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.members.Get(ctx, acme.ID, "ada")
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, invite.ErrNotAMember)
	_, err = s.members.OfTenant(ctx, acme.ID)
	require.ErrorIs(t, err, context.Canceled)
	_, err = s.members.OfUser(ctx, "ada")
	require.ErrorIs(t, err, context.Canceled)
	_, err = invite.Open(ctx, s.control)
	require.ErrorIs(t, err, context.Canceled)
}
