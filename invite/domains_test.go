package invite_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/tenant"
)

// zone is a Resolver that knows the records that a test gives it.
type zone struct {
	mu      sync.Mutex
	records map[string][]string
	asked   int
	fail    error
}

func (z *zone) LookupTXT(_ context.Context, name string) ([]string, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.asked++
	if z.fail != nil {
		return nil, z.fail
	}
	found, ok := z.records[name]
	if !ok {
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	return found, nil
}

func (z *zone) publish(d invite.Domain) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.records = map[string][]string{d.RecordName + ".": {"v=spf1 -all", d.RecordValue}}
}

func newDomains(t testing.TB, s site) (*invite.Domains, *zone) {
	t.Helper()
	z := new(zone)
	d, err := invite.NewDomains(s.members, invite.DomainConfig{Resolver: z, Refused: []string{"partner.example"}})
	require.NoError(t, err)
	return d, z
}

// proved adds a domain of a tenant and proves it.
func proved(t testing.TB, d *invite.Domains, z *zone, in tenant.Tenant, rule invite.DomainRule) invite.Domain {
	t.Helper()
	added, err := d.Add(t.Context(), in.ID, invite.ByProgram(), rule)
	require.NoError(t, err)
	z.publish(added)
	verified, err := d.Verify(t.Context(), in.ID, invite.ByProgram(), rule.Name)
	require.NoError(t, err)
	return verified
}

func acmeMembers(onRequest bool) invite.DomainRule {
	return invite.DomainRule{Name: "acme.example", Role: invite.RoleMember, OnRequest: onRequest}
}

func TestWhoHasAnAddressOfAProvedDomainJoins(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	d, z := newDomains(t, s)
	acme := s.create(t, "acme-corp", "ada")
	added, err := d.Add(t.Context(), acme.ID, invite.By("ada"), invite.DomainRule{Name: " ACME.example", Role: invite.RoleMember})
	require.NoError(t, err)
	assert.Equal(t, "acme.example", added.Name)
	assert.Equal(t, "_tenantwall.acme.example", added.RecordName)
	assert.Regexp(t, `^tenantwall-verify=[\w-]{43}$`, added.RecordValue)
	assert.Zero(t, added.VerifiedAt)

	_, _, err = d.Join(t.Context(), acme.ID, userOf("cleo"))
	require.ErrorIs(t, err, invite.ErrForbidden, "nothing is proved")
	_, err = d.Verify(t.Context(), acme.ID, invite.By("ada"), "acme.example")
	require.ErrorIs(t, err, invite.ErrNotProved)
	require.ErrorContains(t, err, added.RecordValue, "which says what is to be done")
	z.publish(added)
	verified, err := d.Verify(t.Context(), acme.ID, invite.By("ada"), "Acme.Example")
	require.NoError(t, err)
	assert.WithinDuration(t, s.clock.Now(), verified.VerifiedAt, time.Second)
	listed, err := d.OfTenant(t.Context(), acme.ID)
	require.NoError(t, err)
	assert.Equal(t, []invite.Domain{verified}, listed)

	open, err := d.For(t.Context(), userOf("cleo"))
	require.NoError(t, err)
	assert.Equal(t, []invite.Joinable{{Tenant: acme, Role: invite.RoleMember}}, open)
	_, pending := s.invited(t, acme, "ada", emailOf("cleo"), invite.RoleViewer)
	joined, requested, err := d.Join(t.Context(), acme.ID, userOf("cleo"))
	require.NoError(t, err)
	assert.False(t, requested)
	assert.Equal(t, invite.RoleMember, joined.Role)
	s.requireDead(t, pending)
	_, _, err = d.Join(t.Context(), acme.ID, userOf("cleo"))
	require.ErrorIs(t, err, invite.ErrAlreadyMember)
	open, err = d.For(t.Context(), userOf("cleo"))
	require.NoError(t, err)
	assert.Empty(t, open)
	assert.Equal(t, []string{"member.added", "domain.added", "domain.verified", "invite.created", "invite.replaced", "member.added"}, s.told(t, acme))
}

func TestRow26_NobodyJoinsByAnotherDomain(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	d, z := newDomains(t, s)
	acme, beta := s.create(t, "acme-corp", "ada"), s.create(t, "beta-industries", "ben")
	proved(t, d, z, acme, acmeMembers(false))
	for _, verified := range []string{
		"", "cleo", "cleo@beta.example", "cleo@mail.acme.example", "cleo@acme.example.evil.example", "cleo@evil-acme.example",
		"cleo@acme.example@evil.example", "Cleo <cleo@acme.example>", "cleo@acme\u3002example",
	} {
		who := invite.User{ID: "cleo", VerifiedEmail: verified}
		_, _, err := d.Join(t.Context(), acme.ID, who)
		require.ErrorIs(t, err, invite.ErrForbidden, "%q", verified)
		open, err := d.For(t.Context(), who)
		require.NoError(t, err)
		assert.Empty(t, open, "%q", verified)
	}
	_, _, err := d.Join(t.Context(), beta.ID, userOf("cleo"))
	require.ErrorIs(t, err, invite.ErrForbidden, "another tenant has not the domain")
	_, _, err = d.Join(t.Context(), acme.ID, invite.User{VerifiedEmail: "cleo@acme.example"})
	require.ErrorIs(t, err, &tenant.Error{Code: tenant.CodeValidationFailed})
}

