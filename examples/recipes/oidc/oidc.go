// Package oidc is a recipe: a service whose users come with the tokens of an identity
// provider, instead of those that package accesstoken makes.
//
// Copy the file and change what differs at your provider, which is mostly the name of
// the claim that holds the tenant. The parts are
//
//   - a [Provider], which has the provider's keys, fetched from its JWKS URL and kept fresh,
//   - [Provider.Verify], which holds a token to the provider's name, to this service's, to
//     its time and to one signing method, and says what its claims mean here,
//   - [NewHandler], which puts that where an accesstoken.Verifier would be.
//
// Package examples/internal/oidctest is a provider for the tests of such a service.
//
// # The tenant in the token
//
// The claim org_id holds a tenant's id, as the provider was told it when the tenant was
// made: as metadata of its organisation, for one. The id it must be, for a slug can be
// renamed. Then the provider says who is a member, and a removed one gets in until the
// token expires: let it live for minutes. A token without org_id is for no tenant, and one
// whose org_id is no id is refused.
//
// Where this service knows the members itself (package invite), leave org_id out and let
// its guard look the membership up on each request, in the place of members below. Such a
// token has no version of a membership, so AuthenticateConfig.Members is not for it.
package oidc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/time/rate"

	"github.com/tenantwall/tenantwall/resolve"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/accesstoken"
	"github.com/tenantwall/tenantwall/tenant/problem"
)

// The times of a Provider.
const (
	refreshEvery = 10 * time.Minute // for how long a key is taken that the provider has withdrawn
	unknownEvery = 10 * time.Second // how often, at most, the keys are fetched for a token with an unknown one
	unknownWait  = 5 * time.Second  // how long, at most, such a request waits
	fetchTimeout = 10 * time.Second
	leeway       = 30 * time.Second // by how much the provider's clock may differ
)

// Config says which tokens a [Provider] takes. All but Client and Logger must be set.
type Config struct {
	Issuer   string // the "iss", exactly as in the provider's discovery document
	Audience string // the "aud": this API, or for ID tokens the client id that is this service's
	JWKSURL  string // the discovery document's jwks_uri; https
	Method   string // what the provider signs with: RS256, PS256, ES256 or EdDSA

	Client *http.Client // fetches the keys; nil means one that gives up after 10 seconds
	Logger *slog.Logger // is told when the keys can't be fetched again; nil means nobody
}

func (cfg Config) check() error {
	switch u, err := url.Parse(cfg.JWKSURL); {
	case cfg.Issuer == "" || cfg.Audience == "":
		return errors.New("set Issuer and Audience: without them, tokens for other services would be taken")
	case err != nil || u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("JWKSURL %q: must be an https URL, for whoever can change the keys can make tokens", cfg.JWKSURL)
	case !slices.Contains([]string{"RS256", "PS256", "ES256", "EdDSA"}, cfg.Method):
		return fmt.Errorf("method %q: must be RS256, PS256, ES256 or EdDSA", cfg.Method)
	}
	return nil
}

// Provider verifies the tokens of one identity provider. It is an
// [accesstoken.TokenVerifier], and may be used by several goroutines at once.
type Provider struct {
	keys   keyfunc.Keyfunc
	parser *jwt.Parser
	stop   context.CancelFunc
}

// NewProvider fetches the provider's keys, and goes on to do so until ctx ends or Close is
// called. The error says which setting can't be, or that the keys can't be fetched.
func NewProvider(ctx context.Context, cfg Config) (*Provider, error) {
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("oidc: %w", err)
	}
	if cfg.Client == nil {
		cfg.Client = &http.Client{Timeout: fetchTimeout}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	ctx, stop := context.WithCancel(ctx)
	startWithoutKeys := false
	keys, err := keyfunc.NewDefaultOverrideCtx(ctx, []string{cfg.JWKSURL}, keyfunc.Override{
		Client:                    cfg.Client,
		HTTPTimeout:               fetchTimeout,
		NoErrorReturnFirstHTTPReq: &startWithoutKeys,
		RefreshInterval:           refreshEvery,
		// Whoever makes up key ids must neither flood the provider nor hold requests open.
		RefreshUnknownKID: rate.NewLimiter(rate.Every(unknownEvery), 1),
		RateLimitWaitMax:  unknownWait,
		RefreshErrorHandlerFunc: func(string) func(context.Context, error) {
			return func(ctx context.Context, err error) {
				cfg.Logger.ErrorContext(ctx, "fetch the identity provider's keys", slog.Any("error", err))
			}
		},
	})
	if err != nil {
		stop() // the refresh goroutine runs already
		return nil, fmt.Errorf("oidc: %w", err)
	}
	return &Provider{keys: keys, stop: stop, parser: jwt.NewParser(
		jwt.WithValidMethods([]string{cfg.Method}), // a token has no say in how it is verified
		jwt.WithIssuer(cfg.Issuer),
		jwt.WithAudience(cfg.Audience),
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
		jwt.WithLeeway(leeway),
	)}, nil
}

