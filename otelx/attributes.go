package otelx

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/tenantwall/tenantwall/tenant"
)

// Names of attributes. OpenTelemetry's semantic conventions have none for a tenant; that of
// a user is theirs.
const (
	DefaultTenantKey = "tenant.id"
	SlugKey          = "tenant.slug"
	PlanKey          = "tenant.plan"
	RequestIDKey     = "request.id"
	UserIDKey        = "user.id"
	UserHashKey      = "user.hash"
	APIKeyIDKey      = "apikey.id"
)

// Users says what telemetry tells of the one who acts.
type Users int

const (
	// NoUsers tells nothing of people. It is the zero value, because traces and logs are
	// read by more people, and kept for longer, than what they are about.
	NoUsers Users = iota

	// HashedUsers tells a keyed hash of the user's id: the requests of one user are seen to
	// be of one, and who that is finds out only who has the key and the id.
	HashedUsers

	// PlainUsers tells the user's id. The e-mail address is never told.
	PlainUsers
)

// MinUserHashKey is the least length of [Config.UserHashKey], in bytes: an id may be short
// enough to be guessed, and then the key is all that keeps a hash from being looked up.
const MinUserHashKey = 16

// Config says what is told. The zero Config tells the tenant's id, slug and plan, the
// request's id and the id of an API key, and nothing of people.
type Config struct {
	// TenantKey is the name of the attribute that has the tenant's id; empty means
	// DefaultTenantKey.
	TenantKey string

	// Users says what is told of people.
	Users Users

	// UserHashKey is the key of HashedUsers, of at least MinUserHashKey bytes and not used
	// for anything else. Who changes it begins a new series of hashes.
	UserHashKey []byte
}

// Attributes knows what spans and logs tell of a context: the tenant that work is done for,
// the request, and who acts. They come from the context's own values ([tenant.FromContext]
// and its like), which a credential stands behind, and never from baggage or a header.
//
// Make one with [New]. It may be used by several goroutines at once.
type Attributes struct {
	tenantKey attribute.Key
	users     Users
	hashKey   []byte
}

// New makes the Attributes of a program. The error says which setting is wrong.
func New(cfg Config) (*Attributes, error) {
	if cfg.TenantKey == "" {
		cfg.TenantKey = DefaultTenantKey
	}
	switch cfg.TenantKey {
	case SlugKey, PlanKey, RequestIDKey, UserIDKey, UserHashKey, APIKeyIDKey:
		return nil, fmt.Errorf("otelx: Config.TenantKey is %q, which is the name of another attribute", cfg.TenantKey)
	}
	switch cfg.Users {
	case NoUsers, PlainUsers:
		if len(cfg.UserHashKey) > 0 {
			return nil, errors.New("otelx: Config.UserHashKey is for HashedUsers: set Config.Users to that, or leave the key out")
		}
	case HashedUsers:
		if len(cfg.UserHashKey) < MinUserHashKey {
			return nil, fmt.Errorf("otelx: Config.UserHashKey has %d bytes, and HashedUsers needs at least %d", len(cfg.UserHashKey), MinUserHashKey)
		}
	default:
		return nil, fmt.Errorf("otelx: Config.Users is %d, which is none of NoUsers, HashedUsers and PlainUsers", cfg.Users)
	}
	return &Attributes{
		tenantKey: attribute.Key(cfg.TenantKey), users: cfg.Users, hashKey: append([]byte(nil), cfg.UserHashKey...),
	}, nil
}

// Of is what is told of ctx. It is empty for a context without a tenant, a request id and
// a principal.
func (a *Attributes) Of(ctx context.Context) []attribute.KeyValue {
	var kvs []attribute.KeyValue
	if t, ok := tenant.FromContext(ctx); ok {
		kvs = append(kvs, a.tenantKey.String(t.ID.String()))
		if t.Slug != "" {
			kvs = append(kvs, attribute.String(SlugKey, string(t.Slug)))
		}
		if t.Plan != "" {
			kvs = append(kvs, attribute.String(PlanKey, t.Plan))
		}
	}
	if id := tenant.RequestIDFromContext(ctx); id != "" {
		kvs = append(kvs, attribute.String(RequestIDKey, id))
	}
	if p, ok := tenant.PrincipalFromContext(ctx); ok {
		kvs = a.appendPrincipal(kvs, p)
	}
	return kvs
}

// appendPrincipal adds what is told of who acts. A key is a program's, so its id is told in
// any case: it is what an operator looks for, and no secret.
func (a *Attributes) appendPrincipal(kvs []attribute.KeyValue, p tenant.Principal) []attribute.KeyValue {
	switch {
	case p.Kind == tenant.Key:
		return append(kvs, attribute.String(APIKeyIDKey, p.ID))
	case p.Kind != tenant.User || a.users == NoUsers:
		return kvs
	case a.users == PlainUsers:
		return append(kvs, attribute.String(UserIDKey, p.ID))
	}
	mac := hmac.New(sha256.New, a.hashKey)
	mac.Write([]byte(p.ID))
	return append(kvs, attribute.String(UserHashKey, base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])))
}

// Annotate is a middleware that tells the request's own span of what has become known
// since it began: a span of an HTTP server begins before anybody knows the tenant. It
// stands directly behind the middleware of package resolve, and does nothing when the
// request has no span.
func (a *Attributes) Annotate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.Tell(r.Context())
		next.ServeHTTP(w, r)
	})
}

// Tell is what [Attributes.Annotate] does, for programs that have no use for a middleware:
// it sets the attributes of ctx on the span of ctx, if that is recording.
func (a *Attributes) Tell(ctx context.Context) {
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		span.SetAttributes(a.Of(ctx)...)
	}
}
