package invite

import "context"

type memberKey struct{}

// NewContext returns a context in which m acts. [Guard] does so, once it has looked the
// member up; whoever else does vouches for it.
func NewContext(ctx context.Context, m Member) context.Context {
	return context.WithValue(ctx, memberKey{}, m)
}

// FromContext is the member who acts in ctx, and whether there is one: someone who was
// found to belong to the tenant of the request.
func FromContext(ctx context.Context) (Member, bool) {
	m, ok := ctx.Value(memberKey{}).(Member)
	return m, ok && !m.TenantID.IsZero()
}
