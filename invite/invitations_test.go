package invite_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/tenant"
)

func TestAnInvitationGoesOutByMail(t *testing.T) {
	t.Parallel()
	s := setUp(t, func(cfg *invite.Config) { cfg.Link = "https://app.example.com/join" })
	acme := s.staffed(t, "acme-corp")
	inv, err := s.members.Invite(t.Context(), acme.ID, invite.By("admin"), " Cleo@ACME.example ", invite.RoleMember)
	require.NoError(t, err)
	mail := s.outbox.last(t, "cleo@acme.example")

	want := invite.Invitation{
		ID: inv.ID, TenantID: acme.ID, Email: "cleo@acme.example", Role: invite.RoleMember, InvitedBy: "admin", Status: invite.StatusPending,
		CreatedAt: s.clock.Now().UTC().Truncate(time.Microsecond), ExpiresAt: s.clock.Now().UTC().Truncate(time.Microsecond).Add(7 * 24 * time.Hour),
	}
	assert.Equal(t, want, inv)
	got, err := s.members.Invitation(t.Context(), acme.ID, inv.ID)
	require.NoError(t, err)
	assert.Equal(t, want, got)

	bytes, err := base64.RawURLEncoding.DecodeString(string(mail.Secret))
	require.NoError(t, err)
	assert.Len(t, bytes, 32)
	assert.Equal(t, "https://app.example.com/join#token="+string(mail.Secret), mail.Link)
	mail.Secret, mail.Link = "", ""
	assert.Equal(t, invite.Mail{Tenant: acme, To: "cleo@acme.example", Role: invite.RoleMember, InvitedBy: "admin", ExpiresAt: inv.ExpiresAt}, mail)
}

func TestRow28_TheSecretIsKeptNowhere(t *testing.T) {
	t.Parallel()
	s := setUp(t, func(cfg *invite.Config) { cfg.Link = "https://app.example.com/join" })
	acme := s.create(t, "acme-corp", "ada")
	inv, secret := s.invited(t, acme, "ada", "cleo@acme.example", invite.RoleMember)
	raw, err := base64.RawURLEncoding.DecodeString(string(secret))
	require.NoError(t, err)
	var stored string
	require.NoError(t, s.control.QueryRow(t.Context(), `
		SELECT string_agg(i::text, '') || (SELECT string_agg(e::text, '') FROM tenantwall.event e) FROM tenantwall.invitation i`).Scan(&stored))
	assert.Contains(t, stored, inv.ID)
	assert.NotContains(t, stored, string(secret))
	assert.NotContains(t, stored, fmt.Sprintf("%x", raw))

	mail := s.outbox.last(t, "cleo@acme.example")
	assert.Contains(t, mail.Link, string(secret))
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("invited", "secret", secret, "mail", mail)
	assert.NotContains(t, log.String(), string(secret))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} { // the last is none of a text's
		assert.Equal(t, "[secret]", fmt.Sprintf(verb, secret), verb)
		assert.Equal(t, "[mail of an invitation to acme-corp]", fmt.Sprintf(verb, mail), verb)
	}
}

func TestEventsHaveNoAddresses(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp", "ada")
	_, secret := s.invited(t, acme, "ada", "cleo@acme.example", invite.RoleMember)
	_, err := s.members.Accept(t.Context(), secret, userOf("cleo"))
	require.NoError(t, err)
	var stored string
	require.NoError(t, s.control.QueryRow(t.Context(), `SELECT string_agg(e::text, '') FROM tenantwall.event e`).Scan(&stored))
	assert.Contains(t, stored, "invite.accepted")
	assert.NotContains(t, stored, "@")
}

func TestRow29_AnInvitersRoleBoundsTheInvitation(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.staffed(t, "acme-corp")
	invitedAs := func(by string, role invite.Role) error {
		_, err := s.members.Invite(t.Context(), acme.ID, invite.By(by), "x@acme.example", role)
		return err
	}
	require.ErrorIs(t, invitedAs("admin", invite.RoleOwner), invite.ErrForbidden)
	require.ErrorIs(t, invitedAs("member", invite.RoleViewer), invite.ErrForbidden)
	require.ErrorIs(t, invitedAs("viewer", invite.RoleViewer), invite.ErrForbidden)
	require.ErrorIs(t, invitedAs("stranger", invite.RoleViewer), invite.ErrNotAMember)
	require.ErrorIs(t, invitedAs("owner", "root"), invite.ErrBadRole)
	assert.Empty(t, s.outbox.mails, "nothing was sent")

	ownerInv, _ := s.invited(t, acme, "owner", "boss@acme.example", invite.RoleOwner)
	_, err := s.members.Resend(t.Context(), acme.ID, invite.By("admin"), ownerInv.ID)
	require.ErrorIs(t, err, invite.ErrForbidden)
	require.ErrorIs(t, s.members.Revoke(t.Context(), acme.ID, invite.By("admin"), ownerInv.ID), invite.ErrForbidden)
	_, err = s.members.Invite(t.Context(), acme.ID, invite.By("admin"), "boss@acme.example", invite.RoleMember)
	require.ErrorIs(t, err, invite.ErrForbidden, "to replace is to take")
	_, err = s.members.Resend(t.Context(), acme.ID, invite.By("member"), ownerInv.ID)
	require.ErrorIs(t, err, invite.ErrForbidden)
	require.ErrorIs(t, s.members.Revoke(t.Context(), acme.ID, invite.By("viewer"), ownerInv.ID), invite.ErrForbidden)
}

