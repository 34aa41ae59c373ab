package tenant_test

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
)

func TestErrorIsEveryOtherWithItsCode(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("open notes: %w", &tenant.Error{Code: tenant.CodeTenantGone, Detail: "acme was deleted", Err: io.EOF})
	assert.ErrorIs(t, err, tenant.ErrGone)
	assert.NotErrorIs(t, err, tenant.ErrNotFound)
	assert.ErrorIs(t, err, io.EOF, "and what caused it")
	assert.NotErrorIs(t, err, (*tenant.Error)(nil))
	assert.NotErrorIs(t, io.EOF, tenant.ErrGone)

	var e *tenant.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, "acme was deleted", e.Detail)
}

func TestErrorTextIsForLogs(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err  *tenant.Error
		want string
	}{
		{&tenant.Error{}, "internal"},
		{&tenant.Error{Code: tenant.CodeForbidden}, "forbidden"},
		{&tenant.Error{Code: tenant.CodeForbidden, Detail: "owners only"}, "forbidden: owners only"},
		{&tenant.Error{Code: tenant.CodeInternal, Err: io.EOF}, "internal: EOF"},
		{&tenant.Error{Code: "note_not_found", Detail: "no such note", Err: errors.New("no rows")}, "note_not_found: no such note: no rows"},
	} {
		assert.EqualError(t, test.err, test.want)
	}
}

func TestErrorsByCodeTellClientsNothingOfTheInside(t *testing.T) {
	t.Parallel()
	for _, err := range []*tenant.Error{
		tenant.ErrRequired, tenant.ErrNotFound, tenant.ErrGone, tenant.ErrSuspended, tenant.ErrUnavailable, tenant.ErrSlugTaken,
	} {
		assert.NotEmpty(t, err.Code)
		assert.NotEmpty(t, err.Detail)
		assert.NotRegexp(t, `context|middleware|schema|SQL`, err.Detail, "%s", err.Code)
	}
	assert.ErrorContains(t, tenant.ErrRequired, "middleware", "but the log says what may be wrong")
	assert.Equal(t, time.Second, tenant.ErrUnavailable.RetryAfter)
}
