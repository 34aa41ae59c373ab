package invite_test

import (
	"errors"
	"fmt"
	"sort"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/tenant"
)

// model is what a tenant's people are to be after any steps: the rules once more, in the
// simplest words. Of the database it knows nothing.
type model struct {
	limit   int
	roles   map[string]invite.Role // of the members
	version map[string]int64       // the last of each user
	pending map[string]*pending    // by the invited user
}

type pending struct {
	id     string
	role   invite.Role
	by     string
	secret invite.Secret
	dead   bool // expired
}

var rank = map[invite.Role]int{"": 0, invite.RoleViewer: 1, invite.RoleMember: 2, invite.RoleAdmin: 3, invite.RoleOwner: 4}

func (m *model) manages(by string) bool { return rank[m.roles[by]] >= rank[invite.RoleAdmin] }

func (m *model) covers(by string, role invite.Role) bool { return rank[m.roles[by]] >= rank[role] }

func (m *model) owners() (n int) {
	for _, r := range m.roles {
		if r == invite.RoleOwner {
			n++
		}
	}
	return n
}

// used are the seats that are taken by others than the one who is invited.
func (m *model) used(but string) int {
	n := len(m.roles)
	for who, p := range m.pending {
		if !p.dead && who != but {
			n++
		}
	}
	return n
}

// changeRole is the error that a change of a role is to have; nil when it is made.
func (m *model) changeRole(by, who string, role invite.Role) error {
	was, is := m.roles[who]
	switch {
	case m.roles[by] == "":
		return invite.ErrNotAMember
	case !m.manages(by):
		return invite.ErrForbidden
	case !is:
		return invite.ErrNotFound
	case !m.covers(by, was) || !m.covers(by, role):
		return invite.ErrForbidden
	case was == invite.RoleOwner && role != was && m.owners() == 1:
		return invite.ErrLastOwner
	}
	m.roles[who] = role
	return nil
}

func (m *model) remove(by, who string) error {
	was, is := m.roles[who]
	switch {
	case m.roles[by] == "":
		return invite.ErrNotAMember
	case by != who && !m.manages(by):
		return invite.ErrForbidden
	case !is:
		return invite.ErrNotFound
	case by != who && !m.covers(by, was):
		return invite.ErrForbidden
	case was == invite.RoleOwner && m.owners() == 1:
		return invite.ErrLastOwner
	}
	delete(m.roles, who)
	return nil
}

func (m *model) invite(by, who string, role invite.Role) error {
	_, is := m.roles[who]
	old := m.pending[who]
	switch {
	case m.roles[by] == "":
		return invite.ErrNotAMember
	case !m.manages(by) || !m.covers(by, role):
		return invite.ErrForbidden
	case is:
		return invite.ErrAlreadyMember
	case m.used(who) >= m.limit:
		return invite.ErrSeatLimit
	case old != nil && !m.covers(by, old.role):
		return invite.ErrForbidden
	}
	return nil
}

func (m *model) resend(by, who string) error {
	old := m.pending[who]
	switch {
	case m.roles[by] == "":
		return invite.ErrNotAMember
	case !m.manages(by):
		return invite.ErrForbidden
	case old == nil:
		return invite.ErrNotFound
	case !m.covers(by, old.role):
		return invite.ErrForbidden
	case m.used(who) >= m.limit:
		return invite.ErrSeatLimit
	}
	return nil
}

func (m *model) accept(who, email string) error {
	p := m.pending[email]
	switch {
	case p == nil || p.dead:
		return invite.ErrInviteExpired
	case who != email:
		return invite.ErrEmailMismatch
	case !m.manages(p.by) || !m.covers(p.by, p.role):
		return invite.ErrInviteExpired
	case m.used(who) >= m.limit:
		return invite.ErrSeatLimit
	}
	m.roles[who] = p.role
	delete(m.pending, who)
	return nil
}

