package quota

import "context"

type decisionKey struct{}

// decisionContext is what context.WithValue would make, in one allocation.
type decisionContext struct {
	context.Context //nolint:containedctx // it is a context itself
	decision        Decision
}

func (c *decisionContext) Value(key any) any {
	if key == (decisionKey{}) {
		return &c.decision
	}
	return c.Context.Value(key)
}

// NewContext returns a context of work that d has allowed. The middleware does so.
func NewContext(ctx context.Context, d Decision) context.Context {
	return &decisionContext{Context: ctx, decision: d}
}

// FromContext is the decision by which work in ctx goes on, and whether there is one; with
// several middlewares, that of the innermost.
func FromContext(ctx context.Context) (Decision, bool) {
	d, ok := ctx.Value(decisionKey{}).(*Decision)
	if !ok {
		return Decision{}, false
	}
	return *d, true
}
