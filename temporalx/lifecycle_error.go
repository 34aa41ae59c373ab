package temporalx

import (
	"errors"

	"go.temporal.io/sdk/temporal"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// toldDetails are what an error of Temporal keeps of a [*tenant.Error], besides code and
// detail. The cause stays behind: it may hold what a history is not to keep.
type toldDetails struct {
	Code   tenant.Code         `json:"code"`
	Status int                 `json:"status,omitempty"`
	Fields []tenant.FieldError `json:"fields,omitempty"`
}

// toTemporal is an activity's error as Temporal is told of it: one that an API client may
// see, with its code as the type, is final unless it says that a later attempt may help.
func toTemporal(err error) error {
	if e, ok := errors.AsType[*tenant.Error](err); ok {
		return temporal.NewApplicationErrorWithOptions(e.Detail, string(e.Code), temporal.ApplicationErrorOptions{
			Category:       temporal.ApplicationErrorCategoryBenign, // for the client to know, not for the log
			NonRetryable:   e.Code != tenant.CodeUnavailable && e.Code != tenant.CodeInternal,
			NextRetryDelay: e.RetryAfter,
			Details:        []any{toldDetails{Code: e.Code, Status: e.Status, Fields: e.Fields}},
		})
	}
	for _, final := range []error{tenantdb.ErrIDTaken, tenantdb.ErrNotDeleted} {
		if errors.Is(err, final) {
			return temporal.NewNonRetryableApplicationError(err.Error(), "tenantdb", nil)
		}
	}
	return err
}

// fromTemporal gives back the [*tenant.Error] that a workflow or activity has ended with,
// if it is one; the error of Temporal is its cause.
func fromTemporal(err error) error {
	app, ok := errors.AsType[*temporal.ApplicationError](err)
	if !ok {
		return err
	}
	var told toldDetails
	if app.Details(&told) != nil || told.Code == "" || string(told.Code) != app.Type() {
		return err
	}
	return &tenant.Error{Code: told.Code, Detail: app.Message(), Status: told.Status, Fields: told.Fields, Err: err}
}