func TestRow29_TheInvitersRoleIsAskedAgainAtAccept(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		role   invite.Role
		before func(s site, in tenant.Tenant) error
		want   error
	}{
		"demoted below the role": {invite.RoleOwner, func(s site, in tenant.Tenant) error {
			_, err := s.members.ChangeRole(t.Context(), in.ID, invite.By("owner"), "inviter", invite.RoleAdmin)
			return err
		}, invite.ErrInviteExpired},
		"demoted, and still above the role": {invite.RoleMember, func(s site, in tenant.Tenant) error {
			_, err := s.members.ChangeRole(t.Context(), in.ID, invite.By("owner"), "inviter", invite.RoleAdmin)
			return err
		}, nil},
		"demoted below managing": {invite.RoleViewer, func(s site, in tenant.Tenant) error {
			_, err := s.members.ChangeRole(t.Context(), in.ID, invite.By("owner"), "inviter", invite.RoleMember)
			return err
		}, invite.ErrInviteExpired},
		"removed": {invite.RoleViewer, func(s site, in tenant.Tenant) error {
			return s.members.Remove(t.Context(), in.ID, invite.By("owner"), "inviter")
		}, invite.ErrInviteExpired},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setUp(t)
			acme := s.create(t, "acme-corp", "owner")
			s.join(t, acme, "inviter", invite.RoleOwner)
			inv, secret := s.invited(t, acme, "inviter", "cleo@acme.example", test.role)
			require.NoError(t, test.before(s, acme))
			_, err := s.members.Preview(t.Context(), secret)
			require.ErrorIs(t, err, test.want)
			_, err = s.members.Accept(t.Context(), secret, userOf("cleo"))
			require.ErrorIs(t, err, test.want)
			if test.want == nil {
				return
			}
			// Someone who may give the role vouches for it anew.
			_, err = s.members.Resend(t.Context(), acme.ID, invite.By("owner"), inv.ID)
			require.NoError(t, err)
			_, err = s.members.Accept(t.Context(), s.outbox.secretFor(t, "cleo@acme.example"), userOf("cleo"))
			require.NoError(t, err)
		})
	}
}

func TestAnInvitationOfTheProgramNeedsNoInviter(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp", "ada")
	inv, err := s.members.Invite(t.Context(), acme.ID, invite.ByProgram(), "boss@acme.example", invite.RoleOwner)
	require.NoError(t, err)
	assert.Empty(t, inv.InvitedBy)
	_, err = s.members.Accept(t.Context(), s.outbox.secretFor(t, "boss@acme.example"), userOf("boss"))
	require.NoError(t, err)
	assert.Contains(t, s.roles(t, acme), "boss owner")
}

func TestARoleThatTheProductHasGivenUpIsNotAccepted(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp", "ada")
	_, secret := s.invited(t, acme, "ada", "cleo@acme.example", invite.RoleViewer)
	roles, err := invite.NewRoles(invite.RoleDef{Name: invite.RoleOwner, Permissions: []invite.Permission{invite.PermManageMembers}})
	require.NoError(t, err)
	_, err = s.open(t, func(cfg *invite.Config) { cfg.Roles = roles }).Accept(t.Context(), secret, userOf("cleo"))
	require.ErrorIs(t, err, invite.ErrInviteExpired)
}