func TestAProofLapses(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	d, z := newDomains(t, s)
	acme := s.create(t, "acme-corp", "ada")
	domain := proved(t, d, z, acme, acmeMembers(false))
	join := func(user string) error {
		_, _, err := d.Join(t.Context(), acme.ID, userOf(user))
		return err
	}
	s.clock.Pass(90*24*time.Hour - time.Second)
	require.NoError(t, join("cleo"))
	s.clock.Pass(time.Second)
	require.ErrorIs(t, join("dora"), invite.ErrForbidden)
	open, err := d.For(t.Context(), userOf("dora"))
	require.NoError(t, err)
	assert.Empty(t, open)
	_, err = d.Verify(t.Context(), acme.ID, invite.ByProgram(), domain.Name)
	require.NoError(t, err)
	require.NoError(t, join("dora"))

	z.fail = errors.New("servers don't answer")
	_, err = d.Verify(t.Context(), acme.ID, invite.ByProgram(), domain.Name)
	require.ErrorIs(t, err, &tenant.Error{Code: tenant.CodeUnavailable})
	require.NoError(t, join("eve"), "which proves nothing to the contrary")
	z.fail, z.records = nil, nil // another has the domain now
	_, err = d.Verify(t.Context(), acme.ID, invite.ByProgram(), domain.Name)
	require.ErrorIs(t, err, invite.ErrNotProved)
	require.ErrorIs(t, join("fred"), invite.ErrForbidden)
}

func TestAnotherTenantsRecordProvesNothing(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	d, z := newDomains(t, s)
	acme, evil := s.create(t, "acme-corp", "ada"), s.create(t, "evil-corp", "mallory")
	proved(t, d, z, acme, acmeMembers(false))
	_, err := d.Add(t.Context(), evil.ID, invite.By("mallory"), acmeMembers(false))
	require.NoError(t, err)
	_, err = d.Verify(t.Context(), evil.ID, invite.By("mallory"), "acme.example")
	require.ErrorIs(t, err, invite.ErrNotProved)
	_, _, err = d.Join(t.Context(), evil.ID, userOf("cleo"))
	require.ErrorIs(t, err, invite.ErrForbidden)
}

func TestWhoJoinsOnRequestWaits(t *testing.T) {
	t.Parallel()
	s := setUp(t, seats(5))
	d, z := newDomains(t, s)
	acme := s.staffed(t, "acme-corp")
	proved(t, d, z, acme, acmeMembers(true))
	for range 2 {
		joined, requested, err := d.Join(t.Context(), acme.ID, userOf("cleo"))
		require.NoError(t, err)
		assert.True(t, requested)
		assert.Zero(t, joined)
	}
	_, _, err := d.Join(t.Context(), acme.ID, userOf("viewer"))
	require.ErrorIs(t, err, invite.ErrAlreadyMember)
	for _, who := range []string{"dora", "eve"} {
		_, _, err := d.Join(t.Context(), acme.ID, userOf(who))
		require.NoError(t, err)
	}
	waiting, err := d.Requests(t.Context(), acme.ID)
	require.NoError(t, err)
	require.Len(t, waiting, 3)
	assert.Equal(t, "cleo", waiting[0].UserID)
	assert.Equal(t, "cleo@acme.example", waiting[0].Email)

	approve := func(by, user string) error {
		_, err := d.Approve(t.Context(), acme.ID, invite.By(by), user)
		return err
	}
	require.ErrorIs(t, approve("member", "cleo"), invite.ErrForbidden)
	require.ErrorIs(t, approve("cleo", "cleo"), invite.ErrNotAMember)
	require.ErrorIs(t, approve("admin", "nobody"), invite.ErrNotFound)
	require.ErrorIs(t, approve("admin", "\xff"), invite.ErrNotFound)
	require.NoError(t, approve("admin", "cleo"))
	require.ErrorIs(t, approve("admin", "cleo"), invite.ErrNotFound, "who is in waits no more")
	require.ErrorIs(t, approve("admin", "dora"), invite.ErrSeatLimit)
	require.ErrorIs(t, d.Reject(t.Context(), acme.ID, invite.By("viewer"), "dora"), invite.ErrForbidden)
	require.NoError(t, d.Reject(t.Context(), acme.ID, invite.By("admin"), "dora"))
	require.ErrorIs(t, d.Reject(t.Context(), acme.ID, invite.By("admin"), "dora"), invite.ErrNotFound)
	assert.Contains(t, s.roles(t, acme), "cleo member")
	assert.NotContains(t, s.roles(t, acme), "dora member")

	require.NoError(t, d.Remove(t.Context(), acme.ID, invite.By("admin"), "acme.example"))
	waiting, err = d.Requests(t.Context(), acme.ID)
	require.NoError(t, err)
	assert.Empty(t, waiting)
	assert.Equal(t, []string{
		"domain.added", "domain.verified", "member.requested", "member.requested", "member.requested", "member.added", "member.rejected", "domain.removed",
	}, s.told(t, acme)[4:])
}

