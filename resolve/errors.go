package resolve

import (
	"errors"
	"fmt"
	"time"

	"github.com/tenantwall/tenantwall/tenant"
)

// What a resolver finds wrong with a request, for [errors.Is]. Those that it returns may
// say more in their Detail.
var (
	ErrInvalid  = &tenant.Error{Code: tenant.CodeTenantInvalid, Detail: "the request names its tenant by something malformed"}
	ErrConflict = &tenant.Error{Code: tenant.CodeTenantConflict, Detail: "the request names more than one tenant: its host, headers and path must agree"}
	ErrMismatch = &tenant.Error{Code: tenant.CodeTenantMismatch, Detail: "the credential is not for the tenant that the request names, or that tenant has another slug now"}
)

// invalid is an ErrInvalid that says what is malformed. It must not repeat the text.
func invalid(format string, args ...any) error {
	return &tenant.Error{Code: tenant.CodeTenantInvalid, Detail: fmt.Sprintf(format, args...)}
}

// sourceError is what a source's error means for the client.
func sourceError(err error) error {
	if _, told := errors.AsType[*tenant.Error](err); told {
		return err
	}
	if errors.Is(err, tenant.ErrBadSlug) || errors.Is(err, tenant.ErrBadID) {
		return invalid("%v", err)
	}
	return fmt.Errorf("which tenant a request names: %w", err)
}

// storeError is what a store's error means for the client. One of its own codes stays;
// any other says that the store could not tell, which says nothing about the tenant.
func storeError(err error) error {
	if _, told := errors.AsType[*tenant.Error](err); told {
		return err
	}
	return &tenant.Error{
		Code:       tenant.CodeUnavailable,
		Detail:     "the tenant can't be looked up at the moment; try again",
		RetryAfter: time.Second,
		Err:        err,
	}
}