func TestRow28_AResentInvitationHasAnotherSecret(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.staffed(t, "acme-corp")
	inv, old := s.invited(t, acme, "owner", "cleo@acme.example", invite.RoleMember)
	s.clock.Pass(time.Hour)
	renewed, err := s.members.Resend(t.Context(), acme.ID, invite.By("admin"), inv.ID)
	require.NoError(t, err)
	secret := s.outbox.secretFor(t, "cleo@acme.example")
	assert.NotEqual(t, old, secret)
	want := inv
	want.ExpiresAt, want.InvitedBy = inv.ExpiresAt.Add(time.Hour), "admin"
	assert.Equal(t, want, renewed, "the same invitation, for the full time, vouched for by who resent it")

	s.requireDead(t, old)
	_, err = s.members.Accept(t.Context(), secret, userOf("cleo"))
	require.NoError(t, err)
	_, err = s.members.Resend(t.Context(), acme.ID, invite.By("admin"), inv.ID)
	require.ErrorIs(t, err, invite.ErrInviteExpired, "one that was accepted")
	assert.Equal(t, []string{"invite.created", "invite.resent", "invite.accepted", "member.added"}, s.told(t, acme)[4:])
}

// requireDead requires that a secret is of no use to anybody.
func (s site) requireDead(t testing.TB, secret invite.Secret) {
	t.Helper()
	_, err := s.members.Preview(t.Context(), secret)
	require.ErrorIs(t, err, invite.ErrInviteExpired)
	_, err = s.members.Accept(t.Context(), secret, userOf("cleo"))
	require.ErrorIs(t, err, invite.ErrInviteExpired)
	_, err = s.members.Accept(t.Context(), secret, userOf("mallory"))
	require.ErrorIs(t, err, invite.ErrInviteExpired)
}

func TestAnInvitationExpires(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp", "ada")
	inv, secret := s.invited(t, acme, "ada", "cleo@acme.example", invite.RoleMember)
	s.clock.Pass(inv.ExpiresAt.Sub(s.clock.Now()) - time.Microsecond)
	_, err := s.members.Preview(t.Context(), secret)
	require.NoError(t, err, "until the last moment")
	s.clock.Pass(time.Microsecond)
	s.requireDead(t, secret)
	require.ErrorIs(t, s.members.Decline(t.Context(), secret), invite.ErrInviteExpired)
	got, err := s.members.Invitation(t.Context(), acme.ID, inv.ID)
	require.NoError(t, err)
	assert.Equal(t, invite.StatusExpired, got.Status)

	_, err = s.members.Resend(t.Context(), acme.ID, invite.By("ada"), inv.ID)
	require.NoError(t, err)
	_, err = s.members.Accept(t.Context(), s.outbox.secretFor(t, "cleo@acme.example"), userOf("cleo"))
	require.NoError(t, err)
}

func TestARevokedInvitationIsDead(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.staffed(t, "acme-corp")
	inv, secret := s.invited(t, acme, "owner", "cleo@acme.example", invite.RoleMember)
	require.NoError(t, s.members.Revoke(t.Context(), acme.ID, invite.By("admin"), inv.ID))
	require.NoError(t, s.members.Revoke(t.Context(), acme.ID, invite.By("admin"), inv.ID), "and stays so")
	s.requireDead(t, secret)
	require.ErrorIs(t, s.members.Decline(t.Context(), secret), invite.ErrInviteExpired)
	_, err := s.members.Resend(t.Context(), acme.ID, invite.By("owner"), inv.ID)
	require.ErrorIs(t, err, invite.ErrInviteExpired)

	accepted, secret := s.invited(t, acme, "owner", "cleo@acme.example", invite.RoleMember)
	_, err = s.members.Accept(t.Context(), secret, userOf("cleo"))
	require.NoError(t, err)
	require.ErrorIs(t, s.members.Revoke(t.Context(), acme.ID, invite.By("admin"), accepted.ID), invite.ErrInviteExpired)
	assert.Equal(t, []string{"invite.created", "invite.revoked", "invite.created", "invite.accepted", "member.added"}, s.told(t, acme)[4:])
}

func TestADeclinedInvitationIsDead(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp", "ada")
	inv, secret := s.invited(t, acme, "ada", "cleo@acme.example", invite.RoleMember)
	require.NoError(t, s.members.Decline(t.Context(), secret))
	require.NoError(t, s.members.Decline(t.Context(), secret), "and stays so")
	s.requireDead(t, secret)
	_, err := s.members.Resend(t.Context(), acme.ID, invite.By("ada"), inv.ID)
	require.ErrorIs(t, err, invite.ErrInviteExpired)
	require.ErrorIs(t, s.members.Decline(t.Context(), "nonsense"), invite.ErrInviteExpired)
	assert.Equal(t, []string{"member.added", "invite.created", "invite.declined"}, s.told(t, acme))
}

