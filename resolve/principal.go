package resolve

import (
	"net/http"

	"github.com/tenantwall/tenantwall/tenant"
)

// FromPrincipal is the source of requests whose credential says it all: an API key that
// belongs to a tenant, or a token that was made for one. The tenant is the one of the
// [tenant.Principal] that an authentication in front of the resolver put into the context;
// a principal of no tenant names none.
//
// Without this source, a principal's tenant does not stand in for a name that the request
// lacks. It is held against the name that it has in any case.
func FromPrincipal() Source { return principal{} }

type principal struct{}

// Tenant implements [Source]. A Resolver that has the source itself in its list does not
// call it, because it asks for the principal in any case; one whose list has a source that
// wraps it does.
func (principal) Tenant(r *http.Request) (Claim, error) {
	return Claim{ID: credentialOf(r)}, nil
}

// credentialOf is the tenant that the request's credential was made for; zero when it was
// made for none, and when there is no credential.
func credentialOf(r *http.Request) tenant.ID {
	if who, ok := tenant.PrincipalFromContext(r.Context()); ok {
		return who.Tenant
	}
	return tenant.ID{}
}
