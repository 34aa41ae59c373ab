package resolve

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/problem"
)

// Config says how a [Resolver] works. Only Sources must be set.
type Config struct {
	// Sources are asked in this order, all of them. The order decides nothing but which of
	// two malformed names is told first.
	Sources []Source

	// Optional lets requests pass that name no tenant; their context then has none. One
	// that is malformed, unknown or contradicted is refused all the same.
	Optional bool

	// Skip are the paths of the routes that belong to no tenant, such as /healthz. Requests
	// for them pass as they came, whatever they name. A path is skipped if it is exactly
	// one of these, spelled without escapes: not what lies beneath, and not with a slash
	// at its end.
	Skip []string

	// OnError answers a request that is refused. It must write a response. The error is
	// mostly a [tenant.Error]; it may tell the service's log more than the client may
	// know. Nil means [problem.Write].
	OnError func(w http.ResponseWriter, r *http.Request, err error)
}

// Resolver finds out which tenant requests are for. It may be used by several goroutines
// at once.
type Resolver struct {
	store     tenant.Store
	sources   []Source // without FromPrincipal
	principal bool     // whether FromPrincipal is a source
	optional  bool
	skip      map[string]struct{}
	vary      []string
	onError   func(w http.ResponseWriter, r *http.Request, err error)
}

// New makes a Resolver that looks tenants up in store. It fails when there is no store or
// no source, when a source was made with settings that can't be, such as a base domain
// with a port, and for a path in Skip that no request can have.
//
// The store is asked on every request that is not skipped and names a tenant. A slow one
// is wrapped in a cache, which is a [tenant.Store] too.
func New(store tenant.Store, cfg Config) (*Resolver, error) {
	if store == nil {
		return nil, errors.New("resolve: no store: tenants are looked up in one")
	}
	if len(cfg.Sources) == 0 {
		return nil, errors.New("resolve: no source: add what names the tenant, such as resolve.Header()")
	}
	rs := &Resolver{store: store, optional: cfg.Optional, onError: cfg.OnError, skip: make(map[string]struct{}, len(cfg.Skip))}
	if rs.onError == nil {
		rs.onError = problem.Write
	}
	for i, source := range cfg.Sources {
		if err := rs.add(source); err != nil {
			return nil, fmt.Errorf("resolve: source %d: %w", i+1, err)
		}
	}
	for _, path := range cfg.Skip {
		if !strings.HasPrefix(path, "/") {
			return nil, fmt.Errorf("resolve: skipped path %q: a path begins with a slash", path)
		}
		rs.skip[path] = struct{}{}
	}
	return rs, nil
}

func (rs *Resolver) add(source Source) error {
	switch source := source.(type) {
	case nil:
		return errors.New("it is nil")
	case principal:
		rs.principal = true
		return nil
	case header:
		rs.vary = []string{HeaderSlug + ", " + HeaderID}
	case interface{ check() error }:
		if err := source.check(); err != nil {
			return err
		}
	}
	rs.sources = append(rs.sources, source)
	return nil
}

// Middleware is the shortest way to a [Resolver.Middleware]: one that requires a tenant on
// every request and answers errors as [problem.Write] does. It panics where [New] fails,
// which depends on the program alone and so shows when it starts; a program that reads a
// source's settings from outside calls New.
func Middleware(store tenant.Store, sources ...Source) func(http.Handler) http.Handler {
	rs, err := New(store, Config{Sources: sources})
	if err != nil {
		panic(err)
	}
	return rs.Middleware
}

// Middleware returns a handler that calls next for requests of a tenant that is active,
// with that tenant in the context ([tenant.FromContext]), and without the part of the path
// that named it ([PathPrefix]). All else of the request is what it was.
//
// When [Header] is a source, each response says in its Vary field that it depends on the
// headers, lest an HTTP cache hands one tenant's response to another.
func (rs *Resolver) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rs.skips(r) {
			next.ServeHTTP(w, r)
			return
		}
		if rs.vary != nil {
			addVary(w.Header(), rs.vary)
		}
		inTenant, err := rs.Resolve(r)
		if err != nil {
			rs.onError(w, r, err)
			return
		}
		next.ServeHTTP(w, inTenant)
	})
}

// Resolve returns r as the handlers of its tenant are to see it, which [Resolver.Middleware]
// describes, for programs that have no use for a middleware. It returns r itself when r
// names no tenant and the tenant is optional. Skip is not looked at.
//
// The package comment lists the errors and their order. There is no request then.
func (rs *Resolver) Resolve(r *http.Request) (*http.Request, error) {
	named, err := rs.ask(r)
	if err != nil {
		return nil, err
	}
	credential := credentialOf(r)
	if named.isZero() && (!rs.principal || credential.IsZero()) {
		if rs.optional {
			return r, nil
		}
		return nil, tenant.ErrRequired
	}
	t, err := find(r.Context(), rs.store, named, credential)
	if err != nil {
		return nil, err
	}
	return enter(r, t, named.Prefix), nil
}

// ask is what the sources and the context say together, if they don't contradict each
// other. The credential is not in it.
func (rs *Resolver) ask(r *http.Request) (Claim, error) {
	var named Claim
	if t, ok := tenant.FromContext(r.Context()); ok {
		named.ID = t.ID
	}
	contradicted := false
	for _, source := range rs.sources {
		claim, err := source.Tenant(r)
		if err != nil {
			return Claim{}, sourceError(err)
		}
		if claim.isZero() {
			continue
		}
		if err := checkPrefix(r.URL, claim.Prefix); err != nil {
			return Claim{}, err
		}
		if !merge(&named, claim) {
			contradicted = true // told when all are read, for malformed comes first
		}
	}
	if contradicted {
		return Claim{}, ErrConflict
	}
	return named, nil
}

// skips reports whether r is for a route of no tenant. A path with an escape in it has a
// RawPath, and is not the same path to every router.
func (rs *Resolver) skips(r *http.Request) bool {
	if r.URL.RawPath != "" {
		return false
	}
	_, found := rs.skip[r.URL.Path]
	return found
}

// addVary adds to the Vary field of a response. A slice that it sets is shared by all
// responses, and has no room: whoever appends to it gets a copy.
func addVary(h http.Header, vary []string) {
	if there := h["Vary"]; len(there) > 0 {
		vary = append(slices.Clip(there), vary...)
	}
	h["Vary"] = vary
}