// Close ends the fetching of keys. The keys that are there stay, so that requests that are
// still being served come to their end. Close may be called more than once.
func (p *Provider) Close() { p.stop() }

// said is what we read of a token. OrgID and the e-mail address are not standard claims in
// this form everywhere: look at a token of yours.
type said struct {
	jwt.RegisteredClaims

	Email         string    `json:"email"`
	EmailVerified bool      `json:"email_verified"`
	OrgID         tenant.ID `json:"org_id"` // zero when absent; anything else that is no id fails
}

// Verify is what token says, if it is good. The error is a [tenant.Error] of the code
// unavailable when the token's key is not known and the provider could not be asked, for
// it was a moment ago; any other means that the token is not good.
func (p *Provider) Verify(ctx context.Context, token string) (accesstoken.Claims, error) {
	if len(token) > accesstoken.MaxTokenLen {
		return accesstoken.Claims{}, accesstoken.ErrMalformed
	}
	var s said
	_, err := p.parser.ParseWithClaims(token, &s, func(t *jwt.Token) (any, error) { return p.key(ctx, t) })
	if err != nil {
		return accesstoken.Claims{}, err
	}
	// The subject is unique at its issuer: with a second provider, an id needs both.
	who := tenant.Principal{Kind: tenant.User, ID: s.Subject, Tenant: s.OrgID}
	if s.EmailVerified {
		who.Email = s.Email
	}
	claims := accesstoken.Claims{Principal: who, TokenID: s.ID, ExpiresAt: s.ExpiresAt.Time}
	if s.IssuedAt != nil {
		claims.IssuedAt = s.IssuedAt.Time
	}
	return claims, nil
}

// key is the key that a token names. A token that names none is refused, lest all keys are
// tried. An unknown one has the keys fetched anew, so a rotation needs no restart.
func (p *Provider) key(ctx context.Context, t *jwt.Token) (any, error) {
	id, _ := t.Header["kid"].(string)
	if id == "" {
		return nil, accesstoken.ErrUnknownKey
	}
	switch _, err := p.keys.Storage().KeyRead(ctx, id); {
	case errors.Is(err, jwkset.ErrKeyNotFound):
		return nil, fmt.Errorf("%w: %w", accesstoken.ErrUnknownKey, err)
	case err != nil: // it may be a good token of a new key
		return nil, &tenant.Error{Code: tenant.CodeUnavailable, RetryAfter: unknownEvery, Err: err}
	}
	return p.keys.KeyfuncCtx(ctx)(t)
}

// NewHandler is the service of mux for the tenants of store, each at its subdomain of base,
// and for those who have a token that verify takes: [Provider.Verify], in production.
func NewHandler(store tenant.Store, base string, verify accesstoken.VerifierFunc, mux *http.ServeMux, log *slog.Logger) http.Handler {
	authenticate := accesstoken.Authenticate(verify, accesstoken.AuthenticateConfig{Required: true})
	inTenant := resolve.Middleware(store, resolve.Subdomain(base), resolve.FromPrincipal())
	return problem.RequestID(problem.Recover(log)(authenticate(inTenant(members(problem.Router(mux))))))
}

// members lets those pass whose token is for the tenant of the request. The resolver has
// refused tokens of another tenant; those of no tenant are refused here, or they would be
// good in all.
func members(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, _ := tenant.PrincipalFromContext(r.Context())
		in, err := tenant.Require(r.Context())
		if err == nil && who.Tenant != in.ID {
			err = &tenant.Error{Code: tenant.CodeNotAMember, Detail: "the token is for no tenant"}
		}
		if err != nil {
			problem.Write(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}
