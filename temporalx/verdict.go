package temporalx

import (
	"crypto/hmac"
	"errors"
	"strings"
	"time"

	"github.com/tenantwall/tenantwall/tenant"
)

// What a worker may find wrong. The details go into histories and logs.
var (
	errMissing    = &tenant.Error{Code: tenant.CodeTenantRequired, Detail: "the work carries no tenant: its client has no plugin of temporalx, or its header was dropped"}
	errForged     = &tenant.Error{Code: CodeTenantForged, Detail: "the header's signature is missing, wrong, made for another workflow, or of a key that is not trusted"}
	errOtherID    = &tenant.Error{Code: tenant.CodeTenantMismatch, Detail: "the header and the workflow id name different tenants"}
	errForeign    = &tenant.Error{Code: tenant.CodeTenantMismatch, Detail: "the workflow is another tenant's"}
	errNoTenantID = &tenant.Error{Code: tenant.CodeTenantMismatch, Detail: "the workflow id names no tenant", Err: ErrWorkflowID}
)

// genuine is the identity that was carried to a workflow, once it is known to be well
// formed and signed. It is decided by the header, the keys and the time alone, so that a
// workflow can ask again when it is replayed.
func (c carried) genuine(workflowID string, keys []Key, at time.Time) (Identity, error) {
	switch {
	case !c.found:
		return Identity{}, errMissing
	case c.bad != nil:
		return Identity{}, &tenant.Error{Code: tenant.CodeTenantInvalid, Detail: "the header is malformed: " + c.bad.Error()}
	case len(keys) > 0 && !c.signedBy(keys, workflowID, at):
		return Identity{}, errForged
	}
	return c.identity, nil
}

// signedBy reports whether a key that is trusted at the time has signed what was carried
// for the workflow.
func (c carried) signedBy(keys []Key, workflowID string, at time.Time) bool {
	for _, k := range keys {
		if k.ID != c.keyID || !k.Until.IsZero() && at.After(k.Until) {
			continue
		}
		for _, id := range c.targets(workflowID) {
			if hmac.Equal(c.signature, k.sign(id, c.body)) {
				return true
			}
		}
	}
	return false
}

// targets are the ids that a header may have been signed for when it is found in a
// workflow: its own, and for a run of a schedule the one that the schedule has.
func (c carried) targets(workflowID string) []string {
	ids := []string{workflowID}
	if id, ok := cutRunTime(workflowID); c.scheduled && ok {
		ids = append(ids, id)
	}
	return ids
}

// cutRunTime takes from a workflow id what a schedule puts behind it: -2006-01-02T15:04:05Z.
func cutRunTime(workflowID string) (string, bool) {
	at := len(workflowID) - len("-2006-01-02T15:04:05Z")
	if at <= 0 || workflowID[at] != '-' {
		return "", false
	}
	if _, err := time.Parse("2006-01-02T15:04:05Z", workflowID[at+1:]); err != nil {
		return "", false
	}
	return workflowID[:at], true
}

// agree is nil when a workflow with the id is the identity's.
func agree(id Identity, workflowID string) error {
	owner, _, err := ParseWorkflowID(workflowID)
	switch {
	case err != nil:
		return errNoTenantID
	case owner != id.Tenant:
		return errOtherID
	}
	return nil
}

// agreeActivity is nil when a workflow with the id may have started an activity of the
// identity: a tenant's its own, and the system's anybody's, see [ForTenant].
func agreeActivity(id Identity, workflowID string) error {
	if strings.HasPrefix(workflowID, systemPrefix) {
		return nil
	}
	return agree(id, workflowID)
}

// mayReach is nil when the identity may send a message to the workflow with the id, or ask
// after it: to those of its own tenant, and the system to all.
func (id Identity) mayReach(workflowID string) error {
	owner, _, err := ParseWorkflowID(workflowID)
	switch {
	case id.IsSystem():
		return nil
	case err != nil:
		return err
	case owner != id.Tenant:
		return errForeign
	}
	return nil
}

// told is err as what an API client may see, for its code.
func told(err error) *tenant.Error {
	if e, ok := errors.AsType[*tenant.Error](err); ok {
		return e
	}
	return &tenant.Error{Code: tenant.CodeInternal, Err: err}
}
