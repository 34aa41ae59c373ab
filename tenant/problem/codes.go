package problem

import (
	"net/http"

	"github.com/tenantwall/tenantwall/tenant"
)

// kind is what all problems of one code have in common.
type kind struct {
	code   tenant.Code
	status int
	title  string
	detail string // when the error has none
}

// kinds are the codes of package tenant, in its order.
var kinds = [...]kind{
	{tenant.CodeTenantRequired, http.StatusBadRequest, "Tenant required", "nothing in the request names a tenant"},
	{tenant.CodeTenantInvalid, http.StatusBadRequest, "Tenant invalid", "what names the tenant is neither a slug nor an id"},
	{tenant.CodeTenantConflict, http.StatusBadRequest, "Tenant conflict", "the request names more than one tenant"},
	{tenant.CodeCredentialConflict, http.StatusBadRequest, "Credential conflict", "the request has more than one credential"},
	{tenant.CodeBadRequest, http.StatusBadRequest, "Bad request", "the request can't be read"},
	{tenant.CodeUnauthenticated, http.StatusUnauthorized, "Unauthenticated", "the request has no valid credential"},
	{tenant.CodeTenantMismatch, http.StatusForbidden, "Tenant mismatch", "the credential is for another tenant"},
	{tenant.CodeNotAMember, http.StatusForbidden, "Not a member", "the user is no member of the tenant"},
	{tenant.CodeForbidden, http.StatusForbidden, "Forbidden", "the role or the scope does not allow it"},
	{tenant.CodeTenantSuspended, http.StatusForbidden, "Tenant suspended", "the tenant is suspended"},
	{tenant.CodeEmailMismatch, http.StatusForbidden, "E-mail mismatch", "the invitation is for another person"},
	{tenant.CodeTenantNotFound, http.StatusNotFound, "Tenant not found", "there is no such tenant"},
	{tenant.CodeNotFound, http.StatusNotFound, "Not found", "there is nothing at this address"},
	{tenant.CodeMethodNotAllowed, http.StatusMethodNotAllowed, "Method not allowed", "the address does not take this method"},
	{tenant.CodeSlugTaken, http.StatusConflict, "Slug taken", "the slug belongs to a tenant, or once did"},
	{tenant.CodeLastOwner, http.StatusConflict, "Last owner", "a tenant keeps at least one owner"},
	{tenant.CodeAlreadyMember, http.StatusConflict, "Already a member", "the user is a member of the tenant already"},
	{tenant.CodeSeatLimitReached, http.StatusConflict, "Seat limit reached", "the tenant's plan has no seat left"},
	{tenant.CodeTenantGone, http.StatusGone, "Tenant gone", "the tenant was deleted, or has another slug now"},
	{tenant.CodeInviteExpired, http.StatusGone, "Invitation expired", "the invitation can't be accepted any more"},
	{tenant.CodePreconditionFailed, http.StatusPreconditionFailed, "Precondition failed", "the resource is not in the state that the request asks for"},
	{tenant.CodePayloadTooLarge, http.StatusRequestEntityTooLarge, "Payload too large", "the body of the request is too long"},
	{tenant.CodeUnsupportedMediaType, http.StatusUnsupportedMediaType, "Unsupported media type", "the body of the request is not of a type that is read here"},
	{tenant.CodeValidationFailed, http.StatusUnprocessableEntity, "Validation failed", "fields of the request are not valid"},
	{tenant.CodeQuotaExceeded, http.StatusTooManyRequests, "Quota exceeded", "the tenant's plan allows no more of this for now"},
	{tenant.CodeInternal, http.StatusInternalServerError, "Internal error", "the service failed to answer; its log knows more under the request id"},
	{tenant.CodeUnavailable, http.StatusServiceUnavailable, "Unavailable", "the service can't answer at the moment"},
}

// typeBase is followed by a code in the "type" of a document. RFC 9457, 3.1.1 makes the
// type what clients are to tell problems by, so about:blank would withhold what the code
// says; and it recommends a URI that leads to documentation under the control of whoever
// defines it, which this one does: it is the page of this package.
const typeBase = "https://pkg.go.dev/github.com/tenantwall/tenantwall/tenant/problem#"

// kindOf is the kind of a code. A code that is not of this library is an error of the
// service's, unless its [tenant.Error] says otherwise.
func kindOf(code tenant.Code) (k kind, ours bool) {
	for _, k := range kinds {
		if k.code == code {
			return k, true
		}
	}
	return kind{code: code, status: http.StatusInternalServerError}, false
}
