package main

import (
	"crypto/rand"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/tenant"
)

type invitesView struct {
	Invites []inviteView `json:"invites"`
}

type previewView struct {
	Tenant    struct{ Slug, Name string } `json:"tenant"`
	Email     string                      `json:"email"`
	Role      invite.Role                 `json:"role"`
	ExpiresAt time.Time                   `json:"expires_at"`
}

type acceptedView struct {
	Tenant tenantName  `json:"tenant"`
	Role   invite.Role `json:"role"`
}

func newEmail() string { return strings.ToLower(rand.Text()[:12]) + "@new.example" }

func (a api) tryInvite(t testing.TB, by person, in tenantView, email string, role invite.Role) response {
	t.Helper()
	return a.inTenant(t, by, in, "POST", "/v1/invites", jsonOf(t, map[string]string{"email": email, "role": string(role)}))
}

// invite invites an address, and returns what its mail has.
func (a api) invite(t testing.TB, by person, in tenantView, email string, role invite.Role) (inviteView, message) {
	t.Helper()
	inv := as[inviteView](t, a.tryInvite(t, by, in, email, role), 201)
	return inv, a.mailsTo(t, email)[0]
}

func (a api) mailsTo(t testing.TB, email string) []message {
	t.Helper()
	return as[struct{ Mails []message }](t, a.do(t, request{method: "GET", path: "/demo/outbox?email=" + url.QueryEscape(email)}), 200).Mails
}

func (a api) preview(t testing.TB, secret string) response {
	t.Helper()
	return a.do(t, request{method: "POST", path: "/v1/invites/preview", body: jsonOf(t, map[string]string{"token": secret})})
}

func (a api) accept(t testing.TB, p person, secret string) response {
	t.Helper()
	return a.do(t, request{method: "POST", path: "/v1/invites/accept", token: p.token, body: jsonOf(t, map[string]string{"token": secret})})
}

func TestAnInvitedAddressSignsInAndJoins(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	owner, email := a.newPerson(t), newEmail()
	in := a.newTenant(t, owner)
	got := a.tryInvite(t, owner, in, strings.ToUpper(email), "member")
	inv := as[inviteView](t, got, 201)
	assert.Equal(t, inviteView{ID: inv.ID, Email: email, Role: "member", Status: "pending", ExpiresAt: inv.ExpiresAt}, inv)
	assert.WithinDuration(t, time.Now().Add(invite.DefaultExpiry), inv.ExpiresAt, time.Minute)

	mails := a.mailsTo(t, email)
	require.Len(t, mails, 1)
	assert.Equal(t, email, mails[0].To)
	assert.Equal(t, "Join "+in.Name+" on Notes", mails[0].Subject)
	secret := mails[0].InviteToken
	assert.NotContains(t, string(got.body), secret, "the secret goes out by mail alone")
	_, port, _ := strings.Cut(strings.TrimPrefix(a.url, "http://"), ":")
	assert.Contains(t, mails[0].Text, "\nhttp://localhost:"+port+"/#token="+secret+"\n")

	newcomer := a.signIn(t, email)
	see := as[previewView](t, a.preview(t, secret), 200)
	assert.Equal(t, previewView{Tenant: struct{ Slug, Name string }{string(in.Slug), in.Name}, Email: email, Role: "member", ExpiresAt: inv.ExpiresAt}, see)
	requireProblem(t, a.inTenant(t, newcomer, in, "GET", "/v1/notes", ""), 403, tenant.CodeNotAMember) // yet

	want := acceptedView{Tenant: tenantName{ID: in.ID, Slug: in.Slug, Name: in.Name}, Role: "member"}
	for range 2 {
		assert.Equal(t, want, as[acceptedView](t, a.accept(t, newcomer, secret), 200), "the same again")
	}
	assert.Equal(t, 201, a.inTenant(t, newcomer, in, "POST", "/v1/notes", `{"title":"joined"}`).status)
	assert.Equal(t, map[string]invite.Role{owner.Email: "owner", email: "member"}, a.membersOf(t, owner, in))
	list := as[invitesView](t, a.inTenant(t, owner, in, "GET", "/v1/invites", ""), 200)
	require.Len(t, list.Invites, 1)
	assert.Equal(t, invite.StatusAccepted, list.Invites[0].Status)
}

