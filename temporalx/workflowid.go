package temporalx

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tenantwall/tenantwall/tenant"
)

const (
	tenantPrefix = "t/"
	systemPrefix = "system/"
	idLen        = 36 // of a tenant's id
)

// ErrWorkflowID is what is wrong with an id that names neither a tenant nor the system.
var ErrWorkflowID = errors.New("the workflow id names neither a tenant nor the system: make it with temporalx.WorkflowID or temporalx.SystemWorkflowID")

// WorkflowID is the id of a tenant's workflow, schedule, or activity that is started by a
// client: t/<tenant>/<name>. It says for whom the work is, beside the header and
// independently of it, and keeps tenants from meeting under one name.
//
// The server takes up to 1000 bytes, of which 39 are the tenant's.
func WorkflowID(t tenant.ID, name string) string {
	return tenantPrefix + t.String() + "/" + name
}

// SystemWorkflowID is the id of a workflow of no tenant, see [System]: system/<name>.
func SystemWorkflowID(name string) string { return systemPrefix + name }

// ParseWorkflowID tells whose an id is that [WorkflowID] or [SystemWorkflowID] has made:
// the tenant's, or the zero ID for the system; and its name. The error is [ErrWorkflowID].
func ParseWorkflowID(s string) (t tenant.ID, name string, err error) {
	if name, system := strings.CutPrefix(s, systemPrefix); system && name != "" {
		return tenant.ID{}, name, nil
	}
	rest, tenants := strings.CutPrefix(s, tenantPrefix)
	if !tenants || len(rest) < idLen+2 || rest[idLen] != '/' {
		return tenant.ID{}, "", ErrWorkflowID
	}
	t, err = tenant.ParseID(rest[:idLen])
	if err != nil {
		return tenant.ID{}, "", fmt.Errorf("%w: %w", ErrWorkflowID, err)
	}
	return t, rest[idLen+1:], nil
}
