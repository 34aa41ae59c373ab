package main

import (
	"net/http"
	"time"

	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/tenant"
)

// maxListedInvites bounds the list of invitations; those that are pending come first, and
// are fewer than any plan has seats.
const maxListedInvites = 1000

// inviteView is an invitation as those see it who manage members. Its secret is in the
// mail alone.
type inviteView struct {
	ID        string        `json:"id"`
	Email     string        `json:"email"`
	Role      invite.Role   `json:"role"`
	Status    invite.Status `json:"status"`
	ExpiresAt time.Time     `json:"expires_at"`
}

func viewOfInvite(inv invite.Invitation) inviteView {
	return inviteView{ID: inv.ID, Email: inv.Email, Role: inv.Role, Status: inv.Status, ExpiresAt: inv.ExpiresAt}
}

func (s *server) createInvite(w http.ResponseWriter, r *http.Request) error {
	t, me, err := whoActs(r)
	if err != nil {
		return err
	}
	var email string
	var role *string
	if err := decode(r, fields{"email": &email, "role": &role}); err != nil {
		return err
	}
	var bad invalid
	_, err = invite.CanonicalEmail(email)
	bad.because("email", err)
	in := bad.role("role", role, s.members.Roles())
	if err := bad.err(); err != nil {
		return err
	}
	if !s.mail.works() {
		return errNoMail
	}
	inv, err := s.members.Invite(r.Context(), t.ID, me, email, in)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, viewOfInvite(inv))
}

func (s *server) listInvites(w http.ResponseWriter, r *http.Request) error {
	t, err := tenant.Require(r.Context())
	if err != nil {
		return err
	}
	invites := []inviteView{}
	for inv, err := range s.members.Invitations(r.Context(), t.ID) {
		if err != nil {
			return err
		}
		if len(invites) == maxListedInvites {
			break
		}
		invites = append(invites, viewOfInvite(inv))
	}
	return writeJSON(w, http.StatusOK, map[string]any{"invites": invites})
}

// resendInvite sends another secret; the earlier one is dead.
func (s *server) resendInvite(w http.ResponseWriter, r *http.Request) error {
	t, me, err := whoActs(r)
	if err != nil {
		return err
	}
	if !s.mail.works() {
		return errNoMail
	}
	inv, err := s.members.Resend(r.Context(), t.ID, me, r.PathValue("id"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, viewOfInvite(inv))
}

func (s *server) revokeInvite(w http.ResponseWriter, r *http.Request) error {
	t, me, err := whoActs(r)
	if err != nil {
		return err
	}
	if err := s.members.Revoke(r.Context(), t.ID, me, r.PathValue("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
