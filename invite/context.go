package invite

import "context"

type memberKey struct{}

// memberContext is what context.WithValue would make, in one allocation: this one is made
// for every request.
type memberContext struct {
	context.Context //nolint:containedctx // it is a context itself
	member          Member
}

func (c *memberContext) Value(key any) any {
	if key == (memberKey{}) {
		return &c.member
	}
	return c.Context.Value(key)
}

// NewContext returns a context in which m acts. [Guard] does so, once it has looked the
// member up; whoever else does vouches for it.
func NewContext(ctx context.Context, m Member) context.Context {
	return &memberContext{Context: ctx, member: m}
}

// FromContext is the member who acts in ctx, and whether there is one: someone who was
// found to belong to the tenant of the request.
func FromContext(ctx context.Context) (Member, bool) {
	m, ok := ctx.Value(memberKey{}).(*Member)
	if !ok || m.TenantID.IsZero() {
		return Member{}, false
	}
	return *m, true
}
