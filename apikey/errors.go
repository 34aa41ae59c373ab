package apikey

import (
	"errors"
	"net/http"
	"time"

	"github.com/tenantwall/tenantwall/tenant"
)

// Why a key is refused, for [errors.Is], logs and metrics. Each comes inside a
// [tenant.Error]: of the code unauthenticated, but for ErrAddress, which is forbidden. Who
// presents a wrong secret is told nothing of the key that it is wrong for.
var (
	ErrMalformed   = errors.New("not an API key of this service")
	ErrEnvironment = errors.New("API key of another environment")
	ErrUnknown     = errors.New("API key that was never made, or with another secret")
	ErrRevoked     = errors.New("API key that was revoked")
	ErrExpired     = errors.New("API key that has expired")
	ErrAddress     = errors.New("API key that may not be used from this address")
)

// ErrTooManyFailures says that an address has presented too many keys that are none. It
// comes inside a [tenant.Error] of the code quota_exceeded that says when to try again.
var ErrTooManyFailures = errors.New("too many API keys from this address that are none")

// CodeKeyLimitReached is the code of [ErrKeyLimit], with the HTTP status 409.
const CodeKeyLimitReached tenant.Code = "key_limit_reached"

// Errors that an API client may see, for [errors.Is], which compares their codes.
var (
	// ErrNotFound says that the tenant has no key with the id, which is also said of those of
	// other tenants; or, where a key is to be rotated, none that is good for use.
	ErrNotFound = &tenant.Error{Code: tenant.CodeNotFound, Detail: "the tenant has no API key with this id"}

	// ErrForbidden says that the one who acts may not give all of the key's scopes.
	ErrForbidden = &tenant.Error{Code: tenant.CodeForbidden, Detail: "the key's scopes are more than the one who acts may give"}

	// ErrKeyLimit says that the tenant has as many keys as it may.
	ErrKeyLimit = &tenant.Error{Code: CodeKeyLimitReached, Status: http.StatusConflict, Detail: "the tenant has as many API keys as it may: revoke one first"}
)

var (
	errEnded           = &tenant.Error{Code: tenant.CodeNotFound, Detail: "the API key was revoked, has expired, or was rotated already"}
	errUnauthenticated = &tenant.Error{Code: tenant.CodeUnauthenticated, Detail: "the request needs a credential"}
	errTwoCredentials  = &tenant.Error{Code: tenant.CodeCredentialConflict, Detail: "the request has more than one credential"}
	errMismatch        = &tenant.Error{Code: tenant.CodeTenantMismatch, Detail: "the credential is for another tenant"}
	errNoKey           = &tenant.Error{Code: tenant.CodeForbidden, Detail: "this is for API keys, and the credential is none"}
)

// What clients are told of a key that is refused. They are made once, because most of them
// answer an attack.
var (
	errMalformed   = refuse(ErrMalformed, "the API key is not valid")
	errEnvironment = refuse(ErrEnvironment, "the API key is for another environment of this service")
	errUnknown     = refuse(ErrUnknown, "the API key is not valid")
	errRevoked     = refuse(ErrRevoked, "the API key was revoked")
	errExpired     = refuse(ErrExpired, "the API key has expired")
	errAddress     = &tenant.Error{Code: tenant.CodeForbidden, Detail: "the API key may not be used from this address", Err: ErrAddress}
)

func refuse(reason error, detail string) *tenant.Error {
	return &tenant.Error{Code: tenant.CodeUnauthenticated, Detail: detail, Err: reason}
}

func tooManyFailures(wait time.Duration) error {
	return &tenant.Error{
		Code:       tenant.CodeQuotaExceeded,
		Detail:     "too many API keys from this address were not valid; try again later",
		RetryAfter: max(wait, time.Second),
		Err:        ErrTooManyFailures,
	}
}

// orUnavailable is what a client is told when nobody knows whether a key is good.
func orUnavailable(err error) error {
	if _, told := errors.AsType[*tenant.Error](err); told {
		return err
	}
	return &tenant.Error{
		Code:       tenant.CodeUnavailable,
		Detail:     "the API key can't be looked up at the moment; try again",
		RetryAfter: time.Second,
		Err:        err,
	}
}

// invalid is an error about one field of what is to be made.
func invalid(field, message string) error {
	return &tenant.Error{
		Code:   tenant.CodeValidationFailed,
		Detail: "the API key can't be made",
		Fields: []tenant.FieldError{{Field: field, Message: message}},
	}
}
