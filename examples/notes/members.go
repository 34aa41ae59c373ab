package main

import (
	"net/http"
	"time"

	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/tenant"
)

func (s *server) listMembers(w http.ResponseWriter, r *http.Request) error {
	type member struct {
		User     user        `json:"user"`
		Role     invite.Role `json:"role"`
		JoinedAt time.Time   `json:"joined_at"`
	}
	t, err := tenant.Require(r.Context())
	if err != nil {
		return err
	}
	members := []member{}
	for m, err := range s.members.OfTenant(r.Context(), t.ID) {
		if err != nil {
			return err
		}
		members = append(members, member{User: user{ID: m.UserID, Email: m.Email}, Role: m.Role, JoinedAt: m.JoinedAt.UTC()})
	}
	return writeJSON(w, http.StatusOK, map[string]any{"members": members})
}
