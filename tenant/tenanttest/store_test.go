package tenanttest_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/tenanttest"
)

func TestStoreConforms(t *testing.T) {
	t.Parallel()
	tenanttest.RunStore(t, harness(new(tenanttest.Store)))
}

func harness(s *tenanttest.Store) tenanttest.Harness {
	setStatus := func(status tenant.Status) func(context.Context, tenant.ID) error {
		return func(_ context.Context, id tenant.ID) error {
			_, err := s.SetStatus(id, status)
			return err
		}
	}
	return tenanttest.Harness{
		Store: s,
		Create: func(_ context.Context, t tenant.Tenant) error {
			_, err := s.Put(t)
			return err
		},
		Rename: func(_ context.Context, id tenant.ID, slug tenant.Slug) error {
			_, err := s.Rename(id, slug)
			return err
		},
		Suspend: setStatus(tenant.StatusSuspended),
		Resume:  setStatus(tenant.StatusActive),
		Delete:  func(_ context.Context, id tenant.ID) error { return s.Delete(id) },
		Purge:   func(context.Context, tenant.ID) error { return nil },
		Provision: func(_ context.Context, t tenant.Tenant) error {
			t.Status = tenant.StatusProvisioning
			_, err := s.Put(t)
			return err
		},
		AddDomain: func(_ context.Context, id tenant.ID, domain string) error { return s.AddDomain(id, domain) },
	}
}

func TestPutCompletesATenant(t *testing.T) {
	t.Parallel()
	var store tenanttest.Store
	before := time.Now()
	acme, err := store.Put(tenant.Tenant{Slug: "acme", Name: "Acme", Plan: "pro", Version: 7})
	require.NoError(t, err)
	assert.False(t, acme.ID.IsZero())
	assert.Equal(t, tenant.StatusActive, acme.Status)
	assert.EqualValues(t, 1, acme.Version)
	assert.WithinRange(t, acme.CreatedAt, before, time.Now())

	given := tenant.Tenant{
		ID: tenant.NewID(), Slug: "beta", Status: tenant.StatusSuspended, CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	beta, err := store.Put(given)
	require.NoError(t, err)
	given.Version = 1
	assert.Equal(t, given, beta)
	got, err := store.Lookup(t.Context(), tenant.BySlug("beta"))
	require.NoError(t, err)
	assert.Equal(t, beta, got)
}

func TestPutRefusesWhatIsThere(t *testing.T) {
	t.Parallel()
	store := tenanttest.NewStore(tenant.Tenant{Slug: "acme"})
	acme, err := store.Lookup(t.Context(), tenant.BySlug("acme"))
	require.NoError(t, err)

	_, err = store.Put(tenant.Tenant{Slug: "acme"})
	require.ErrorIs(t, err, tenant.ErrSlugTaken)
	_, err = store.Put(tenant.Tenant{ID: acme.ID, Slug: "other"})
	require.ErrorContains(t, err, acme.ID.String())
	_, err = store.Lookup(t.Context(), tenant.BySlug("other"))
	require.ErrorIs(t, err, tenant.ErrNotFound, "what is refused leaves nothing behind")
	_, err = store.Put(tenant.Tenant{Slug: "Acme"})
	require.ErrorIs(t, err, tenant.ErrBadSlug)
	assert.Panics(t, func() { tenanttest.NewStore(tenant.Tenant{Slug: "a"}) })
}

func TestChangesOfTenantsThatAreNotThereAreRefused(t *testing.T) {
	t.Parallel()
	store := tenanttest.NewStore(tenant.Tenant{Slug: "acme"}, tenant.Tenant{Slug: "beta"})
	acme, err := store.Lookup(t.Context(), tenant.BySlug("acme"))
	require.NoError(t, err)
	require.NoError(t, store.Delete(acme.ID))
	for _, test := range []struct {
		name string
		id   tenant.ID
		want error
	}{
		{"unknown", tenant.NewID(), tenant.ErrNotFound},
		{"zero", tenant.ID{}, tenant.ErrNotFound},
		{"deleted", acme.ID, tenant.ErrGone},
	} {
		_, err := store.Rename(test.id, "other")
		assert.ErrorIs(t, err, test.want, "%s: Rename", test.name)
		_, err = store.SetStatus(test.id, tenant.StatusActive)
		assert.ErrorIs(t, err, test.want, "%s: SetStatus", test.name)
		assert.ErrorIs(t, store.Delete(test.id), test.want, "%s: Delete", test.name)
		assert.ErrorIs(t, store.AddDomain(test.id, "notes.acme.example"), test.want, "%s: AddDomain", test.name)
	}
}

func TestRenameTakesBackASlugOfOnesOwnAlone(t *testing.T) {
	t.Parallel()
	store := tenanttest.NewStore(tenant.Tenant{Slug: "acme"}, tenant.Tenant{Slug: "beta"})
	acme, err := store.Lookup(t.Context(), tenant.BySlug("acme"))
	require.NoError(t, err)
	beta, err := store.Lookup(t.Context(), tenant.BySlug("beta"))
	require.NoError(t, err)

	_, err = store.Rename(acme.ID, "zenith")
	require.NoError(t, err)
	_, err = store.Rename(beta.ID, "acme")
	require.ErrorIs(t, err, tenant.ErrSlugTaken)
	_, err = store.Rename(acme.ID, "Acme")
	require.ErrorIs(t, err, tenant.ErrBadSlug)
	back, err := store.Rename(acme.ID, "acme")
	require.NoError(t, err)
	assert.EqualValues(t, 3, back.Version)
	_, err = store.Lookup(t.Context(), tenant.BySlug("zenith"))
	require.ErrorIs(t, err, tenant.ErrGone)
}

func TestDomainBelongsToOneTenant(t *testing.T) {
	t.Parallel()
	store := tenanttest.NewStore(tenant.Tenant{Slug: "acme"}, tenant.Tenant{Slug: "beta"})
	acme, err := store.Lookup(t.Context(), tenant.BySlug("acme"))
	require.NoError(t, err)
	beta, err := store.Lookup(t.Context(), tenant.BySlug("beta"))
	require.NoError(t, err)
	require.NoError(t, store.AddDomain(acme.ID, "notes.acme.example"))
	require.NoError(t, store.AddDomain(acme.ID, "notes.acme.example"))
	require.Error(t, store.AddDomain(beta.ID, "notes.acme.example"))
	got, err := store.Lookup(t.Context(), tenant.ByDomain("notes.acme.example"))
	require.NoError(t, err)
	assert.Equal(t, acme.ID, got.ID)
}
