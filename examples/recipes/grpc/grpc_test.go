package grpc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tenantwall/tenantwall/tenant"
)

func TestEachCodeHasItsPlaceAmongThoseOfTheProtocol(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../../../tenant/errors.go")
	require.NoError(t, err)
	all := regexp.MustCompile(`Code = "([a-z_]+)"`).FindAllSubmatch(source, -1)
	require.Greater(t, len(all), 20)
	for _, found := range all {
		assert.NotEqual(t, codes.Unknown, codeOf(tenant.Code(found[1])), "%s", found[1])
	}
}

func TestAnErrorSaysWhatAClientMaySee(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]string{
		fmt.Errorf("query: %w", context.Canceled):                                  "Canceled: cancelled",
		fmt.Errorf("query: %w", context.DeadlineExceeded):                          "DeadlineExceeded: deadline exceeded",
		errors.New("relation does not exist"):                                      "Internal: internal error",
		fmt.Errorf("look up: %w", tenant.ErrSuspended):                             "PermissionDenied: the tenant is suspended",
		&tenant.Error{Code: tenant.CodeUnavailable, Err: context.DeadlineExceeded}: "Unavailable: unavailable",
		&tenant.Error{
			Code: tenant.CodeValidationFailed, Fields: []tenant.FieldError{{Field: "title", Message: "is empty"}},
		}: "InvalidArgument: validation_failed; title: is empty",
	} {
		assert.Equal(t, want, fmt.Sprintf("%s: %s", status.Code(asStatus(err)), status.Convert(asStatus(err)).Message()))
	}
}
