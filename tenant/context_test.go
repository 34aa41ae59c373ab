package tenant_test

import (
	"context"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
)

func active(slug tenant.Slug) tenant.Tenant {
	return tenant.Tenant{ID: tenant.NewID(), Slug: slug, Status: tenant.StatusActive, Version: 1}
}

func TestContextCarriesItsTenant(t *testing.T) {
	t.Parallel()
	acme, beta := active("acme"), active("beta")
	ctx := tenant.NewContext(t.Context(), acme)
	got, ok := tenant.FromContext(ctx)
	assert.True(t, ok)
	assert.Equal(t, acme, got)

	inner := tenant.NewContext(ctx, beta)
	got, ok = tenant.FromContext(inner)
	assert.True(t, ok)
	assert.Equal(t, beta, got, "the inner tenant replaces the outer one")
	got, _ = tenant.FromContext(ctx)
	assert.Equal(t, acme, got, "and leaves the outer context alone")
}

func TestContextWithATenantKeepsWhatTheOuterOneHas(t *testing.T) {
	t.Parallel()
	outer, cancel := context.WithCancelCause(tenant.NewRequestIDContext(t.Context(), "r1"))
	inner, stop := context.WithCancel(tenant.NewContext(outer, active("acme")))
	defer stop()
	assert.Equal(t, "r1", tenant.RequestIDFromContext(inner))
	assert.NoError(t, inner.Err())
	cancel(io.EOF)
	<-inner.Done()
	assert.Equal(t, io.EOF, context.Cause(inner))
	_, ok := tenant.FromContext(inner)
	assert.True(t, ok)
}

func TestRow15_ContextWithoutTenantIsRefused(t *testing.T) {
	t.Parallel()
	for name, ctx := range map[string]context.Context{
		"empty":           t.Context(),
		"the zero tenant": tenant.NewContext(t.Context(), tenant.Tenant{}),
		"a tenant without an id": tenant.NewContext(t.Context(),
			tenant.Tenant{Slug: "acme", Status: tenant.StatusActive}),
		"a tenant taken back": tenant.NewContext(tenant.NewContext(t.Context(), active("acme")), tenant.Tenant{}),
	} {
		_, ok := tenant.FromContext(ctx)
		assert.False(t, ok, name)
		got, err := tenant.Require(ctx)
		require.ErrorIs(t, err, tenant.ErrRequired, name)
		assert.Zero(t, got, name)
	}
}

func TestRequireLooksAtTheStatus(t *testing.T) {
	t.Parallel()
	acme := active("acme")
	got, err := tenant.Require(tenant.NewContext(t.Context(), acme))
	require.NoError(t, err)
	assert.Equal(t, acme, got)

	acme.Status = tenant.StatusSuspended
	ctx := tenant.NewContext(t.Context(), acme)
	got, err = tenant.Require(ctx)
	require.ErrorIs(t, err, tenant.ErrSuspended)
	assert.Zero(t, got, "a tenant that may not be worked for is not handed out")
	_, ok := tenant.FromContext(ctx)
	assert.True(t, ok, "but it can be asked for")
}

func TestContextCarriesItsPrincipal(t *testing.T) {
	t.Parallel()
	ada := tenant.Principal{Kind: tenant.User, ID: "u1", Email: "ada@acme.example", Role: "owner"}
	got, ok := tenant.PrincipalFromContext(tenant.NewPrincipalContext(t.Context(), ada))
	assert.True(t, ok)
	assert.Equal(t, ada, got)

	_, ok = tenant.PrincipalFromContext(t.Context())
	assert.False(t, ok)
	_, ok = tenant.PrincipalFromContext(tenant.NewPrincipalContext(t.Context(), tenant.Principal{ID: "u1"}))
	assert.False(t, ok, "a principal of no kind is nobody")
}

func TestContextCarriesItsRequestID(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "r1", tenant.RequestIDFromContext(tenant.NewRequestIDContext(t.Context(), "r1")))
	assert.Empty(t, tenant.RequestIDFromContext(t.Context()))
}

func TestPrincipalHasTheScopesThatItNames(t *testing.T) {
	t.Parallel()
	p := tenant.Principal{Kind: tenant.Key, Scopes: []string{"notes:read", "notes:write"}}
	assert.True(t, p.HasScope("notes:read"))
	for _, scope := range []string{"", "notes", "notes:", "notes:*", "*", "NOTES:READ", "notes:read ", "notes:read notes:write"} {
		assert.False(t, p.HasScope(scope), "%q", scope)
	}
	assert.False(t, tenant.Principal{}.HasScope(""))
}
