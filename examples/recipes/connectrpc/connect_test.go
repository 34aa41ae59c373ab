package connectrpc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"testing"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
)

func TestEachCodeHasItsPlaceAmongThoseOfTheProtocol(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../../../tenant/errors.go")
	require.NoError(t, err)
	all := regexp.MustCompile(`Code = "([a-z_]+)"`).FindAllSubmatch(source, -1)
	require.Greater(t, len(all), 20)
	for _, found := range all {
		assert.NotEqual(t, connect.CodeUnknown, codeOf(tenant.Code(found[1])), "%s", found[1])
	}
}

func TestAnErrorSaysWhatAClientMaySee(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]string{
		fmt.Errorf("query: %w", context.Canceled):                                  "canceled: cancelled",
		fmt.Errorf("query: %w", context.DeadlineExceeded):                          "deadline_exceeded: deadline exceeded",
		errors.New("relation does not exist"):                                      "internal: internal error",
		fmt.Errorf("look up: %w", tenant.ErrSuspended):                             "permission_denied: the tenant is suspended",
		&tenant.Error{Code: tenant.CodeUnavailable, Err: context.DeadlineExceeded}: "unavailable: unavailable",
		&tenant.Error{
			Code: tenant.CodeValidationFailed, Fields: []tenant.FieldError{{Field: "title", Message: "is empty"}},
		}: "invalid_argument: validation_failed; title: is empty",
	} {
		assert.EqualError(t, asConnect(err), want)
	}
}
