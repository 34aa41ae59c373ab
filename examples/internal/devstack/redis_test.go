package devstack

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/localserver"
	"github.com/tenantwall/tenantwall/resolve/rediscache"
	"github.com/tenantwall/tenantwall/tenant"
)

func startRedis(t *testing.T, cfg RedisConfig) *Redis {
	t.Helper()
	r, err := StartRedis(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, r.Close()) })
	return r
}

// requireShared demands that a server is good for what the examples use it for.
func requireShared(t *testing.T, r *Redis) {
	t.Helper()
	shared, err := rediscache.NewShared(r.Client(), rediscache.SharedConfig{})
	require.NoError(t, err)
	acme := tenant.Tenant{ID: tenant.NewID(), Slug: "acme-corp", Status: tenant.StatusActive, Version: 1}
	require.NoError(t, shared.Set(t.Context(), tenant.BySlug("acme-corp"), acme, 0))
	for _, ref := range []tenant.Ref{tenant.BySlug("acme-corp"), tenant.ByID(acme.ID)} {
		got, _, found, err := shared.Get(t.Context(), ref)
		require.NoError(t, err)
		assert.True(t, found && got == acme, "%v", ref)
	}
	require.NoError(t, shared.Forget(t.Context(), acme.ID, 2))
	_, _, found, err := shared.Get(t.Context(), tenant.BySlug("acme-corp"))
	require.NoError(t, err)
	assert.False(t, found)
}

func TestAnEmbeddedRedisIsStarted(t *testing.T) {
	t.Parallel()
	r := startRedis(t, RedisConfig{})
	assert.Regexp(t, `^embedded, at 127\.0\.0\.1:\d+$`, r.String())
	requireShared(t, r)
}

func TestARedisThatExistsIsUsed(t *testing.T) {
	t.Parallel()
	server, err := localserver.StartRedis(t.Context(), localserver.RedisConfig{})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Close()) })
	r := startRedis(t, RedisConfig{URL: server.URL()})
	assert.Equal(t, "at "+server.Addr(), r.String(), "without its password")
	requireShared(t, r)
}

func TestARedisThatIsAwayStopsNothing(t *testing.T) {
	t.Parallel()
	r := startRedis(t, RedisConfig{URL: "redis://:secret-word@127.0.0.1:1/0"})
	require.Error(t, r.Client().Ping(t.Context()).Err())
	_, err := StartRedis(t.Context(), RedisConfig{URL: "http://:secret-word@127.0.0.1:1/0"})
	require.ErrorContains(t, err, "REDIS_URL")
	assert.NotContains(t, err.Error(), "secret-word")
}

func TestWithoutRedisInstalledAnImitationRuns(t *testing.T) {
	t.Parallel()
	r := &Redis{}
	url, err := r.imitate()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, r.Close()) })
	assert.Contains(t, r.String(), "no redis-server is installed")
	requireShared(t, startRedis(t, RedisConfig{URL: url}))
}
