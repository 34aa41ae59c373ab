package invite_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/sitetest"
	"github.com/tenantwall/tenantwall/internal/testclock"
	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// site is a database that is set up, with a catalog, members and an outbox.
type site struct {
	control *pgxpool.Pool
	catalog *tenantdb.Catalog
	members *invite.Members
	outbox  *outbox
	clock   *testclock.Clock
}

func setUp(t testing.TB, change ...func(*invite.Config)) site {
	t.Helper()
	made := sitetest.New(t)
	s := site{control: made.Control(t), outbox: new(outbox), clock: testclock.At(time.Now())}
	s.catalog = made.Catalog(t, s.control, tenantdb.CatalogConfig{OnPurge: invite.Forget, GracePeriod: time.Nanosecond})
	s.members = s.open(t, change...)
	return s
}

// open opens the members anew, with other settings.
func (s site) open(t testing.TB, change ...func(*invite.Config)) *invite.Members {
	t.Helper()
	cfg := invite.Config{Sender: s.outbox, Now: s.clock.Now, LockTimeout: time.Minute}
	for _, c := range change {
		c(&cfg)
	}
	members, err := invite.Open(t.Context(), s.control, cfg)
	require.NoError(t, err)
	return members
}

// create makes a tenant with an owner.
func (s site) create(t testing.TB, slug tenant.Slug, owner string) tenant.Tenant {
	t.Helper()
	made, err := s.catalog.Create(t.Context(), tenantdb.NewTenant{
		Slug: slug, Name: "Tenant " + string(slug),
		Seed: func(ctx context.Context, tx pgx.Tx, in tenant.Tenant) error {
			return s.members.Add(ctx, tx, member(in, owner, invite.RoleOwner))
		},
	})
	require.NoError(t, err)
	return made
}

func (s site) add(t testing.TB, m invite.Member) error {
	t.Helper()
	return pgx.BeginFunc(t.Context(), s.control, func(tx pgx.Tx) error { return s.members.Add(t.Context(), tx, m) })
}

// join adds a member who is named by role: "the admin" and so on.
func (s site) join(t testing.TB, in tenant.Tenant, user string, role invite.Role) {
	t.Helper()
	require.NoError(t, s.add(t, member(in, user, role)))
}

// staffed makes a tenant with a member of each role, whose id is the role.
func (s site) staffed(t testing.TB, slug tenant.Slug) tenant.Tenant {
	t.Helper()
	in := s.create(t, slug, "owner")
	for _, role := range []invite.Role{invite.RoleAdmin, invite.RoleMember, invite.RoleViewer} {
		s.join(t, in, string(role), role)
	}
	return in
}

// invited makes an invitation, and returns it with its secret.
func (s site) invited(t testing.TB, in tenant.Tenant, by, email string, role invite.Role) (invite.Invitation, invite.Secret) {
	t.Helper()
	inv, err := s.members.Invite(t.Context(), in.ID, invite.By(by), email, role)
	require.NoError(t, err)
	return inv, s.outbox.secretFor(t, email)
}

// roles are a tenant's members with their roles, as "user role", in the order of joining.
func (s site) roles(t testing.TB, in tenant.Tenant) []string {
	t.Helper()
	var found []string
	for m, err := range s.members.OfTenant(t.Context(), in.ID) {
		require.NoError(t, err)
		found = append(found, m.UserID+" "+string(m.Role))
	}
	return found
}

// told are the kinds of a tenant's events that are of this package.
func (s site) told(t testing.TB, in tenant.Tenant) []string {
	t.Helper()
	var kinds []string
	for e, err := range s.catalog.Events(t.Context(), tenantdb.EventOptions{Tenant: in.ID}) {
		require.NoError(t, err)
		if !strings.HasPrefix(string(e.Kind), "tenant.") {
			kinds = append(kinds, string(e.Kind))
		}
	}
	return kinds
}

func member(in tenant.Tenant, user string, role invite.Role) invite.Member {
	return invite.Member{TenantID: in.ID, UserID: user, Email: emailOf(user), Role: role}
}

func emailOf(user string) string { return user + "@acme.example" }

// userOf is a user who has verified the address that emailOf says.
func userOf(id string) invite.User { return invite.User{ID: id, VerifiedEmail: emailOf(id)} }

// outbox is a Sender that keeps what it is given.
type outbox struct {
	mu    sync.Mutex
	mails []invite.Mail
	fail  error
}

func (o *outbox) Send(_ context.Context, mail invite.Mail) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fail != nil {
		return o.fail
	}
	o.mails = append(o.mails, mail)
	return nil
}

func (o *outbox) last(t testing.TB, to string) invite.Mail {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, mail := range slices.Backward(o.mails) {
		if strings.EqualFold(mail.To, to) {
			return mail
		}
	}
	t.Fatalf("no mail to %s", to)
	return invite.Mail{}
}

func (o *outbox) secretFor(t testing.TB, to string) invite.Secret {
	t.Helper()
	return o.last(t, to).Secret
}