func TestALaterInvitationReplacesTheEarlier(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme, beta := s.create(t, "acme-corp", "ada"), s.create(t, "beta-industries", "ben")
	first, old := s.invited(t, acme, "ada", "cleo@acme.example", invite.RoleMember)
	_, elsewhere := s.invited(t, beta, "ben", "cleo@acme.example", invite.RoleMember)
	second, secret := s.invited(t, acme, "ada", "Cleo@acme.example", invite.RoleViewer)
	assert.NotEqual(t, first.ID, second.ID)
	s.requireDead(t, old)
	got, err := s.members.Invitation(t.Context(), acme.ID, first.ID)
	require.NoError(t, err)
	assert.Equal(t, invite.StatusReplaced, got.Status)

	joined, err := s.members.Accept(t.Context(), secret, userOf("cleo"))
	require.NoError(t, err)
	assert.Equal(t, invite.RoleViewer, joined.Role)
	_, err = s.members.Preview(t.Context(), elsewhere)
	require.NoError(t, err, "another tenant's is another matter")
	assert.Equal(t, []string{"member.added", "invite.created", "invite.replaced", "invite.created", "invite.accepted", "member.added"}, s.told(t, acme))
}

func TestWhoIsAMemberIsNotInvited(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp", "ada")
	_, err := s.members.Invite(t.Context(), acme.ID, invite.By("ada"), "ADA@acme.example", invite.RoleViewer)
	require.ErrorIs(t, err, invite.ErrAlreadyMember)

	inv, secret := s.invited(t, acme, "ada", "cleo@acme.example", invite.RoleMember)
	s.join(t, acme, "cleo", invite.RoleViewer) // in another way, meanwhile
	got, err := s.members.Invitation(t.Context(), acme.ID, inv.ID)
	require.NoError(t, err)
	assert.Equal(t, invite.StatusReplaced, got.Status)
	s.requireDead(t, secret)
	used, err := s.members.SeatsUsed(t.Context(), acme.ID)
	require.NoError(t, err)
	assert.Equal(t, 2, used, "nobody takes two seats")
}

func TestRow19_AnInvitationIsFoundInItsTenantAlone(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme, beta := s.create(t, "acme-corp", "ada"), s.create(t, "beta-industries", "ben")
	inv, secret := s.invited(t, acme, "ada", "cleo@acme.example", invite.RoleMember)
	for _, id := range []string{inv.ID, tenant.NewID().String(), "", "x", strings.ToUpper(inv.ID), inv.ID + "\x00", inv.ID + " ", "\xff", "' OR true --"} {
		in := beta
		if id != inv.ID {
			in = acme
		}
		by := invite.ByProgram()
		_, err := s.members.Invitation(t.Context(), in.ID, id)
		require.ErrorIs(t, err, invite.ErrNotFound, "%q", id)
		_, err = s.members.Resend(t.Context(), in.ID, by, id)
		require.ErrorIs(t, err, invite.ErrNotFound, "%q", id)
		require.ErrorIs(t, s.members.Revoke(t.Context(), in.ID, by, id), invite.ErrNotFound, "%q", id)
	}
	_, err := s.members.Preview(t.Context(), secret)
	require.NoError(t, err, "it is as it was")
	for inv, err := range s.members.Invitations(t.Context(), beta.ID) {
		t.Errorf("beta-industries has %v, %v", inv, err)
	}
}

func TestInvitationsAreListedPendingFirst(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp", "ada")
	secrets := make(map[string]invite.Secret)
	for _, who := range []string{"late", "declined", "accepted"} {
		_, secrets[who] = s.invited(t, acme, "ada", emailOf(who), invite.RoleMember)
		s.clock.Pass(time.Second)
	}
	require.NoError(t, s.members.Decline(t.Context(), secrets["declined"]))
	_, err := s.members.Accept(t.Context(), secrets["accepted"], userOf("accepted"))
	require.NoError(t, err)
	s.clock.Pass(invite.DefaultExpiry)
	for _, who := range []string{"first", "revoked", "second"} {
		inv, _ := s.invited(t, acme, "ada", emailOf(who), invite.RoleMember)
		if who == "revoked" {
			require.NoError(t, s.members.Revoke(t.Context(), acme.ID, invite.By("ada"), inv.ID))
		}
		s.clock.Pass(time.Second)
	}
	var found []string
	for inv, err := range s.members.Invitations(t.Context(), acme.ID) {
		require.NoError(t, err)
		found = append(found, strings.TrimSuffix(inv.Email, "@acme.example")+" "+string(inv.Status))
	}
	assert.Equal(t, []string{"second pending", "first pending", "revoked revoked", "accepted accepted", "declined declined", "late expired"}, found)
	for range s.members.Invitations(t.Context(), acme.ID) {
		break
	}
}

