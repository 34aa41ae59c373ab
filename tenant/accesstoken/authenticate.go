package accesstoken

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/problem"
)

// TokenVerifier is what [Authenticate] needs: [Verifier] is one, and a product whose
// tokens come from elsewhere has another, mostly a [VerifierFunc].
//
// Verify returns what the token says, once it is known to be good. The principal must be
// of a kind and have an id; its Email must be a verified one. An error that is no
// [tenant.Error] is answered as unauthenticated; return one of the code unavailable when
// it was impossible to tell. Verify is called on every request, by many goroutines at
// once, with tokens of any length.
type TokenVerifier interface {
	Verify(ctx context.Context, token string) (Claims, error)
}

// VerifierFunc makes a [TokenVerifier] of a function. It is the place where the claims of
// another identity provider become those of this library.
type VerifierFunc func(ctx context.Context, token string) (Claims, error)

// Verify calls f.
func (f VerifierFunc) Verify(ctx context.Context, token string) (Claims, error) { return f(ctx, token) }

// AuthenticateConfig says how [Authenticate] works. The zero AuthenticateConfig is fine
// where a token is good until it expires, whatever becomes of the membership.
type AuthenticateConfig struct {
	// Members tells whether the membership that a token was made from is still what it was.
	// Nil means that nobody asks.
	Members Members

	// APIKeys tells whether the key that a token was exchanged for is still good. Nil means
	// that nobody asks, and such a token is good until it expires, [MaxKeyLifetime] at most.
	APIKeys KeyChecker

	// Required refuses requests without a credential. Otherwise they pass, with no
	// principal in their context, and a guard further in decides.
	Required bool

	// Foreign reports whether what a request has in the place of a token is another
	// authentication's, such as an API key by its prefix. Such a request passes as one
	// without a token. Nil means that nothing is.
	Foreign func(token string) bool

	// OnError answers a request that is refused. It must write a response; the header
	// WWW-Authenticate is set by then. Nil means [problem.Write].
	OnError func(w http.ResponseWriter, r *http.Request, err error)
}

// Authenticate returns a middleware that reads the token of a request from its field
// "Authorization: Bearer …", verifies it, and puts the [tenant.Principal] of it into the
// context, and the [Claims] too. It belongs in front of the middleware of package resolve,
// which holds the principal's tenant against the one that the request names.
//
// A request is refused with
//
//   - unauthenticated (401), when the token is not good, when the field is not Bearer and
//     one token, when there is none and one is Required, or when the membership has
//     changed since the token was made,
//   - not_a_member (403), when the user is no member any more,
//   - credential_conflict (400), when there are two such fields, or a token besides a
//     principal that another authentication has put into the context,
//   - unavailable (503), when Members or the verifier can't tell.
//
// It panics when verifier is nil, which shows when the program starts.
func Authenticate(verifier TokenVerifier, cfg AuthenticateConfig) func(http.Handler) http.Handler {
	if verifier == nil {
		panic(errors.New("accesstoken: authenticate: no verifier"))
	}
	if cfg.OnError == nil {
		cfg.OnError = problem.Write
	}
	a := &authenticator{verifier: verifier, cfg: cfg}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			known, err := a.authenticate(r)
			if err != nil {
				challenge(w, r, err)
				cfg.OnError(w, r, err)
				return
			}
			next.ServeHTTP(w, known)
		})
	}
}

type authenticator struct {
	verifier TokenVerifier
	cfg      AuthenticateConfig
}

// authenticate is r with who acts in its context; r itself when the token, if there is
// one, is not for this authentication.
func (a *authenticator) authenticate(r *http.Request) (*http.Request, error) {
	ctx := r.Context()
	token, err := bearer(r)
	if err != nil {
		return nil, err
	}
	_, known := tenant.PrincipalFromContext(ctx)
	switch {
	case token == "" || a.cfg.Foreign != nil && a.cfg.Foreign(token):
		if a.cfg.Required && !known {
			return nil, errUnauthenticated
		}
		return r, nil
	case known:
		return nil, errTwoCredentials
	}
	claims, err := a.verifier.Verify(ctx, token)
	if err != nil {
		return nil, verifierError(err)
	}
	if claims.Principal.Kind == "" || claims.Principal.ID == "" {
		return nil, refuse(errors.New("the verifier named nobody"))
	}
	if err := a.checkCurrent(ctx, claims); err != nil {
		return nil, err
	}
	return r.WithContext(newContext(ctx, claims)), nil
}

// checkCurrent holds a token against what it was made from, where somebody knows that.
func (a *authenticator) checkCurrent(ctx context.Context, claims Claims) error {
	switch {
	case claims.Principal.Kind == tenant.Key && a.cfg.APIKeys != nil:
		return checkKeyToken(ctx, a.cfg.APIKeys, claims.Principal)
	case claims.Principal.Kind != tenant.Key && a.cfg.Members != nil:
		return checkMembership(ctx, a.cfg.Members, claims)
	}
	return nil
}

// verifierError is what a verifier's error means for the client.
func verifierError(err error) error {
	if _, told := errors.AsType[*tenant.Error](err); told {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("verify a token: %w", err) // says nothing about the token
	}
	return refuse(err)
}

// challenge tells a client whose token was refused that it was that (RFC 6750, 3.1). One
// without a token is told nothing but that it needs one, which package problem does.
func challenge(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, errUnauthenticated) && len(r.Header["Authorization"]) > 0 {
		w.Header().Set("WWW-Authenticate", `Bearer realm="api", error="invalid_token"`)
	}
}
