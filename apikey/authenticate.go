package apikey

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strings"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/problem"
)

// Header is the field that may have a key, beside "Authorization: Bearer".
const Header = "X-API-Key"

// AuthenticateConfig says how [Authenticate] works. The zero AuthenticateConfig is fine where
// clients connect to the service itself.
type AuthenticateConfig struct {
	// Required refuses requests without a key, unless an authentication outside of this one
	// has put a principal into the context. Otherwise they pass, and another authentication or
	// a guard further in decides. Of several authentications, the innermost one is Required.
	Required bool

	// ClientAddr is the address of the client, the zero Addr when nobody knows it. Behind
	// proxies it is the place to read what they say, from those alone that are trusted. Nil
	// means RemoteAddr.
	ClientAddr func(r *http.Request) netip.Addr

	// OnError answers a request that is refused. It must write a response; the header
	// WWW-Authenticate is set by then. Nil means [problem.Write].
	OnError func(w http.ResponseWriter, r *http.Request, err error)
}

// Authenticate returns a middleware that reads the key of a request from the field
// X-API-Key, or from "Authorization: Bearer …" when what stands there looks like one, see
// [Format.LooksLikeKey]; verifies it, see [Keys.Verify]; and puts the [tenant.Principal] of
// it into the context, and the [Key] too. It belongs in front of the middleware of package
// resolve, which holds the key's tenant against the one that the request names.
//
// Beside it stands the Authenticate of package accesstoken, outside or inside of it, with
// LooksLikeKey for its Foreign. What is no key is left to that one: a request with any
// other Authorization field is one without a key.
//
// A request is refused with
//
//   - what Verify says of its key,
//   - unauthenticated (401) also when there is no key and one is Required,
//   - credential_conflict (400), when there is a key besides another Authorization field,
//     another key, or a principal that another authentication has put into the context.
//
// It panics when keys is nil, which shows when the program starts.
func Authenticate(keys *Keys, cfg AuthenticateConfig) func(http.Handler) http.Handler {
	if keys == nil {
		panic(errors.New("apikey: authenticate: no keys"))
	}
	if cfg.ClientAddr == nil {
		cfg.ClientAddr = remoteAddr
	}
	if cfg.OnError == nil {
		cfg.OnError = problem.Write
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, presented, err := keys.authenticate(r, cfg)
			if err != nil {
				challenge(w, presented, err)
				cfg.OnError(w, r, err)
				return
			}
			if ctx != nil {
				r = r.WithContext(ctx)
			}
			next.ServeHTTP(w, r)
		})
	}
}

// authenticate is a context in which the key of r acts, nil when r has none, and whether a
// key was presented.
func (k *Keys) authenticate(r *http.Request, cfg AuthenticateConfig) (_ context.Context, presented bool, err error) {
	key, presented, err := k.presented(r.Header)
	if err != nil {
		return nil, presented, err
	}
	_, known := tenant.PrincipalFromContext(r.Context())
	switch {
	case !presented && cfg.Required && !known:
		return nil, false, errUnauthenticated
	case !presented:
		return nil, false, nil
	case known:
		return nil, true, errTwoCredentials
	}
	verified, err := k.Verify(r.Context(), key, cfg.ClientAddr(r))
	if err != nil {
		return nil, true, err
	}
	return newContext(r.Context(), verified), true, nil
}

// presented is the key in a request's header, and whether there is what is to be one.
func (k *Keys) presented(h http.Header) (key string, presented bool, err error) {
	own, authorization := h[headerKey], h["Authorization"]
	switch {
	case len(own)+len(authorization) == 0:
		return "", false, nil
	case len(own) > 1, len(own) == 1 && len(authorization) > 0:
		return "", true, errTwoCredentials
	case len(own) == 1:
		return own[0], true, nil
	}
	for _, field := range authorization {
		if key, found := bearer(field); found && k.format.LooksLikeKey(key) {
			if len(authorization) > 1 {
				return "", true, errTwoCredentials
			}
			return key, true, nil
		}
	}
	return "", false, nil
}

// headerKey is Header in the form in which net/http has it.
const headerKey = "X-Api-Key"

// bearer is what an Authorization field of that scheme holds (RFC 6750, 2.1).
func bearer(field string) (string, bool) {
	scheme, rest, found := strings.Cut(field, " ")
	return strings.Trim(rest, " "), found && strings.EqualFold(scheme, "Bearer") // RFC 9110, 11.1
}

// challenge tells a client whose key was refused that it was that (RFC 6750, 3.1). One
// without a key is told nothing but that it needs a credential, which package problem does.
func challenge(w http.ResponseWriter, presented bool, err error) {
	if e, told := errors.AsType[*tenant.Error](err); told && presented && e.Code == tenant.CodeUnauthenticated {
		w.Header().Set("WWW-Authenticate", `Bearer realm="api", error="invalid_token"`)
	}
}

// remoteAddr is the peer of the connection.
func remoteAddr(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{} // a Unix socket's, for one
	}
	return peer.Addr()
}
