package invite_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/tenant"
)

func TestWhoAcceptsIsAMember(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp", "ada")
	inv, secret := s.invited(t, acme, "ada", "cleo@acme.example", invite.RoleMember)
	joined, err := s.members.Accept(t.Context(), secret, invite.User{ID: "cleo", VerifiedEmail: " CLEO@Acme.Example"})
	require.NoError(t, err)
	assert.Equal(t, acme, joined.Tenant)
	assert.Equal(t, invite.RoleMember, joined.Role)
	cleo, err := s.members.Get(t.Context(), acme.ID, "cleo")
	require.NoError(t, err)
	assert.Equal(t, joined.Version, cleo.Version)
	assert.Equal(t, "cleo@acme.example", cleo.Email)

	again, err := s.members.Accept(t.Context(), secret, userOf("cleo"))
	require.NoError(t, err)
	assert.Equal(t, joined, again, "the same answer again")
	got, err := s.members.Invitation(t.Context(), acme.ID, inv.ID)
	require.NoError(t, err)
	assert.Equal(t, invite.StatusAccepted, got.Status)
	assert.Equal(t, "cleo", got.AcceptedBy)
	assert.Equal(t, []string{"member.added", "invite.created", "invite.accepted", "member.added"}, s.told(t, acme), "and no event twice")
}

func TestRow26_AnInvitationIsForTheVerifiedAddressAlone(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp", "ada")
	inv, secret := s.invited(t, acme, "ada", "kate@acme.example", invite.RoleMember)
	for _, verified := range []string{
		"", "mallory@evil.example", "kate@acme.example.evil.example", "kate@acme.exampl", "kate+x@acme.example", "k.ate@acme.example",
		"\u212aate@acme.example", "Kate <kate@acme.example>", "kate@acme.example, mallory@evil.example", "kate@acme.example\x00",
	} {
		_, err := s.members.Accept(t.Context(), secret, invite.User{ID: "mallory", VerifiedEmail: verified})
		require.ErrorIs(t, err, invite.ErrEmailMismatch, "%q", verified)
	}
	_, err := s.members.Accept(t.Context(), secret, invite.User{VerifiedEmail: "kate@acme.example"})
	require.ErrorIs(t, err, &tenant.Error{Code: tenant.CodeValidationFailed}, "a user without an id")

	got, err := s.members.Invitation(t.Context(), acme.ID, inv.ID)
	require.NoError(t, err)
	assert.Equal(t, invite.StatusPending, got.Status, "the tries have not used it up")
	assert.Equal(t, []string{"ada owner"}, s.roles(t, acme))
	_, err = s.members.Accept(t.Context(), secret, userOf("kate"))
	require.NoError(t, err)
	_, err = s.members.Accept(t.Context(), secret, userOf("mallory"))
	require.ErrorIs(t, err, invite.ErrInviteExpired, "used by another")
	_, err = s.members.Accept(t.Context(), secret, userOf("ada"))
	require.ErrorIs(t, err, invite.ErrInviteExpired, "used by another, for a member too")
}

func TestRow26_OfTwoUsersWithTheAddressOneGetsIn(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp", "ada")
	const rounds = 20
	for i := range rounds {
		email := strings.Repeat("x", i+1) + "@acme.example"
		_, secret := s.invited(t, acme, "ada", email, invite.RoleMember)
		var wg sync.WaitGroup
		errs := make([]error, 2)
		for j, id := range []string{"one of ", "two of "} {
			wg.Go(func() {
				_, errs[j] = s.members.Accept(t.Context(), secret, invite.User{ID: id + email, VerifiedEmail: email})
			})
		}
		wg.Wait()
		if errs[0] == nil {
			errs[0], errs[1] = errs[1], errs[0]
		}
		require.ErrorIs(t, errs[0], invite.ErrInviteExpired)
		require.NoError(t, errs[1])
	}
	assert.Len(t, s.roles(t, acme), rounds+1)
}

func TestAUserWhoAcceptsTwiceAtOnceJoinsOnce(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp", "ada")
	_, secret := s.invited(t, acme, "ada", "cleo@acme.example", invite.RoleMember)
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() { _, errs[i] = s.members.Accept(t.Context(), secret, userOf("cleo")) })
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	assert.Equal(t, []string{"member.added", "invite.created", "invite.accepted", "member.added"}, s.told(t, acme))
}

func TestRow27_PreviewChangesNothing(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp", "ada")
	inv, secret := s.invited(t, acme, "ada", "cleo@acme.example", invite.RoleMember)
	s.invited(t, acme, "ada", "dora@acme.example", invite.RoleAdmin)
	state := func() (all string) {
		require.NoError(t, s.control.QueryRow(t.Context(), `
			SELECT concat((SELECT string_agg(i::text || i.xmin, ',' ORDER BY id) FROM tenantwall.invitation i),
			              (SELECT string_agg(m::text || m.xmin, ',' ORDER BY user_id) FROM tenantwall.membership m),
			              (SELECT count(*) FROM tenantwall.event))`).Scan(&all))
		return all
	}
	before := state()
	for range 3 {
		preview, err := s.members.Preview(t.Context(), secret)
		require.NoError(t, err)
		assert.Equal(t, invite.Preview{Tenant: acme, Email: "cleo@acme.example", Role: invite.RoleMember, ExpiresAt: inv.ExpiresAt}, preview)
	}
	assert.Equal(t, before, state())
	joined, err := s.members.Accept(t.Context(), secret, userOf("cleo"))
	require.NoError(t, err, "a mail scanner has burnt nothing")
	assert.Equal(t, invite.RoleMember, joined.Role, "accept takes what was previewed")
}