func TestRow29_ADomainGivesNoRoleAboveWhoAddsIt(t *testing.T) {
	t.Parallel()
	roles, err := invite.NewRoles(
		invite.RoleDef{Name: "owner", Permissions: []invite.Permission{"bill", invite.PermManageMembers}},
		invite.RoleDef{Name: "admin", Permissions: []invite.Permission{invite.PermManageMembers}},
		invite.RoleDef{Name: "accountant", Permissions: []invite.Permission{"bill"}},
		invite.RoleDef{Name: "member"},
	)
	require.NoError(t, err)
	s := setUp(t, func(cfg *invite.Config) { cfg.Roles = roles })
	d, z := newDomains(t, s)
	acme := s.create(t, "acme-corp", "owner")
	s.join(t, acme, "admin", "admin")
	s.join(t, acme, "member", "member")
	add := func(by string, role invite.Role) error {
		_, err := d.Add(t.Context(), acme.ID, invite.By(by), invite.DomainRule{Name: "acme.example", Role: role, OnRequest: true})
		return err
	}
	require.ErrorIs(t, add("member", "member"), invite.ErrForbidden)
	require.ErrorIs(t, add("stranger", "member"), invite.ErrNotAMember)
	require.ErrorIs(t, add("admin", "accountant"), invite.ErrForbidden)
	require.ErrorIs(t, add("owner", "admin"), &tenant.Error{Code: tenant.CodeValidationFailed})
	require.ErrorIs(t, add("owner", "root"), invite.ErrBadRole)
	require.NoError(t, add("owner", "accountant"))
	proved(t, d, z, acme, invite.DomainRule{Name: "acme.example", Role: "accountant", OnRequest: true})
	_, _, err = d.Join(t.Context(), acme.ID, userOf("cleo"))
	require.NoError(t, err)
	_, err = d.Approve(t.Context(), acme.ID, invite.By("admin"), "cleo")
	require.ErrorIs(t, err, invite.ErrForbidden)
	_, err = d.Verify(t.Context(), acme.ID, invite.By("member"), "acme.example")
	require.ErrorIs(t, err, invite.ErrForbidden)
	require.ErrorIs(t, d.Remove(t.Context(), acme.ID, invite.By("member"), "acme.example"), invite.ErrForbidden)

	// The product lets accountants manage members, or has none any more.
	for _, defs := range [][]invite.RoleDef{
		{
			{Name: "owner", Permissions: []invite.Permission{"bill", "x", invite.PermManageMembers}},
			{Name: "accountant", Permissions: []invite.Permission{"bill", invite.PermManageMembers}},
		},
		{{Name: "owner", Permissions: []invite.Permission{invite.PermManageMembers}}},
	} {
		later, err := invite.NewRoles(defs...)
		require.NoError(t, err)
		s.members = s.open(t, func(cfg *invite.Config) { cfg.Roles = later })
		d, _ = newDomains(t, s)
		_, _, err = d.Join(t.Context(), acme.ID, userOf("dora"))
		require.ErrorIs(t, err, invite.ErrForbidden)
	}
}

func TestRow19_ADomainIsItsTenantsAlone(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	d, z := newDomains(t, s)
	acme, beta := s.create(t, "acme-corp", "ada"), s.create(t, "beta-industries", "ben")
	proved(t, d, z, acme, acmeMembers(true))
	_, _, err := d.Join(t.Context(), acme.ID, userOf("cleo"))
	require.NoError(t, err)
	by := invite.By("ben")
	asked := z.asked
	_, err = d.Verify(t.Context(), beta.ID, by, "acme.example")
	require.ErrorIs(t, err, invite.ErrNotFound)
	_, err = d.Verify(t.Context(), acme.ID, by, "acme.example")
	require.ErrorIs(t, err, invite.ErrNotAMember)
	assert.Equal(t, asked, z.asked, "strangers make no look-ups")
	require.ErrorIs(t, d.Remove(t.Context(), beta.ID, by, "acme.example"), invite.ErrNotFound)
	_, err = d.Approve(t.Context(), beta.ID, by, "cleo")
	require.ErrorIs(t, err, invite.ErrNotFound)
	require.ErrorIs(t, d.Reject(t.Context(), beta.ID, by, "cleo"), invite.ErrNotFound)
	listed, err := d.OfTenant(t.Context(), beta.ID)
	require.NoError(t, err)
	assert.Empty(t, listed)
	waiting, err := d.Requests(t.Context(), beta.ID)
	require.NoError(t, err)
	assert.Empty(t, waiting)
}

