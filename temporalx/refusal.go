package temporalx

import (
	"errors"
	"slices"

	"go.temporal.io/sdk/temporal"

	"github.com/tenantwall/tenantwall/tenant"
)

// CodeTenantForged is the code of work whose header has a signature that is wrong, missing,
// or of a key that is not, or no longer, among [Config.Keys].
const CodeTenantForged tenant.Code = "tenant_forged"

// Refusal is work that a worker refused.
type Refusal struct {
	Kind       Kind
	Name       string // the type of the workflow or activity, or the name of the signal, query or update
	WorkflowID string // empty for an activity without a workflow
	Code       tenant.Code
	Detail     string // for the log: never a secret, and nothing from the header but ids
}

// Kind is what was refused.
type Kind string

// What a worker can refuse.
const (
	KindWorkflow Kind = "workflow"
	KindActivity Kind = "activity"
	KindSignal   Kind = "signal"
	KindQuery    Kind = "query"
	KindUpdate   Kind = "update"
	KindNexus    Kind = "nexus operation"
)

// Refused is why a worker has refused the work that err tells of, when it did so: the code
// of a tenant that was missing (tenant_required), malformed (tenant_invalid), forged
// ([CodeTenantForged]), another's (tenant_mismatch), not found (tenant_not_found), gone
// (tenant_gone) or suspended (tenant_suspended). It looks through the errors that Temporal
// wraps around that of an activity or a child.
func Refused(err error) (tenant.Code, bool) {
	for app := (*temporal.ApplicationError)(nil); errors.As(err, &app); err = app.Unwrap() {
		if code := tenant.Code(app.Type()); slices.Contains(refusals, code) {
			return code, true
		}
	}
	return "", false
}

// refusals are the codes of work that a worker refuses for good.
var refusals = []tenant.Code{
	tenant.CodeTenantRequired, tenant.CodeTenantInvalid, CodeTenantForged, tenant.CodeTenantMismatch,
	tenant.CodeTenantNotFound, tenant.CodeTenantGone, tenant.CodeTenantSuspended,
}
