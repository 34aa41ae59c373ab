package web

import (
	"errors"
	"net/http"
	"time"
)

type member struct {
	User     user      `json:"user"`
	Role     string    `json:"role"`
	JoinedAt time.Time `json:"joined_at"`
}

type invite struct {
	ID        string    `json:"id"`
	Email     string    `json:"email"`
	Role      string    `json:"role"`
	Status    string    `json:"status"`
	ExpiresAt time.Time `json:"expires_at"`
}

// mail is one of the demonstration's outbox.
type mail struct {
	To          string `json:"to"`
	Subject     string `json:"subject"`
	Text        string `json:"text"`
	InviteToken string `json:"invite_token"`
}

// people shows the members of the tenant, and to those who may invite the invitations with
// what the demonstration has "mailed".
func (p *page) people(v *visit) error { return v.showPeople() }

func (v *visit) showPeople() error {
	var got struct {
		Members []member `json:"members"`
		Invites []invite `json:"invites"`
		Mails   []mail   `json:"mails"`
	}
	if err := v.get("/v1/members", v.session.Tenant, &got); err != nil {
		return err
	}
	in, _ := v.membership()
	if rank(in.Role) >= rank("admin") {
		if err := v.get("/v1/invites", v.session.Tenant, &got); err != nil {
			return err
		}
		if len(v.page.cfg.Accounts) > 0 {
			if err := v.get("/demo/outbox", "", &got); err != nil {
				return err
			}
			got.Mails = ofInvites(got.Mails, got.Invites)
		}
	}
	return v.show(http.StatusOK, "people", "People", "people", map[string]any{
		"Members": partOf(v, "/web/people", "members", got.Members),
		"Invites": partOf(v, "/web/people", "invitations", got.Invites),
		"Mails":   partOf(v, "/web/people", "outbox", got.Mails),
		"Roles":   roles[:rank(in.Role)+1], // nobody gives a role above their own
	})
}

// ofInvites are the mails to those whom this tenant has invited: the outbox is one for all.
func ofInvites(mails []mail, invites []invite) (own []mail) {
	pending := make(map[string]bool, len(invites))
	for _, i := range invites {
		pending[i.Email] = pending[i.Email] || i.Status == "pending"
	}
	for _, m := range mails {
		if pending[m.To] && m.InviteToken != "" {
			own = append(own, m)
			pending[m.To] = false // the newest one alone is good
		}
	}
	return own
}

// changeMember gives a member another role, or none.
func (p *page) changeMember(v *visit) error {
	if v.field("action") == "remove" {
		if err := v.send(http.MethodDelete, "/v1/members/"+v.id(), nil); err != nil {
			return v.again(err, nil, v.showPeople)
		}
		if v.r.PathValue("id") == v.me.User.ID {
			return v.done("You have left.", "/")
		}
		return v.done("Removed. Whatever they hold for this tenant is refused from now on.", "/web/people")
	}
	if err := v.send(http.MethodPatch, "/v1/members/"+v.id(), map[string]string{"role": v.field("role")}); err != nil {
		return v.again(err, nil, v.showPeople)
	}
	return v.done("The role is "+v.field("role")+" now.", "/web/people")
}

func (p *page) invite(v *visit) error {
	email := v.field("email")
	if err := v.send(http.MethodPost, "/v1/invites", map[string]string{"email": email, "role": v.field("role")}); err != nil {
		return v.again(err, []string{"email", "role"}, v.showPeople)
	}
	return v.done("Invited "+email+". The mail is in the outbox below.", "/web/people")
}

func (p *page) resendInvite(v *visit) error {
	if err := v.send(http.MethodPost, "/v1/invites/"+v.id()+"/resend", nil); err != nil {
		return v.again(err, nil, v.showPeople)
	}
	return v.done("Sent again. The earlier link does not work any more.", "/web/people")
}

func (p *page) revokeInvite(v *visit) error {
	if err := v.send(http.MethodDelete, "/v1/invites/"+v.id(), nil); err != nil {
		return v.again(err, nil, v.showPeople)
	}
	return v.done("Withdrawn. Its link does not work any more.", "/web/people")
}

// previewInvitation shows what an invitation is about, to anybody who has its link. It
// changes nothing. The token comes in a form, never in an address: those are logged.
func (p *page) previewInvitation(w http.ResponseWriter, r *http.Request) {
	v, err := p.visit(w, r)
	if errors.Is(err, errSignedOut) {
		err = nil
	}
	p.serve(v, orElse(err, func(v *visit) error { return v.showInvitation(v.field("token")) }))
}

func (v *visit) showInvitation(token string) error {
	got, err := v.call(http.MethodPost, "/v1/invites/preview", "", map[string]string{"token": token}, nil)
	if err != nil {
		return err
	}
	var data struct {
		Tenant    tenantName `json:"tenant"`
		Email     string     `json:"email"`
		Role      string     `json:"role"`
		ExpiresAt time.Time  `json:"expires_at"`
		Token     string
		Demo      bool
	}
	if err := got.into(&data); err != nil {
		return err
	}
	data.Token, data.Demo = token, len(v.page.cfg.Accounts) > 0
	return v.show(http.StatusOK, "invitation", "Invitation", "", data)
}

// acceptInvitation joins.
func (p *page) acceptInvitation(v *visit) error {
	got, err := v.call(http.MethodPost, "/v1/invites/accept", "", map[string]string{"token": v.field("token")}, nil)
	if err != nil {
		return err
	}
	var joined membership
	if err := got.into(&joined); err != nil {
		return err
	}
	v.session.Tenant = joined.Tenant.Slug
	return v.done("Welcome to "+joined.Tenant.Name+".", "/")
}
