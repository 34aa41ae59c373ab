package tenantdb_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/wire"
)

func TestPingNeedsNoTenantAndTellsWhenTheServerIsAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	proxy := wire.NewProxy(t, w.url)
	db := openOn(t, w.pool(w.gatewayURL(proxy.URL), 1))
	require.NoError(t, db.Ping(t.Context()))
	proxy.Reset()
	require.NoError(t, db.Ping(t.Context()))
	assert.Equal(t, 1, proxy.Stats().RoundTrips)
	proxy.Cut()
	require.ErrorContains(t, db.Ping(t.Context()), "tenantdb: ping: ")
	proxy.Restore()
	require.NoError(t, db.Ping(t.Context()))
}