func TestALongListOfInvitationsIsReadToItsEnd(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp", "ada")
	_, err := s.control.Exec(t.Context(), `
		INSERT INTO tenantwall.invitation (id, tenant_id, email, role, invited_by, secret_hash, status, created_at, expires_at)
		SELECT gen_random_uuid()::text, $1, n || '@acme.example', 'viewer', '', sha256(n::text::bytea),
		       CASE WHEN n % 2 = 0 THEN 'pending' ELSE 'revoked' END, now(), now() + interval '1 day'
		  FROM generate_series(1, 2400) n`, acme.ID)
	require.NoError(t, err)
	seen := make(map[string]bool)
	pending := true
	for inv, err := range s.members.Invitations(t.Context(), acme.ID) {
		require.NoError(t, err)
		require.False(t, !pending && inv.Status == invite.StatusPending, "pending first")
		pending = inv.Status == invite.StatusPending
		seen[inv.ID] = true
	}
	assert.Len(t, seen, 2400)
}

func TestAMailThatFailsLosesNoInvitation(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp", "ada")
	s.outbox.fail = io.ErrClosedPipe
	inv, err := s.members.Invite(t.Context(), acme.ID, invite.By("ada"), "cleo@acme.example", invite.RoleMember)
	require.ErrorIs(t, err, invite.ErrNotSent)
	require.ErrorIs(t, err, io.ErrClosedPipe)
	told, ok := errors.AsType[*tenant.Error](err)
	require.True(t, ok)
	assert.Equal(t, tenant.CodeUnavailable, told.Code)
	_, err = s.members.Resend(t.Context(), acme.ID, invite.By("ada"), inv.ID)
	require.ErrorIs(t, err, invite.ErrNotSent)
	s.outbox.fail = nil
	_, err = s.members.Resend(t.Context(), acme.ID, invite.By("ada"), inv.ID)
	require.NoError(t, err)
	_, err = s.members.Accept(t.Context(), s.outbox.secretFor(t, "cleo@acme.example"), userOf("cleo"))
	require.NoError(t, err)
}

func TestASenderHasItsOwnTime(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp", "ada")
	ctx, cancel := context.WithCancel(t.Context())
	members := s.open(t, func(cfg *invite.Config) {
		cfg.SendTimeout = 20 * time.Millisecond
		cfg.Sender = invite.SenderFunc(func(ctx context.Context, _ invite.Mail) error {
			cancel() // the client has gone
			if err := ctx.Err(); err != nil {
				return err
			}
			<-ctx.Done()
			return ctx.Err()
		})
	})
	_, err := members.Invite(ctx, acme.ID, invite.By("ada"), "cleo@acme.example", invite.RoleMember)
	require.ErrorIs(t, err, invite.ErrNotSent)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestNobodyIsInvitedWithoutASender(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp", "ada")
	inv, _ := s.invited(t, acme, "ada", "cleo@acme.example", invite.RoleMember)
	members := s.open(t, func(cfg *invite.Config) { cfg.Sender = nil })
	_, err := members.Invite(t.Context(), acme.ID, invite.By("ada"), "x@acme.example", invite.RoleMember)
	require.ErrorContains(t, err, "Sender")
	_, err = members.Resend(t.Context(), acme.ID, invite.By("ada"), inv.ID)
	require.ErrorContains(t, err, "Sender")
}

func TestNoSecretIsMadeWithoutRandomness(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp", "ada")
	inv, _ := s.invited(t, acme, "ada", "cleo@acme.example", invite.RoleMember)
	for _, size := range []int{0, 32} { // enough for the secret alone
		members := s.open(t, func(cfg *invite.Config) { cfg.Random = bytes.NewReader(make([]byte, size)) })
		_, err := members.Invite(t.Context(), acme.ID, invite.By("ada"), "x@acme.example", invite.RoleMember)
		require.ErrorIs(t, err, io.EOF)
	}
	members := s.open(t, func(cfg *invite.Config) { cfg.Random = bytes.NewReader(nil) })
	_, err := members.Resend(t.Context(), acme.ID, invite.By("ada"), inv.ID)
	require.ErrorIs(t, err, io.EOF)
}

func TestBadAddressesAreNotInvited(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp", "ada")
	_, err := s.members.Invite(t.Context(), acme.ID, invite.By("ada"), "Cleo <cleo@acme.example>", invite.RoleMember)
	require.ErrorIs(t, err, invite.ErrBadEmail)
	told, ok := errors.AsType[*tenant.Error](err)
	require.True(t, ok)
	assert.Equal(t, tenant.CodeValidationFailed, told.Code)
	assert.Equal(t, "email", told.Fields[0].Field)
}
