package temporalx_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"

	"github.com/tenantwall/tenantwall/temporalx"
	"github.com/tenantwall/tenantwall/tenant"
)

// write writes a note and counts them.
func write(ctx context.Context, tx pgx.Tx, body string) (n int, err error) {
	if _, err := tx.Exec(ctx, `INSERT INTO note (body) VALUES ($1)`, body); err != nil {
		return 0, err
	}
	if err := tx.QueryRow(ctx, `SELECT count(*) FROM note`).Scan(&n); err != nil {
		return 0, err
	}
	switch body {
	case "fails":
		return n, errors.New("no luck")
	case "refused":
		return n, &tenant.Error{Code: tenant.CodeForbidden, Detail: "not this one"}
	case "away":
		return n, tenant.ErrUnavailable
	}
	return n, nil
}

// inTx runs the activity for a tenant.
func (s *site) inTx(t tenant.Tenant, body string) (n int, err error) {
	s.Helper()
	env := suite().NewTestActivityEnvironment()
	env.SetWorkerOptions(worker.Options{BackgroundActivityContext: tenant.NewContext(s.Context(), t)})
	env.RegisterActivityWithOptions(temporalx.InTx(s.db, write), activity.RegisterOptions{Name: "write"})
	value, err := env.ExecuteActivity("write", body)
	if err != nil {
		return 0, err
	}
	require.NoError(s, value.Get(&n))
	return n, nil
}

func TestRow39_AnActivityInATransactionSeesItsTenantAlone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	acme, beta := s.tenant("acme-corp"), s.tenant("beta-industries")
	for i, who := range []tenant.Tenant{acme, acme, beta} {
		n, err := s.inTx(who, "hello")
		require.NoError(t, err)
		assert.Equal(t, []int{1, 2, 1}[i], n)
	}
}

func TestAnActivityInATransactionLeavesNothingWhenItFails(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	acme := s.tenant("acme-corp")
	for body, want := range map[string]struct {
		kind  string
		final bool
	}{
		"fails":   {"", false},
		"refused": {string(tenant.CodeForbidden), true},
		"away":    {string(tenant.CodeUnavailable), false},
	} {
		_, err := s.inTx(acme, body)
		var app *temporal.ApplicationError
		require.ErrorAs(t, err, &app)
		assert.Equal(t, want.kind, app.Type(), body)
		assert.Equal(t, want.final, app.NonRetryable(), body)
	}
	n, err := s.inTx(acme, "hello")
	require.NoError(t, err)
	assert.Equal(t, 1, n, "the others were rolled back")
}

// Row 40.
func TestRow40_AnActivityInATransactionOfATenantThatMayNotIsRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	acme := s.tenant("acme-corp")
	for status, code := range map[tenant.Status]tenant.Code{
		tenant.StatusSuspended: tenant.CodeTenantSuspended, tenant.StatusDeleted: tenant.CodeTenantGone,
	} {
		acme.Status = status
		_, err := s.inTx(acme, "hello")
		got, refused := temporalx.Refused(err)
		assert.True(t, refused, "%v", err)
		assert.Equal(t, code, got)
	}
	_, err := s.inTx(tenant.Tenant{}, "hello")
	got, _ := temporalx.Refused(err)
	assert.Equal(t, tenant.CodeTenantRequired, got)
}
