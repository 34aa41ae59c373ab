package tenant

import (
	"cmp"
	"errors"
	"time"
)

// Code is the machine-readable name of a failure, part of a service's API: snake_case,
// and never given another meaning.
type Code string

// The codes of this library, with the HTTP status that package problem gives them. A
// product adds its own by setting [Error.Status].
const (
	CodeTenantRequired       Code = "tenant_required"        // 400: nothing names a tenant
	CodeTenantInvalid        Code = "tenant_invalid"         // 400: a malformed slug, id or host
	CodeTenantConflict       Code = "tenant_conflict"        // 400: host, header and path disagree
	CodeCredentialConflict   Code = "credential_conflict"    // 400: two credentials at once
	CodeBadRequest           Code = "bad_request"            // 400
	CodeUnauthenticated      Code = "unauthenticated"        // 401
	CodeTenantMismatch       Code = "tenant_mismatch"        // 403: the credential is for another tenant
	CodeNotAMember           Code = "not_a_member"           // 403
	CodeForbidden            Code = "forbidden"              // 403: role or scope is too small
	CodeTenantSuspended      Code = "tenant_suspended"       // 403
	CodeEmailMismatch        Code = "email_mismatch"         // 403: another person's invitation
	CodeTenantNotFound       Code = "tenant_not_found"       // 404
	CodeNotFound             Code = "not_found"              // 404
	CodeMethodNotAllowed     Code = "method_not_allowed"     // 405
	CodeSlugTaken            Code = "slug_taken"             // 409
	CodeLastOwner            Code = "last_owner"             // 409
	CodeAlreadyMember        Code = "already_member"         // 409
	CodeSeatLimitReached     Code = "seat_limit_reached"     // 409
	CodeTenantGone           Code = "tenant_gone"            // 410
	CodeInviteExpired        Code = "invite_expired"         // 410
	CodePreconditionFailed   Code = "precondition_failed"    // 412
	CodePayloadTooLarge      Code = "payload_too_large"      // 413
	CodeUnsupportedMediaType Code = "unsupported_media_type" // 415
	CodeValidationFailed     Code = "validation_failed"      // 422, with Fields
	CodeQuotaExceeded        Code = "quota_exceeded"         // 429, with RetryAfter
	CodeInternal             Code = "internal"               // 500
	CodeUnavailable          Code = "unavailable"            // 503, with RetryAfter
)

// Error is a failure that an API client may see. Everything in it but Err is meant for
// the client, and must hold nothing that one tenant may not know of another, no SQL and
// no names of the inside.
//
// [errors.Is] holds an Error to be every other with the same Code, so that
// errors.Is(err, tenant.ErrGone) asks for the code. [errors.As] gets at the rest.
type Error struct {
	Code       Code
	Detail     string        // a sentence for the client's developer; empty for the code's own
	Status     int           // the HTTP status; 0 means the one of the code
	Fields     []FieldError  // for CodeValidationFailed
	RetryAfter time.Duration // when to try again; 0 says nothing
	Err        error         // the cause, for the service's own log; never shown
}

// FieldError is one reason why a field of the request is not valid.
type FieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// Errors by code, for [errors.Is] and to return as they are.
var (
	ErrRequired    = &Error{Code: CodeTenantRequired, Detail: "nothing names a tenant", Err: errNoTenant}
	ErrNotFound    = &Error{Code: CodeTenantNotFound, Detail: "there is no such tenant"}
	ErrGone        = &Error{Code: CodeTenantGone, Detail: "the tenant was deleted, or has another slug now"}
	ErrSuspended   = &Error{Code: CodeTenantSuspended, Detail: "the tenant is suspended"}
	ErrUnavailable = &Error{Code: CodeUnavailable, Detail: "the tenant is being set up; try again", RetryAfter: time.Second}
	ErrSlugTaken   = &Error{Code: CodeSlugTaken, Detail: "the slug belongs to a tenant, or once did"}
)

// errNoTenant is for the log of whoever forgot the middleware, not for clients.
var errNoTenant = errors.New("no tenant in the context: no source named one, or the resolve middleware did not run")

// Error is the code, the detail, and the cause if there is one. It is for logs, not for
// clients.
func (e *Error) Error() string {
	s := string(cmp.Or(e.Code, CodeInternal))
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is an *Error with the same code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t != nil && t.Code == e.Code
}