func TestWhatIsNobodysDomainIsRefused(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	d, _ := newDomains(t, s)
	acme := s.create(t, "acme-corp", "ada")
	removed := map[string]error{"malformed": invite.ErrBadDomain, "refused": invite.ErrNotFound}
	for why, names := range map[string][]string{
		"malformed": {
			"", "com", "localhost", "acme.example..", ".acme.example", "a b.example",
			"*.acme.example", "acme.example/x", "ada@acme.example", strings.Repeat("a.", 121) + "com", strings.Repeat("a", 64) + ".example",
		},
		"refused": {"gmail.com", "GMail.com", "outlook.com", "partner.example", "co.uk", "github.io"},
	} {
		for _, name := range names {
			_, err := d.Add(t.Context(), acme.ID, invite.By("ada"), invite.DomainRule{Name: name, Role: invite.RoleMember})
			require.ErrorIs(t, err, invite.ErrBadDomain, "%q", name)
			_, err = d.Verify(t.Context(), acme.ID, invite.By("ada"), name)
			require.ErrorIs(t, err, invite.ErrBadDomain, "%q", name)
			require.ErrorIs(t, d.Remove(t.Context(), acme.ID, invite.By("ada"), name), removed[why], "%q", name)
		}
	}
	for i := range invite.MaxDomains {
		_, err := d.Add(t.Context(), acme.ID, invite.By("ada"), invite.DomainRule{Name: fmt.Sprintf("acme-%d.example", i), Role: invite.RoleMember})
		require.NoError(t, err)
	}
	_, err := d.Add(t.Context(), acme.ID, invite.By("ada"), acmeMembers(false))
	require.ErrorIs(t, err, &tenant.Error{Code: tenant.CodeValidationFailed})
	changed, err := d.Add(t.Context(), acme.ID, invite.By("ada"), invite.DomainRule{Name: "acme-1.example", Role: invite.RoleViewer})
	require.NoError(t, err, "a rule can be changed")
	assert.Equal(t, invite.RoleViewer, changed.Role)
}

// The product finds out that a domain is everybody's when a tenant has it already.
func TestRow26_NobodyJoinsByADomainThatIsRefusedLater(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	before, z := newDomains(t, s)
	acme, beta := s.create(t, "acme-corp", "ada"), s.create(t, "beta-industries", "ben")
	proved(t, before, z, acme, acmeMembers(false))
	proved(t, before, z, beta, acmeMembers(true))
	_, _, err := before.Join(t.Context(), beta.ID, userOf("cleo"))
	require.NoError(t, err)

	d, err := invite.NewDomains(s.members, invite.DomainConfig{Resolver: z, Refused: []string{"ACME.Example."}})
	require.NoError(t, err)
	_, _, err = d.Join(t.Context(), acme.ID, userOf("cleo"))
	require.ErrorIs(t, err, invite.ErrForbidden)
	_, err = d.Approve(t.Context(), beta.ID, invite.By("ben"), "cleo")
	require.ErrorIs(t, err, invite.ErrForbidden)
	open, err := d.For(t.Context(), userOf("dora"))
	require.NoError(t, err)
	assert.Empty(t, open)
	require.NoError(t, d.Remove(t.Context(), acme.ID, invite.By("ada"), "acme.example"), "which gets rid of it")
}

func TestDomainsThatCantBeAreRefused(t *testing.T) {
	t.Parallel()
	members := new(invite.Members)
	_, err := invite.NewDomains(nil, invite.DomainConfig{Resolver: net.DefaultResolver})
	require.ErrorContains(t, err, "Members")
	for want, cfg := range map[string]invite.DomainConfig{
		"Resolver is nil":          {},
		`RecordPrefix "verify"`:    {Resolver: net.DefaultResolver, RecordPrefix: "verify"},
		`RecordPrefix "_a..b"`:     {Resolver: net.DefaultResolver, RecordPrefix: "_a..b"},
		`Refused: "@acme.example"`: {Resolver: net.DefaultResolver, Refused: []string{"@acme.example"}},
		"Validity is -1ns":         {Resolver: net.DefaultResolver, Validity: -1},
		"Validity is 12000h0m0s,":  {Resolver: net.DefaultResolver, Validity: 500 * 24 * time.Hour},
	} {
		_, err := invite.NewDomains(members, cfg)
		require.ErrorContains(t, err, want)
	}
}
