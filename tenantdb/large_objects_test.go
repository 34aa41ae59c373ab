package tenantdb_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// A tenant's session may make large objects, which belong to its role and to no schema.
func TestLargeObjectsAreNoFindingAndGoWithTheirTenant(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	clock := newClock()
	catalog := s.catalog(clock.in)
	gone, kept := created(t, catalog, "gone"), created(t, catalog, "kept")
	db := openOn(t, s.pool(s.gatewayURL()))
	const many = 300 // more than are removed in one transaction
	for who, n := range map[tenant.Tenant]int{gone: many, kept: 2} {
		_, err := db.Exec(as(t, who), `SELECT lo_from_bytea(0, 'secret') FROM generate_series(1, $1)`, n)
		require.NoError(t, err)
	}
	err := db.InTx(as(t, kept), func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `SELECT lo_get(oid) FROM pg_largeobject_metadata ORDER BY lomowner = current_user::regrole LIMIT 1`)
		return err
	})
	assertCode(t, "42501", err, "another tenant's large object")

	findings, err := tenantdb.Audit(t.Context(), s.connect(s.gatewayURL()))
	require.NoError(t, err, "one tenant's SELECT must not keep the service from starting")
	assert.Empty(t, findings)

	_, err = catalog.Delete(t.Context(), gone.ID)
	require.NoError(t, err)
	clock.now = clock.now.Add(2 * time.Hour)
	purged, err := catalog.Purge(t.Context(), 1)
	require.NoError(t, err)
	assert.Equal(t, []tenant.ID{gone.ID}, purged)
	assert.Equal(t, remains{"deleted", 1, 0, 0}, s.left(gone.ID))
	var left int
	require.NoError(t, s.connect(s.url).QueryRow(t.Context(), `SELECT count(*) FROM pg_largeobject_metadata`).Scan(&left))
	assert.Equal(t, 2, left, "those of the other tenant")
}