// Any steps of any users lead to where the model is, and break no rule on the way.
func TestMembershipKeepsToItsRules(t *testing.T) {
	t.Parallel()
	limit := 4
	s := setUp(t, seats(limit))
	tenants := 0
	rapid.Check(t, func(rt *rapid.T) {
		tenants++
		in := s.create(t, tenant.Slug(fmt.Sprintf("tenant-%d", tenants)), "a")
		m := &model{
			limit: limit, roles: map[string]invite.Role{"a": invite.RoleOwner},
			version: make(map[string]int64), pending: make(map[string]*pending),
		}
		users := rapid.SampledFrom([]string{"a", "b", "c", "d", "e"})
		roles := rapid.SampledFrom([]invite.Role{invite.RoleOwner, invite.RoleAdmin, invite.RoleMember, invite.RoleViewer})
		agree := func(want, got error) {
			if !errors.Is(got, want) || want == nil && got != nil {
				rt.Fatalf("got %v, want %v", got, want)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"change": func(rt *rapid.T) {
				by, who, role := users.Draw(rt, "by"), users.Draw(rt, "who"), roles.Draw(rt, "role")
				_, err := s.members.ChangeRole(t.Context(), in.ID, invite.By(by), who, role)
				agree(m.changeRole(by, who, role), err)
			},
			"remove": func(rt *rapid.T) {
				by, who := users.Draw(rt, "by"), users.Draw(rt, "who")
				agree(m.remove(by, who), s.members.Remove(t.Context(), in.ID, invite.By(by), who))
			},
			"invite": func(rt *rapid.T) {
				by, who, role := users.Draw(rt, "by"), users.Draw(rt, "who"), roles.Draw(rt, "role")
				inv, err := s.members.Invite(t.Context(), in.ID, invite.By(by), emailOf(who), role)
				want := m.invite(by, who, role)
				agree(want, err)
				if want == nil {
					m.pending[who] = &pending{id: inv.ID, role: role, by: by, secret: s.outbox.secretFor(t, emailOf(who))}
				}
			},
			"resend": func(rt *rapid.T) {
				by, who := users.Draw(rt, "by"), users.Draw(rt, "who")
				id := tenant.NewID().String()
				if p := m.pending[who]; p != nil {
					id = p.id
				}
				_, err := s.members.Resend(t.Context(), in.ID, invite.By(by), id)
				want := m.resend(by, who)
				agree(want, err)
				if want == nil {
					p := m.pending[who]
					p.by, p.dead, p.secret = by, false, s.outbox.secretFor(t, emailOf(who))
				}
			},
			"accept": func(rt *rapid.T) {
				who, email := users.Draw(rt, "who"), users.Draw(rt, "email")
				secret := invite.Secret("none")
				if p := m.pending[email]; p != nil {
					secret = p.secret
				}
				_, err := s.members.Accept(t.Context(), secret, userOf(who))
				agree(m.accept(who, email), err)
			},
			"expire": func(*rapid.T) {
				s.clock.Pass(invite.DefaultExpiry)
				for _, p := range m.pending {
					p.dead = true
				}
			},
			"": func(rt *rapid.T) { m.check(t, rt, s, in) },
		})
	})
}

// check compares the database with the model, and both with the rules that always hold.
func (m *model) check(t *testing.T, rt *rapid.T, s site, in tenant.Tenant) {
	var want []string
	for who, role := range m.roles {
		want = append(want, who+" "+string(role))
	}
	var got []string
	for found, err := range s.members.OfTenant(t.Context(), in.ID) {
		require.NoError(rt, err)
		got = append(got, found.UserID+" "+string(found.Role))
		if found.Version < m.version[found.UserID] {
			rt.Fatalf("the version of %s goes back to %d", found.UserID, found.Version)
		}
		m.version[found.UserID] = found.Version
	}
	sort.Strings(want)
	sort.Strings(got)
	require.Equal(rt, want, got)
	used, err := s.members.SeatsUsed(t.Context(), in.ID)
	require.NoError(rt, err)
	require.Equal(rt, m.used(""), used)
	require.LessOrEqual(rt, used, m.limit)
	require.Positive(rt, m.owners())
}