func TestWhatIsNoSecretOpensNothing(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp", "ada")
	_, secret := s.invited(t, acme, "ada", "cleo@acme.example", invite.RoleMember)
	good := string(secret)
	for _, bad := range []string{
		"", "x", good[:42], good + "A", good + "=", " " + good[1:], strings.Repeat("A", 43), strings.Repeat("\x00", 43), strings.Repeat("+", 43),
		strings.Repeat("A", 1<<20), good[:42] + "\n", withOtherTrailingBits(good),
	} {
		s.requireDead(t, invite.Secret(bad))
		require.ErrorIs(t, s.members.Decline(t.Context(), invite.Secret(bad)), invite.ErrInviteExpired)
	}
}

// withOtherTrailingBits is another spelling of the same bytes, to a decoder that is not
// strict: the last character has two bits that mean nothing.
func withOtherTrailingBits(secret string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, secret[42])
	return secret[:42] + alphabet[last|1:last|1+1]
}

func TestWhoWasRemovedDoesntComeBackByTheOldInvitation(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp", "ada")
	_, secret := s.invited(t, acme, "ada", "cleo@acme.example", invite.RoleAdmin)
	_, err := s.members.Accept(t.Context(), secret, userOf("cleo"))
	require.NoError(t, err)
	_, err = s.members.ChangeRole(t.Context(), acme.ID, invite.By("ada"), "cleo", invite.RoleViewer)
	require.NoError(t, err)
	again, err := s.members.Accept(t.Context(), secret, userOf("cleo"))
	require.NoError(t, err)
	assert.Equal(t, invite.RoleViewer, again.Role, "accepted again, it gives no role back")
	require.NoError(t, s.members.Remove(t.Context(), acme.ID, invite.By("ada"), "cleo"))
	s.requireDead(t, secret)
}

func TestAMemberAcceptsNoSecondInvitation(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp", "ada")
	inv, secret := s.invited(t, acme, "ada", "ada@private.example", invite.RoleViewer)
	_, err := s.members.Accept(t.Context(), secret, invite.User{ID: "ada", VerifiedEmail: "ada@private.example"})
	require.ErrorIs(t, err, invite.ErrAlreadyMember)
	got, err := s.members.Invitation(t.Context(), acme.ID, inv.ID)
	require.NoError(t, err)
	assert.Equal(t, invite.StatusPending, got.Status)
	assert.Equal(t, []string{"ada owner"}, s.roles(t, acme))
}

// The invitation is renewed after it was found by its old secret, and before the tenant is
// held.
func TestRow28_ASecretThatIsRenewedMeanwhileIsDead(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp", "ada")
	inv, secret := s.invited(t, acme, "ada", "cleo@acme.example", invite.RoleMember)
	holder, err := s.control.Begin(t.Context())
	require.NoError(t, err)
	defer holder.Rollback(t.Context())
	_, err = holder.Exec(t.Context(), `SELECT FROM tenantwall.tenant WHERE id = $1 FOR NO KEY UPDATE`, acme.ID)
	require.NoError(t, err)
	accepted := make(chan error)
	go func() {
		_, err := s.members.Accept(t.Context(), secret, userOf("cleo"))
		accepted <- err
	}()
	require.Eventually(t, func() bool {
		var waits bool
		err := s.control.QueryRow(t.Context(), `
			SELECT EXISTS (SELECT FROM pg_stat_activity
			                WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%FOR NO KEY UPDATE OF t%')`).Scan(&waits)
		return err == nil && waits
	}, time.Minute, 5*time.Millisecond)
	_, err = holder.Exec(t.Context(), `UPDATE tenantwall.invitation SET secret_hash = sha256('another') WHERE id = $1`, inv.ID)
	require.NoError(t, err)
	require.NoError(t, holder.Commit(t.Context()))
	require.ErrorIs(t, <-accepted, invite.ErrInviteExpired)
	assert.Equal(t, []string{"ada owner"}, s.roles(t, acme))
}

func TestAChangeWaitsForALockNoLongerThanItMay(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp", "ada")
	holder, err := s.control.Begin(t.Context())
	require.NoError(t, err)
	defer holder.Rollback(t.Context())
	_, err = holder.Exec(t.Context(), `SELECT FROM tenantwall.tenant WHERE id = $1 FOR NO KEY UPDATE`, acme.ID)
	require.NoError(t, err)
	hasty := s.open(t, func(cfg *invite.Config) { cfg.LockTimeout = 10 * time.Millisecond })
	require.ErrorContains(t, hasty.Leave(t.Context(), acme.ID, "ada"), "lock timeout")
}