func TestRow26_AnotherPersonsInvitationIsNotAccepted(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	owner, email := a.newPerson(t), newEmail()
	in := a.newTenant(t, owner)
	_, mail := a.invite(t, owner, in, email, "member")
	for _, p := range []person{a.newPerson(t), owner} {
		requireProblem(t, a.accept(t, p, mail.InviteToken), 403, tenant.CodeEmailMismatch)
	}
	requireProblem(t, a.do(t, request{method: "POST", path: "/v1/invites/accept", body: `{"token":"` + mail.InviteToken + `"}`}), 401, tenant.CodeUnauthenticated)
	assert.Equal(t, 200, a.accept(t, a.signIn(t, email), mail.InviteToken).status, "it is still there for whom it is")
}

func TestRow27_APreviewChangesNothing(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	owner, email := a.newPerson(t), newEmail()
	in := a.newTenant(t, owner)
	inv, mail := a.invite(t, owner, in, email, "viewer")
	first := a.preview(t, mail.InviteToken)
	for range 3 {
		assert.JSONEq(t, string(first.body), string(a.preview(t, mail.InviteToken).body))
	}
	list := as[invitesView](t, a.inTenant(t, owner, in, "GET", "/v1/invites", ""), 200)
	assert.Equal(t, []inviteView{inv}, list.Invites)
	requireProblem(t, a.do(t, request{method: "GET", path: "/v1/invites/accept?token=" + mail.InviteToken, token: owner.token}), 405, tenant.CodeMethodNotAllowed)
	assert.Equal(t, 200, a.accept(t, a.signIn(t, email), mail.InviteToken).status)
	requireProblem(t, a.preview(t, mail.InviteToken), 410, tenant.CodeInviteExpired)
}

func TestRow28_AfterAResendTheEarlierLinkIsDead(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	owner, email := a.newPerson(t), newEmail()
	in := a.newTenant(t, owner)
	inv, first := a.invite(t, owner, in, email, "member")
	again := as[inviteView](t, a.inTenant(t, owner, in, "POST", "/v1/invites/"+inv.ID+"/resend", ""), 200)
	assert.Equal(t, inv.ID, again.ID)
	mails := a.mailsTo(t, email)
	require.Len(t, mails, 2)
	assert.Equal(t, first, mails[1], "the newest first")
	requireDead(t, a, email, first)
	assert.Equal(t, 200, a.accept(t, a.signIn(t, email), mails[0].InviteToken).status)
	requireProblem(t, a.inTenant(t, owner, in, "POST", "/v1/invites/"+inv.ID+"/resend", ""), 410, tenant.CodeInviteExpired)
	requireProblem(t, a.inTenant(t, owner, in, "DELETE", "/v1/invites/"+inv.ID, ""), 410, tenant.CodeInviteExpired)
}

// requireDead demands that an invitation can't be used, not even by the invited.
func requireDead(t *testing.T, a api, email string, mail message) {
	t.Helper()
	requireProblem(t, a.preview(t, mail.InviteToken), 410, tenant.CodeInviteExpired)
	requireProblem(t, a.accept(t, a.signIn(t, email), mail.InviteToken), 410, tenant.CodeInviteExpired)
}

func TestInvitationsThatAreClosedCantBeUsed(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	owner := a.newPerson(t)
	in := a.newTenant(t, owner)

	revoked := newEmail()
	inv, mail := a.invite(t, owner, in, revoked, "member")
	for range 2 {
		assert.Equal(t, 204, a.inTenant(t, owner, in, "DELETE", "/v1/invites/"+inv.ID, "").status)
	}
	requireDead(t, a, revoked, mail)

	replaced := newEmail()
	_, first := a.invite(t, owner, in, replaced, "member")
	_, second := a.invite(t, owner, in, replaced, "viewer")
	requireDead(t, a, replaced, first)
	assert.Equal(t, invite.RoleViewer, as[previewView](t, a.preview(t, second.InviteToken), 200).Role)

	expired := newEmail()
	old, mail := a.invite(t, owner, in, expired, "member")
	_, err := a.server.control.Exec(t.Context(), `UPDATE tenantwall.invitation SET expires_at = now() - interval '1 second' WHERE id = $1`, old.ID)
	require.NoError(t, err)
	requireDead(t, a, expired, mail)

	list := as[invitesView](t, a.inTenant(t, owner, in, "GET", "/v1/invites", ""), 200)
	statuses := make([]invite.Status, 0, len(list.Invites))
	for _, i := range list.Invites {
		statuses = append(statuses, i.Status)
	}
	assert.Equal(t, []invite.Status{"pending", "expired", "replaced", "revoked"}, statuses)

	for _, nonsense := range []string{"", "x", mail.InviteToken[1:], strings.Repeat("A", 43), mail.InviteToken + "\x00", strings.Repeat("A", 100_000)} {
		requireProblem(t, a.preview(t, nonsense), 410, tenant.CodeInviteExpired)
		requireProblem(t, a.accept(t, owner, nonsense), 410, tenant.CodeInviteExpired)
	}
}

