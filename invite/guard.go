package invite

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/problem"
)

// Memberships looks up who belongs to a tenant. [Members] does so in the database, and
// [Cache] remembers it for a moment.
//
// Get returns [ErrNotAMember] when the user does not belong to the tenant. Any other error
// means that it could not tell, and the user is not let in.
type Memberships interface {
	Get(ctx context.Context, in tenant.ID, userID string) (Member, error)
}

// Guard lets members of a tenant through to its handlers. It stands behind what puts the
// [tenant.Principal] and the tenant into the context: an authentication, and the
// middleware of package resolve. Whatever has named the tenant, membership is asked for
// the one that is acted on.
//
// What a member may do is decided by the membership as it is now, within the bound of its
// [Memberships], and not by the role that a token was made with. Errors go out as
// [problem.Write] writes them:
//
//   - tenant_required, and those of [tenant.Tenant.Usable], for the tenant in the context,
//   - unauthenticated without a principal,
//   - tenant_mismatch when the credential was made for another tenant,
//   - forbidden for a principal that is no user: what a key may do, its scopes say,
//   - not_a_member,
//   - unavailable when the membership can't be looked up,
//   - forbidden when the role is too small.
//
// The handler finds the member by [FromContext], and its role and tenant also in the
// principal. A Guard may be used by several goroutines at once.
type Guard struct {
	memberships Memberships
	roles       *Roles
}

// NewGuard makes a Guard of the product's roles; nil means [DefaultRoles].
func NewGuard(memberships Memberships, roles *Roles) (*Guard, error) {
	if memberships == nil {
		return nil, errors.New("invite: no memberships: a guard looks members up in a Cache or in Members")
	}
	if roles == nil {
		roles = DefaultRoles()
	}
	return &Guard{memberships: memberships, roles: roles}, nil
}

// RequireMember is a middleware that lets any member through.
func (g *Guard) RequireMember(next http.Handler) http.Handler {
	return g.require(next, nil)
}

// RequireRole makes a middleware that lets members through who may do all that least may.
// It panics for an unknown role, which depends on the program alone and so shows when it
// starts.
func (g *Guard) RequireRole(least Role) func(http.Handler) http.Handler {
	if _, err := g.roles.Parse(string(least)); err != nil {
		panic(fmt.Errorf("invite: RequireRole(%q): %w", least, err))
	}
	refusal := &tenant.Error{Code: tenant.CodeForbidden, Detail: "the role is too small: it takes what " + string(least) + " may do"}
	return func(next http.Handler) http.Handler {
		return g.require(next, func(role Role) *tenant.Error {
			if g.roles.Covers(role, least) {
				return nil
			}
			return refusal
		})
	}
}

// RequirePermission makes a middleware that lets members through whose role has a
// permission. It panics for one that no role has, as RequireRole does.
func (g *Guard) RequirePermission(p Permission) func(http.Handler) http.Handler {
	if !g.roles.knows(p) {
		panic(fmt.Errorf("invite: RequirePermission(%q): no role has this permission", p))
	}
	refusal := &tenant.Error{Code: tenant.CodeForbidden, Detail: "the role has not the permission " + string(p)}
	return func(next http.Handler) http.Handler {
		return g.require(next, func(role Role) *tenant.Error {
			if g.roles.Has(role, p) {
				return nil
			}
			return refusal
		})
	}
}

// require guards next. What is asked of the role is nil when any will do.
func (g *Guard) require(next http.Handler, refuse func(Role) *tenant.Error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, m, err := g.Enter(r.Context())
		if err == nil && refuse != nil {
			if refused := refuse(m.Role); refused != nil {
				err = refused
			}
		}
		if err != nil {
			problem.Write(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// Enter is what the middlewares do, for programs that have no use for one: it finds the
// member who acts in ctx, and returns a context that has it. The errors are those that
// [Guard] lists.
func (g *Guard) Enter(ctx context.Context) (context.Context, Member, error) {
	t, err := tenant.Require(ctx)
	if err != nil {
		return nil, Member{}, err
	}
	p, ok := tenant.PrincipalFromContext(ctx)
	switch {
	case !ok:
		return nil, Member{}, errUnauthenticated
	case !p.Tenant.IsZero() && p.Tenant != t.ID:
		return nil, Member{}, errMismatch
	case p.Kind != tenant.User:
		return nil, Member{}, errNoUser
	}
	m, err := g.memberships.Get(ctx, t.ID, p.ID)
	if err != nil {
		return nil, Member{}, orUnavailable(err)
	}
	if p.Tenant != t.ID || p.Role != string(m.Role) {
		p.Tenant, p.Role = t.ID, string(m.Role)
		ctx = tenant.NewPrincipalContext(ctx, p)
	}
	return NewContext(ctx, m), m, nil
}

// orUnavailable is what a client is told when nobody knows whether the user is a member.
func orUnavailable(err error) error {
	if _, told := errors.AsType[*tenant.Error](err); told {
		return err
	}
	return &tenant.Error{
		Code:       tenant.CodeUnavailable,
		Detail:     "the membership can't be looked up at the moment; try again",
		RetryAfter: time.Second,
		Err:        err,
	}
}

var (
	errUnauthenticated = &tenant.Error{Code: tenant.CodeUnauthenticated, Detail: "the request needs a credential"}
	errMismatch        = &tenant.Error{Code: tenant.CodeTenantMismatch, Detail: "the credential is for another tenant"}
	errNoUser          = &tenant.Error{Code: tenant.CodeForbidden, Detail: "this is for users, and the credential is none of a user"}
)
