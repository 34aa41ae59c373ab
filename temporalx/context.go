package temporalx

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/tenantwall/tenantwall/tenant"
)

type (
	systemKey   struct{} // context.Context: why work is the system's
	identityKey struct{} // workflow.Context: the Identity that was found to be right
)

// System returns a context in which work is started for no tenant, for a reason that
// people read in the header of the workflow: 1 to 256 bytes. A tenant that ctx carries is
// gone from it. Without it, work that has no tenant is refused.
//
// The system may also send signals, queries and updates to the workflows of all tenants.
func System(ctx context.Context, reason string) context.Context {
	ctx = tenant.NewContext(ctx, tenant.Tenant{})
	return context.WithValue(ctx, systemKey{}, reason)
}

// SystemReason is why work in ctx is the system's, and whether it is: in a context that
// [System] made, and in that of an activity of the system. A context that got a tenant
// after that is the tenant's.
func SystemReason(ctx context.Context) (string, bool) {
	if _, tenants := tenant.FromContext(ctx); tenants {
		return "", false
	}
	reason, ok := ctx.Value(systemKey{}).(string)
	return reason, ok && reason != ""
}

// FromWorkflow is for whom a workflow runs, and whether that is known, which it always is
// on a worker with the plugin. In the handler of a query or update the RequestID and the
// Principal are those of who sent it.
func FromWorkflow(ctx workflow.Context) (Identity, bool) {
	id, ok := ctx.Value(identityKey{}).(Identity)
	return id, ok
}

// ForTenant returns a context in which a workflow of the system works for a tenant: its
// activities find the tenant in their context, and its children are the tenant's, if their
// workflow ids are. The tenant is to come from an activity or the workflow's arguments, as
// a workflow looks nothing up.
//
// The error is for a workflow that is not the system's: no tenant's workflow works for
// another.
func ForTenant(ctx workflow.Context, t tenant.Tenant) (workflow.Context, error) {
	id, ok := FromWorkflow(ctx)
	switch {
	case !ok || !id.IsSystem():
		return nil, errors.New("temporalx: a workflow that is not the system's can't work for another tenant")
	case t.ID.IsZero():
		return nil, fmt.Errorf("temporalx: work for a tenant: %w", tenant.ErrRequired)
	}
	id.Tenant, id.Plan, id.System = t.ID, t.Plan, ""
	if err := id.check(); err != nil {
		return nil, fmt.Errorf("temporalx: work for a tenant: %w", err)
	}
	return workflow.WithValue(ctx, identityKey{}, id), nil
}