func TestRow29_AnInviterWhoIsDemotedInvitesNobody(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	in, owner, admin, _, _ := a.crew(t)
	email := newEmail()
	_, mail := a.invite(t, admin, in, email, "admin")
	require.Equal(t, 200, a.inTenant(t, owner, in, "PATCH", "/v1/members/"+admin.ID, `{"role":"member"}`).status)
	requireDead(t, a, email, mail)
}

func TestAnAddressOfAMemberIsNotInvited(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	owner := a.newPerson(t)
	in := a.newTenant(t, owner)
	requireProblem(t, a.tryInvite(t, owner, in, strings.ToUpper(owner.Email), "member"), 409, tenant.CodeAlreadyMember)
}

func TestAnInvitationOfAnotherTenantIsFoundNowhere(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	inA, inB, _, _, both := twoTenants(t, a)
	email := newEmail()
	inv, mail := a.invite(t, both, inB, email, "member")
	for _, id := range []string{inv.ID, tenant.NewID().String(), "no-id", "%00", "%ff", "preview"} {
		requireProblem(t, a.inTenant(t, both, inA, "POST", "/v1/invites/"+id+"/resend", ""), 404, tenant.CodeNotFound)
		requireProblem(t, a.inTenant(t, both, inA, "DELETE", "/v1/invites/"+id, ""), 404, tenant.CodeNotFound)
	}
	assert.Empty(t, as[invitesView](t, a.inTenant(t, both, inA, "GET", "/v1/invites", ""), 200).Invites)
	assert.Equal(t, 200, a.preview(t, mail.InviteToken).status, "it is untouched")
}

func TestNobodyJoinsATenantThatIsNotActive(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	owner, email := a.newPerson(t), newEmail()
	in := a.newTenant(t, owner)
	_, mail := a.invite(t, owner, in, email, "member")
	invited := a.signIn(t, email)
	operate := func(what string) {
		require.Equal(t, 204, a.do(t, request{method: "POST", path: "/admin/tenants/" + string(in.Slug) + "/" + what, token: a.server.operatorToken}).status)
	}
	operate("suspend")
	requireProblem(t, a.preview(t, mail.InviteToken), 403, tenant.CodeTenantSuspended)
	requireProblem(t, a.accept(t, invited, mail.InviteToken), 403, tenant.CodeTenantSuspended)
	operate("resume")
	require.Equal(t, 202, a.do(t, request{method: "DELETE", path: "/v1/tenants/" + string(in.Slug), token: owner.token}).status)
	requireProblem(t, a.preview(t, mail.InviteToken), 410, tenant.CodeTenantGone)
	requireProblem(t, a.accept(t, invited, mail.InviteToken), 410, tenant.CodeTenantGone)
}

