package tenant

import "context"

type (
	tenantKey    struct{}
	principalKey struct{}
	requestIDKey struct{}
)

// NewContext returns a context in which work is done for t. A tenant that ctx carries
// already is replaced: to act for another tenant is said once, here, and on purpose.
//
// The status is not looked at; [Require] and tenantdb do so.
func NewContext(ctx context.Context, t Tenant) context.Context {
	return &tenantContext{Context: ctx, tenant: t}
}

// tenantContext is what context.WithValue would make, in one allocation: this one is made
// for every request.
type tenantContext struct {
	context.Context //nolint:containedctx // it is a context itself
	tenant          Tenant
}

func (c *tenantContext) Value(key any) any {
	if key == (tenantKey{}) {
		return &c.tenant
	}
	return c.Context.Value(key)
}

// FromContext is the tenant that work in ctx is done for, and whether there is one.
func FromContext(ctx context.Context) (Tenant, bool) {
	t, ok := ctx.Value(tenantKey{}).(*Tenant)
	if !ok || t.ID.IsZero() {
		return Tenant{}, false
	}
	return *t, true
}

// Require is the tenant that work in ctx is done for, if it may be: the error is
// [ErrRequired] when there is none, and otherwise that of [Tenant.Usable].
func Require(ctx context.Context) (Tenant, error) {
	t, _ := FromContext(ctx)
	if err := t.Usable(); err != nil {
		return Tenant{}, err
	}
	return t, nil
}

// NewPrincipalContext returns a context in which p acts.
func NewPrincipalContext(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// PrincipalFromContext is who acts in ctx, and whether anybody does.
func PrincipalFromContext(ctx context.Context) (Principal, bool) {
	p, ok := ctx.Value(principalKey{}).(Principal)
	return p, ok && p.Kind != ""
}

// NewRequestIDContext returns a context of the request that has an id, which problem
// documents, logs and traces then carry.
func NewRequestIDContext(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// RequestIDFromContext is the id of the request that ctx belongs to, or empty.
func RequestIDFromContext(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}
