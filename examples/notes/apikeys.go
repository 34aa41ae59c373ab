package main

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/tenantwall/tenantwall/apikey"
	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/tenant"
)

// What services may be allowed to do with a key.
const (
	scopeRead  = "notes:read"
	scopeWrite = "notes:write"
)

// keyBrand begins each key, and keyEnvironment tells those of a demonstration apart.
const keyBrand = "notes"

func keyEnvironment(demo bool) string {
	if demo {
		return "demo"
	}
	return "live"
}

// openKeys opens the keys of services.
func (s *server) openKeys(ctx context.Context, cfg config) (err error) {
	s.keys, err = apikey.Open(ctx, s.control, apikey.Config{
		Brand: keyBrand, Environment: keyEnvironment(cfg.demo),
		Scopes:     []string{scopeRead, scopeWrite},
		Tenants:    s.caches.tenants,
		Connected:  s.caches.bus.Connected,
		OnChange:   s.caches.keyChanged,
		FlushEvery: time.Second, // so that the list shows a use soon
		Logger:     s.log,
	})
	return err
}

// usersOnly keeps keys from routes that are for people.
func usersOnly(next http.Handler) http.Handler {
	return handler(func(w http.ResponseWriter, r *http.Request) error {
		if p, _ := tenant.PrincipalFromContext(r.Context()); p.Kind == tenant.Key {
			return &tenant.Error{Code: tenant.CodeForbidden, Detail: "this is for users, and no API key may do it"}
		}
		next.ServeHTTP(w, r)
		return nil
	})
}

// inTenantOrKey is inTenant for routes that are for keys as well, which need a scope there
// and no role.
func (s *server) inTenantOrKey(least invite.Role, scope string, next handler) http.Handler {
	return s.authenticated(s.resolve(apikey.RequireScopeOr(scope, s.guard.RequireRole(least))(s.quotas.limit(next))))
}

// authorOf is whom a note is by: the user's address, or the key's name, which can't be taken
// for one.
func authorOf(ctx context.Context) string {
	if key, ok := apikey.FromContext(ctx); ok {
		return "API key " + key.Name
	}
	p, _ := tenant.PrincipalFromContext(ctx) // the route has asked for one
	return p.Email
}

// keyView is a key as those see it who manage keys.
type keyView struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Scopes     []string   `json:"scopes"`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  *time.Time `json:"expires_at"`
	LastUsedAt *time.Time `json:"last_used_at"`
	RevokedAt  *time.Time `json:"revoked_at"`
}

func viewOfKey(k apikey.Key) keyView {
	return keyView{
		ID: k.ID, Name: k.Name, Scopes: k.Scopes, CreatedAt: k.CreatedAt,
		ExpiresAt: orNull(k.ExpiresAt), LastUsedAt: orNull(k.LastUsedAt), RevokedAt: orNull(k.RevokedAt),
	}
}

// orNull is a time for JSON in which there may be none.
func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// newKeyView is a key that was made just now, with its secret.
type newKeyView struct {
	keyView
	AllowedCIDRs []string `json:"allowed_cidrs"`
	Key          string   `json:"key"` // shown this once
}

func writeNewKey(w http.ResponseWriter, k apikey.Key, secret apikey.Secret) error {
	view := newKeyView{keyView: viewOfKey(k), AllowedCIDRs: []string{}, Key: string(secret)}
	for _, network := range k.Networks {
		view.AllowedCIDRs = append(view.AllowedCIDRs, network.String())
	}
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, http.StatusCreated, view)
}

// whoMints is the tenant of a request and the member who acts in it, as package apikey is
// told of them. Whom the routes let through may give all scopes.
func (s *server) whoMints(r *http.Request) (tenant.Tenant, apikey.Minter, error) {
	t, m, err := memberOf(r)
	return t, apikey.Minter{ID: m.UserID, Scopes: s.keys.Scopes()}, err
}

func (s *server) createKey(w http.ResponseWriter, r *http.Request) error {
	t, me, err := s.whoMints(r)
	if err != nil {
		return err
	}
	var expires *string
	var cidrs []string
	var n apikey.NewKey
	if err := decode(r, fields{"name": &n.Name, "scopes": &n.Scopes, "expires_at": &expires, "allowed_cidrs": &cidrs}); err != nil {
		return err
	}
	var bad invalid
	n.ExpiresAt = bad.time("expires_at", expires)
	n.Networks = bad.networks("allowed_cidrs", cidrs)
	if err := bad.err(); err != nil {
		return err
	}
	key, secret, err := s.keys.Mint(r.Context(), t.ID, me, n)
	if err != nil {
		return err // also that name or scopes are not valid
	}
	return writeNewKey(w, key, secret)
}

func (s *server) listKeys(w http.ResponseWriter, r *http.Request) error {
	t, err := tenant.Require(r.Context())
	if err != nil {
		return err
	}
	keys, err := s.keys.List(r.Context(), t.ID)
	if err != nil {
		return err
	}
	views := make([]keyView, len(keys))
	for i, key := range keys {
		views[i] = viewOfKey(key)
	}
	return writeJSON(w, http.StatusOK, map[string]any{"api_keys": views})
}

// rotateKey makes a key in the place of another one, which works for the overlap still.
func (s *server) rotateKey(w http.ResponseWriter, r *http.Request) error {
	t, me, err := s.whoMints(r)
	if err != nil {
		return err
	}
	var text *string
	if err := decode(r, fields{"overlap": &text}); err != nil {
		return err
	}
	var bad invalid
	overlap := bad.duration("overlap", text)
	if err := bad.err(); err != nil {
		return err
	}
	key, secret, err := s.keys.Rotate(r.Context(), t.ID, me, r.PathValue("id"), overlap)
	if err != nil {
		return err
	}
	return writeNewKey(w, key, secret)
}

// revokeKey ends a key, in this process from now on.
func (s *server) revokeKey(w http.ResponseWriter, r *http.Request) error {
	t, me, err := s.whoMints(r)
	if err != nil {
		return err
	}
	if err := s.keys.Revoke(r.Context(), t.ID, me, r.PathValue("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// time reads a time, which may be missing.
func (v *invalid) time(field string, text *string) time.Time {
	if text == nil {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, *text)
	if err != nil || t.IsZero() {
		v.add(field, "must be a time such as 2030-01-31T12:00:00Z")
	}
	return t
}

// duration reads a duration, which is required.
func (v *invalid) duration(field string, text *string) time.Duration {
	if text == nil {
		v.required(field, text)
		return 0
	}
	d, err := time.ParseDuration(*text)
	if err != nil {
		v.add(field, "must be a duration such as 10m, from 0s to 720h")
	}
	return d
}

// networks reads networks that a key may be used from.
func (v *invalid) networks(field string, texts []string) []netip.Prefix {
	networks := make([]netip.Prefix, 0, len(texts))
	for _, text := range texts {
		network, err := apikey.ParseNetwork(text)
		if err != nil {
			v.add(field, err.Error())
			return nil
		}
		networks = append(networks, network)
	}
	return networks
}
