package tenantdb_test

import (
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

func TestAnotherPackagesEventIsTold(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	pool := s.pool(s.controlURL())
	catalog := s.catalogOn(pool)
	acme := created(t, catalog, "acme-corp")
	want := tenantdb.Event{
		Tenant: acme.ID, Kind: "guest.came", Version: acme.Version, At: time.Date(2030, 1, 2, 3, 4, 5, 6000, time.UTC),
		Before: map[string]string{"at": "home"}, After: map[string]string{"at": "acme"},
	}
	failure := errors.New("changed my mind")
	for _, end := range []error{failure, nil} {
		err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
			require.NoError(t, tenantdb.WriteEvent(t.Context(), tx, want))
			return end
		})
		require.ErrorIs(t, err, end)
	}
	var told []tenantdb.Event
	for e, err := range catalog.Events(t.Context(), tenantdb.EventOptions{Tenant: acme.ID}) {
		require.NoError(t, err)
		if e.Kind == want.Kind {
			told = append(told, e)
		}
	}
	require.Len(t, told, 1, "with the transaction, or not at all")
	assert.Positive(t, told[0].ID)
	told[0].ID = 0
	assert.Equal(t, want, told[0])
}

func TestAnEventThatSaysNothingIsRefused(t *testing.T) {
	t.Parallel()
	whole := tenantdb.Event{Tenant: tenant.NewID(), Kind: "guest.came", Version: 1, At: time.Now()}
	for name, empty := range map[string]func(*tenantdb.Event){
		"no tenant":  func(e *tenantdb.Event) { e.Tenant = tenant.ID{} },
		"no kind":    func(e *tenantdb.Event) { e.Kind = "" },
		"no version": func(e *tenantdb.Event) { e.Version = 0 },
		"no time":    func(e *tenantdb.Event) { e.At = time.Time{} },
	} {
		e := whole
		empty(&e)
		require.ErrorContains(t, tenantdb.WriteEvent(t.Context(), nil, e), "needs a Tenant", name)
	}
}
