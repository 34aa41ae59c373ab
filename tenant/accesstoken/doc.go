// Package accesstoken is about the tokens with which users act in a tenant: to make them,
// to verify them, to replace their keys, and to put who acts into a request's context.
//
// A user signs in somewhere, and gets a token for no tenant, or is known by that of an
// identity provider. To act in a tenant, the user switches to it: the service looks the
// membership up, live, and makes a token that says who acts, in which tenant, in which
// role, for ten minutes. Every service that has the public key then knows all of this
// without a database.
//
// # First use
//
// A key signs and verifies. It is made once, kept where secrets are kept, and read when
// the program starts ([GenerateKey], [Key.MarshalPEM], [ParseKey], or
// "openssl genpkey -algorithm ed25519"):
//
//	key, err := accesstoken.ParseKey(pem)
//	keys, err := accesstoken.NewKeys(accesstoken.KeySet{Signing: key})
//
// An [Issuer] makes tokens, where a user signs in and where one switches:
//
//	issuer, err := accesstoken.NewIssuer(keys, accesstoken.IssuerConfig{
//		Issuer:   "https://auth.example.com", // another one in each environment
//		Audience: "https://api.example.com",
//	})
//	token, claims, err := issuer.Issue(tenant.Principal{
//		Kind: tenant.User, ID: user.ID, Email: user.VerifiedEmail, Tenant: t.ID, Role: member.Role,
//	}, member.Version)
//
// A [Verifier] with the same two names verifies them, in the middleware that [Authenticate]
// makes. It stands in front of package resolve, which refuses a token of one tenant where
// the request names another:
//
//	verifier, err := accesstoken.NewVerifier(keys, accesstoken.VerifierConfig{Issuer: …, Audience: …})
//	authenticate := accesstoken.Authenticate(verifier, accesstoken.AuthenticateConfig{Members: members})
//	http.ListenAndServe(addr, authenticate(inTenant(mux)))
//
// Handlers ask [tenant.PrincipalFromContext]; [ClaimsFromContext] has the rest.
//
// # Removed means out
//
// A token is good until it expires, which is why it lives shortly. Whoever was removed or
// got another role is to be out sooner: a token carries the version of the membership that
// it was made from, and [Members] tells the version as it is now, from a cache with a
// stated bound. It is asked on each request, for tokens that were seen before too.
//
//   - The user is no member any more: not_a_member (403). A new token would not help.
//   - The membership has changed: unauthenticated (401), as of a token that was revoked. A
//     new token has the new role.
//   - Members can't tell: unavailable (503).
//
// A new token is only ever made from the membership itself, never from an old token: that
// would keep a former member in for good.
//
// A token of no tenant is held against no membership here. Where it is used on a route of a
// tenant, the guard behind the resolver asks for the membership, as it must in any case.
//
// # Keys come and go
//
// [Keys] holds a [KeySet] that can be replaced while requests come in: the key that signs,
// the next one, and those that are still accepted. [NewJWKS] publishes them for those who
// verify elsewhere. A rotation has two steps, so that no request is lost:
//
//  1. The next key is published and accepted, and does not sign: KeySet.Next.
//  2. When no one can have a cached set without it any more, it signs, and the former key
//     is accepted for as long as its tokens live: [KeySet.Rotate].
//
// Where several processes sign, each gets the first step before any gets the second. A
// key that has leaked is left out at once, and its tokens are refused from then on,
// those that were seen before too.
//
// # What is in a token
//
// A token is a JSON Web Token (RFC 7519) of type at+jwt (RFC 9068, but without client_id,
// for there are no clients), signed with Ed25519 unless a key says otherwise:
//
//	iss, aud       who made it, and for which services
//	sub            the user's id
//	exp, nbf, iat  until when it is good, and since when
//	jti            the id of the token
//	tid            the tenant's id; absent from a token of no tenant
//	role, mver     the role in that tenant, and the version of the membership
//	email          if it is verified; with email_verified
//	kind, scope    "key" and its scopes, in the token that an API key was exchanged for; sub
//	               is the key's id then, and there is no role, mver and email
//
// A client is to take it for an opaque string.
//
// # What is refused
//
// A verifier accepts what this package's issuers make and nothing that merely resembles it.
// The header of a token must be, byte by byte, the one that the issuer writes for that key.
// So a token has no say in how it is verified: not by which method (none, HS256 with the
// public key), not with which key (jwk, jku, x5c, x5u), and not by rules of its own (crit).
// Each of the claims above but tid, role, mver, email, kind and scope must be there; a claim
// that occurs twice, a life of more than [MaxLifetime], or [MaxKeyLifetime] for that of a
// key, or a user's tenant without a version is refused, as is whatever is longer than
// [MaxTokenLen], before it is looked at.
//
// All of that is one answer to a client, unauthenticated, and one of the errors of this
// package to a log.
//
// # Identity providers
//
// [Authenticate] takes any [TokenVerifier]. A product whose tokens come from an OpenID
// provider writes a [VerifierFunc], which verifies them with the provider's keys and says
// what their claims mean here; the example shows how. Such tokens mostly name no tenant.
// The recipe in examples/recipes/oidc is a whole one, with keys fetched from the provider
// and a claim that holds the tenant's id.
//
// Refresh tokens are the identity provider's business, and not in this package.
package accesstoken
