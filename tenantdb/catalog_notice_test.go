package tenantdb_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// notices are the tenants that OnChange was told of.
type notices struct {
	mu  sync.Mutex
	all []tenant.Tenant
}

func (n *notices) add(_ context.Context, t tenant.Tenant) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, t)
}

func (n *notices) take() []tenant.Tenant {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := n.all
	n.all = nil
	return all
}

// Row 21, row 22: what a cache is told when it must forget a tenant.
func TestOnChangeIsToldOfEachCommittedChange(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	var told notices
	catalog := s.catalog(func(c *tenantdb.CatalogConfig) {
		c.OnChange = told.add
		c.GracePeriod = time.Nanosecond
	})
	it := created(t, catalog, "acme-corp")
	assert.Equal(t, []tenant.Tenant{it}, told.take(), "created")

	for name, change := range map[string]func() (tenant.Tenant, error){
		"renamed":   func() (tenant.Tenant, error) { return catalog.Rename(t.Context(), it.ID, "acme") },
		"name":      func() (tenant.Tenant, error) { return catalog.SetName(t.Context(), it.ID, "Other") },
		"plan":      func() (tenant.Tenant, error) { return catalog.SetPlan(t.Context(), it.ID, "pro") },
		"suspended": func() (tenant.Tenant, error) { return catalog.Suspend(t.Context(), it.ID) },
	} {
		changed, err := change()
		require.NoError(t, err, name)
		assert.Equal(t, []tenant.Tenant{changed}, told.take(), name)
		_, err = change()
		require.NoError(t, err, name)
		assert.Empty(t, told.take(), "%s again changes nothing", name)
	}
	before, err := catalog.Lookup(t.Context(), tenant.ByID(it.ID))
	require.NoError(t, err)
	require.NoError(t, catalog.GiveLogin(t.Context(), it.ID, "its own secret"))
	require.NoError(t, catalog.GiveLogin(t.Context(), it.ID, "another secret"))
	require.NoError(t, catalog.TakeLogin(t.Context(), it.ID))
	require.NoError(t, catalog.TakeLogin(t.Context(), it.ID))
	logins := told.take()
	require.Len(t, logins, 2, "given and taken")
	assert.Equal(t, before.Version+1, logins[0].Version)
	assert.Equal(t, before.Version+2, logins[1].Version)

	deleted, err := catalog.Delete(t.Context(), it.ID)
	require.NoError(t, err)
	_, err = catalog.Delete(t.Context(), it.ID)
	require.NoError(t, err)
	assert.Equal(t, []tenant.Tenant{deleted}, told.take())
	time.Sleep(time.Millisecond)
	_, err = catalog.Purge(t.Context(), 1)
	require.NoError(t, err)
	purged := told.take()
	require.Len(t, purged, 1)
	assert.Equal(t, deleted.Version+1, purged[0].Version)
	assert.Equal(t, tenant.StatusDeleted, purged[0].Status)
}

func TestOnChangeIsNotToldOfWhatDidNotHappen(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	var told notices
	catalog := s.catalog(func(c *tenantdb.CatalogConfig) { c.OnChange = told.add })
	n := acme()
	n.Seed = func(context.Context, pgx.Tx, tenant.Tenant) error { return errors.New("no seed") }
	_, err := catalog.Create(t.Context(), n)
	require.ErrorContains(t, err, "no seed")
	assert.Empty(t, told.take(), "a creation that failed")

	n.Seed = nil
	_, err = catalog.Create(t.Context(), n)
	require.NoError(t, err)
	assert.Len(t, told.take(), 1)
	_, err = catalog.Create(t.Context(), n)
	require.NoError(t, err)
	assert.Empty(t, told.take(), "found, not created")

	other := created(t, catalog, "other")
	told.take()
	_, err = catalog.Rename(t.Context(), other.ID, n.Slug)
	require.ErrorIs(t, err, tenant.ErrSlugTaken)
	assert.Empty(t, told.take(), "refused")
}

func TestOnChangeIsToldAfterTheCommit(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	witness := s.catalog()
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	catalog := s.catalog(func(c *tenantdb.CatalogConfig) {
		c.OnChange = func(ctx context.Context, told tenant.Tenant) {
			calls++
			cancel() // a caller who has gone is no reason to keep what is stale
			assert.NoError(t, ctx.Err())
			_, bounded := ctx.Deadline()
			assert.True(t, bounded)
			seen, err := witness.Lookup(ctx, tenant.ByID(told.ID))
			assert.NoError(t, err)
			assert.Equal(t, told, seen)
		}
	})
	_, err := catalog.Create(ctx, acme())
	require.NoError(t, err)
	assert.Equal(t, 1, calls)
}

func TestAPanicOfOnChangeDoesNotBreakTheChange(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	var log bytes.Buffer
	catalog := s.catalog(func(c *tenantdb.CatalogConfig) {
		c.Logger = slog.New(slog.NewTextHandler(&log, nil))
		c.OnChange = func(context.Context, tenant.Tenant) { panic("no bus") }
	})
	it := created(t, catalog, "acme-corp")
	suspended, err := catalog.Suspend(t.Context(), it.ID)
	require.NoError(t, err)
	assert.Equal(t, tenant.StatusSuspended, suspended.Status)
	assert.Contains(t, log.String(), "no bus")
	assert.Contains(t, log.String(), it.ID.String())
}
