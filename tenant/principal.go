package tenant

import "slices"

// Principal is who acts in a request, as a verified credential says. Whoever puts one
// into a context vouches for it.
type Principal struct {
	Kind   PrincipalKind
	ID     string   // the user's id, or the key's; opaque
	Email  string   // of a user, when the credential has one that is verified
	Tenant ID       // the tenant that the credential was made for; zero when for none
	Role   string   // in that tenant; empty when the credential has none
	Scopes []string // what a key may do; not used for users
}

// PrincipalKind tells people from programs. The zero kind is nobody.
type PrincipalKind string

const (
	User PrincipalKind = "user" // a person, signed in
	Key  PrincipalKind = "key"  // a service, with an API key
)

// HasScope reports whether scope is among p's scopes, by its exact name.
func (p Principal) HasScope(scope string) bool { return slices.Contains(p.Scopes, scope) }