func TestRow31_SeatsAreThoseOfThePlan(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	owner := a.newPerson(t)
	in := a.newTenant(t, owner)
	first, _ := a.invite(t, owner, in, newEmail(), "member")
	second := newEmail()
	a.invite(t, owner, in, second, "member")
	requireProblem(t, a.tryInvite(t, owner, in, newEmail(), "member"), 409, tenant.CodeSeatLimitReached) // pending ones reserve
	assert.Equal(t, 201, a.tryInvite(t, owner, in, second, "viewer").status, "a seat that is the address's own")
	assert.Equal(t, 204, a.inTenant(t, owner, in, "DELETE", "/v1/invites/"+first.ID, "").status)
	third, late := a.invite(t, owner, in, newEmail(), "member")
	requireProblem(t, a.tryInvite(t, owner, in, newEmail(), "member"), 409, tenant.CodeSeatLimitReached)
	requireProblem(t, a.inTenant(t, owner, in, "POST", "/v1/invites/"+first.ID+"/resend", ""), 410, tenant.CodeInviteExpired)

	_, err := a.server.control.Exec(t.Context(), `UPDATE tenantwall.invitation SET expires_at = now() - interval '1 second' WHERE id = $1`, third.ID)
	require.NoError(t, err)
	_, mail := a.invite(t, owner, in, second, "viewer")
	assert.Equal(t, 200, a.accept(t, a.signIn(t, second), mail.InviteToken).status)
	assert.Equal(t, 201, a.tryInvite(t, owner, in, newEmail(), "member").status, "what is expired reserves nothing")
	requireProblem(t, a.inTenant(t, owner, in, "POST", "/v1/invites/"+third.ID+"/resend", ""), 409, tenant.CodeSeatLimitReached)
	requireProblem(t, a.accept(t, a.signIn(t, late.To), late.InviteToken), 410, tenant.CodeInviteExpired)

	a.inPro(t, in)
	assert.Equal(t, 200, a.inTenant(t, owner, in, "POST", "/v1/invites/"+third.ID+"/resend", "").status, "the larger plan is in force at once")
}

func TestRow31_RacingInvitationsAndJoinsNeverPassTheSeats(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	owner := a.newPerson(t)
	in := a.newTenant(t, owner)
	const racers = 12
	statuses := make([]int, racers)
	var racing sync.WaitGroup
	for i := range statuses {
		body := jsonOf(t, map[string]string{"email": newEmail(), "role": "member"})
		racing.Go(func() {
			statuses[i] = a.send(t, request{method: "POST", path: "/t/" + string(in.Slug) + "/v1/invites", token: owner.token, body: body}).status
		})
	}
	racing.Wait()
	made := 0
	for _, status := range statuses {
		assert.Contains(t, []int{201, 409}, status)
		if status == 201 {
			made++
		}
	}
	assert.Equal(t, 2, made, "of three seats, one is the owner's")
}

func TestTwoAcceptsAtOnceMakeOneMembership(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	owner, email := a.newPerson(t), newEmail()
	in := a.newTenant(t, owner)
	_, mail := a.invite(t, owner, in, email, "member")
	invited, other := a.signIn(t, email), a.newPerson(t)
	body := jsonOf(t, map[string]string{"token": mail.InviteToken})
	who := []person{invited, other, invited, other, invited, other}
	statuses := make([]int, len(who))
	var racing sync.WaitGroup
	for i, p := range who {
		racing.Go(func() {
			statuses[i] = a.send(t, request{method: "POST", path: "/v1/invites/accept", token: p.token, body: body}).status
		})
	}
	racing.Wait()
	for i, p := range who {
		if p == invited {
			assert.Equal(t, 200, statuses[i])
		} else {
			assert.Contains(t, []int{403, 410}, statuses[i], "another's invitation, open or used")
		}
	}
	assert.Equal(t, map[string]invite.Role{owner.Email: "owner", email: "member"}, a.membersOf(t, owner, in))
}

func TestTheOutboxIsForReadingMails(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	owner, email := a.newPerson(t), newEmail()
	in := a.newTenant(t, owner)
	a.invite(t, owner, in, email, "member")
	assert.Empty(t, a.mailsTo(t, newEmail()))
	assert.Len(t, a.mailsTo(t, strings.ToUpper(email)), 1)
	all := as[struct{ Mails []message }](t, a.do(t, request{method: "GET", path: "/demo/outbox"}), 200).Mails
	assert.Contains(t, all, a.mailsTo(t, email)[0])
	for _, query := range []string{"email=a@b.example&email=c@d.example", "email=%zz", "a;b"} {
		requireProblem(t, a.do(t, request{method: "GET", path: "/demo/outbox?" + query}), 400, tenant.CodeBadRequest)
	}
}

func TestTheOutboxKeepsTheNewest(t *testing.T) {
	t.Parallel()
	var box outbox
	for range maxOutbox {
		box.add(message{To: "old@a.example"})
	}
	box.add(message{To: "new@a.example"})
	assert.Len(t, box.to(""), maxOutbox)
	assert.Len(t, box.to("new@a.example"), 1)
}
