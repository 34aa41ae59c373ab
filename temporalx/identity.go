package temporalx

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/tenantwall/tenantwall/tenant"
)

// Identity is for whom work is done, and by whom: a tenant's, or the system's with the
// reason why. The zero Identity is nobody's, and refused everywhere.
type Identity struct {
	// Tenant is for whom. It is zero for work of the system.
	Tenant tenant.ID

	// Plan is the tenant's at the time when the work was started. It says how work is routed;
	// what the tenant may do, the store tells by then.
	Plan string

	// RequestID is that of the request that started the work, or empty.
	RequestID string

	// Principal is who started the work, if anybody did: its Kind, its ID, the Tenant of this
	// identity, and the Email when [Config.CarryEmail] is set. Roles and scopes are not
	// carried, for they may have been taken away since.
	Principal tenant.Principal

	// System is why work is done for no tenant, see [System]. It is empty for a tenant's.
	System string
}

// IsSystem reports whether the work is the system's.
func (id Identity) IsSystem() bool { return id.System != "" }

// identityOf is for whom and by whom a client's call in ctx is made. The errors are
// [tenant.ErrRequired], those of [tenant.Tenant.Usable], tenant_mismatch for a principal
// whose credential is another tenant's, and what can't be carried.
func identityOf(ctx context.Context, email bool) (Identity, error) {
	var id Identity
	if reason, system := SystemReason(ctx); system {
		id.System = reason
	} else {
		t, err := tenant.Require(ctx)
		if err != nil {
			return Identity{}, err
		}
		id.Tenant, id.Plan = t.ID, t.Plan
	}
	if p, ok := tenant.PrincipalFromContext(ctx); ok {
		if !id.IsSystem() && !p.Tenant.IsZero() && p.Tenant != id.Tenant {
			return Identity{}, &tenant.Error{Code: tenant.CodeTenantMismatch, Detail: "the credential is for another tenant"}
		}
		id.Principal = tenant.Principal{Kind: p.Kind, ID: p.ID, Tenant: id.Tenant}
		if email {
			id.Principal.Email = p.Email
		}
	}
	if request := tenant.RequestIDFromContext(ctx); checkText(request, maxRequestID) == nil {
		id.RequestID = request
	}
	return id, id.check()
}

// newWorkflowID is an id for a workflow that was given none.
func (id Identity) newWorkflowID() string {
	if id.IsSystem() {
		return SystemWorkflowID(rand.Text())
	}
	return WorkflowID(id.Tenant, rand.Text())
}

// Bounds of what is carried, in bytes. A request id that breaks them is left out; anything
// else that does is refused by the client.
const (
	maxPlan      = 128
	maxRequestID = 128
	maxPrincipal = 256
	maxEmail     = 320 // 64 + @ + 255 (RFC 5321, 4.5.3.1)
	maxReason    = 256
)

// check says what of an identity can't be.
func (id Identity) check() error {
	p := id.Principal
	switch {
	case id.Tenant.IsZero() && id.System == "":
		return errors.New("neither a tenant nor a reason why there is none")
	case !id.Tenant.IsZero() && id.System != "":
		return errors.New("both a tenant and a reason why there is none")
	case (p.Kind == "") != (p.ID == ""):
		return errors.New("a principal has a kind and an id")
	}
	for _, f := range []struct {
		name, value string
		most        int
	}{
		{"plan", id.Plan, maxPlan},
		{"request id", id.RequestID, maxRequestID},
		{"principal's kind", string(p.Kind), maxPrincipal},
		{"principal's id", p.ID, maxPrincipal},
		{"principal's e-mail address", p.Email, maxEmail},
		{"reason", id.System, maxReason},
	} {
		if err := checkText(f.value, f.most); err != nil {
			return fmt.Errorf("the %s %w", f.name, err)
		}
	}
	return nil
}

// checkText says what is wrong with a text that goes into logs and on to other programs.
func checkText(s string, most int) error {
	switch {
	case len(s) > most:
		return fmt.Errorf("has %d bytes, more than %d", len(s), most)
	case !utf8.ValidString(s):
		return errors.New("is not UTF-8")
	case strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return errors.New("has control characters")
	}
	return nil
}
