package apikey

import (
	"context"

	"github.com/tenantwall/tenantwall/tenant"
)

type keyKey struct{}

// newContext returns a context in which a key acts.
func newContext(ctx context.Context, k Key) context.Context {
	return tenant.NewPrincipalContext(context.WithValue(ctx, keyKey{}, k), k.Principal())
}

// FromContext is the key with which a request got past [Authenticate], and whether there is
// one. Most code needs [tenant.PrincipalFromContext] alone.
func FromContext(ctx context.Context) (Key, bool) {
	k, ok := ctx.Value(keyKey{}).(Key)
	return k, ok
}
