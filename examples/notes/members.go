package main

import (
	"net/http"
	"time"

	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/tenant"
)

// memberView is a member as other members see them.
type memberView struct {
	User     user        `json:"user"`
	Role     invite.Role `json:"role"`
	JoinedAt time.Time   `json:"joined_at"`
}

func viewOfMember(m invite.Member) memberView {
	return memberView{User: user{ID: m.UserID, Email: m.Email}, Role: m.Role, JoinedAt: m.JoinedAt.UTC()}
}

// listMembers lists all: the seats of the plans bound how many there are.
func (s *server) listMembers(w http.ResponseWriter, r *http.Request) error {
	t, err := tenant.Require(r.Context())
	if err != nil {
		return err
	}
	members := []memberView{}
	for m, err := range s.members.OfTenant(r.Context(), t.ID) {
		if err != nil {
			return err
		}
		members = append(members, viewOfMember(m))
	}
	return writeJSON(w, http.StatusOK, map[string]any{"members": members})
}

// changeRole gives a member another role, which is in force in this process at once.
func (s *server) changeRole(w http.ResponseWriter, r *http.Request) error {
	t, me, err := whoActs(r)
	if err != nil {
		return err
	}
	var name *string
	if err := decode(r, fields{"role": &name}); err != nil {
		return err
	}
	var bad invalid
	role := bad.role("role", name, s.members.Roles())
	if err := bad.err(); err != nil {
		return err
	}
	who, err := userID(r)
	if err != nil {
		return err
	}
	m, err := s.members.ChangeRole(r.Context(), t.ID, me, who, role)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, viewOfMember(m))
}

// removeMember ends a membership; anybody may end their own.
func (s *server) removeMember(w http.ResponseWriter, r *http.Request) error {
	t, me, err := whoActs(r)
	if err != nil {
		return err
	}
	who, err := userID(r)
	if err != nil {
		return err
	}
	if err := s.members.Remove(r.Context(), t.ID, me, who); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// memberOf is the tenant of a request and the member who acts in it.
func memberOf(r *http.Request) (tenant.Tenant, invite.Member, error) {
	t, err := tenant.Require(r.Context())
	if err != nil {
		return tenant.Tenant{}, invite.Member{}, err
	}
	m, ok := invite.FromContext(r.Context())
	if !ok {
		return tenant.Tenant{}, invite.Member{}, unauthenticated("the request needs a credential")
	}
	return t, m, nil
}

// whoActs is memberOf as package invite is told of it: what the member may do is looked up
// again when it is done.
func whoActs(r *http.Request) (tenant.Tenant, invite.Actor, error) {
	t, m, err := memberOf(r)
	return t, invite.By(m.UserID), err
}

// userID is the id of a user in the path. What is no id is that of no member.
func userID(r *http.Request) (string, error) {
	id := r.PathValue("user_id")
	if _, err := tenant.ParseID(id); err != nil { // ours are UUIDs as well
		return "", invite.ErrNotFound
	}
	return id, nil
}
