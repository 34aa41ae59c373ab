package tenant_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
)

func TestTenantIsUsableWhenActiveAlone(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		status tenant.Status
		want   error
	}{
		{tenant.StatusActive, nil},
		{tenant.StatusSuspended, tenant.ErrSuspended},
		{tenant.StatusDeleted, tenant.ErrGone},
		{tenant.StatusProvisioning, tenant.ErrUnavailable},
		{"", tenant.ErrSuspended},
		{"Active", tenant.ErrSuspended},
		{"a status of a later version", tenant.ErrSuspended},
	} {
		err := tenant.Tenant{ID: tenant.NewID(), Status: test.status}.Usable()
		if test.want == nil {
			assert.NoError(t, err, "status %q", test.status)
			continue
		}
		assert.ErrorIs(t, err, test.want, "status %q", test.status)
	}
	require.ErrorIs(t, tenant.Tenant{Status: tenant.StatusActive}.Usable(), tenant.ErrRequired, "a tenant without an id")
}

func TestTenantIsReadFromTheJSONThatItWrites(t *testing.T) {
	t.Parallel()
	id, err := tenant.ParseID(idText)
	require.NoError(t, err)
	want := tenant.Tenant{
		ID: id, Slug: "acme-corp", Name: "Acme Corp", Status: tenant.StatusActive, Plan: "pro", Version: 3,
		CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	text, err := json.Marshal(want)
	require.NoError(t, err)
	assert.JSONEq(t, `{"id":"`+idText+`","slug":"acme-corp","name":"Acme Corp","status":"active","plan":"pro","version":3,`+
		`"created_at":"2026-01-02T03:04:05Z"}`, string(text))
	var got tenant.Tenant
	require.NoError(t, json.Unmarshal(text, &got))
	assert.Equal(t, want, got)
}
