package rediscache_test

import (
	"context"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/localserver"
	"github.com/tenantwall/tenantwall/resolve"
	"github.com/tenantwall/tenantwall/resolve/rediscache"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/tenanttest"
)

// clusterProcess is a process with a client of its own of a cluster.
type clusterProcess struct {
	*resolve.Cache
	client *redis.ClusterClient
	shared *rediscache.Shared
	bus    *rediscache.Bus
}

func startInCluster(t testing.TB, cluster *localserver.RedisCluster, store tenant.Store, prefix string) clusterProcess {
	t.Helper()
	client := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: cluster.Addrs(), Password: cluster.Password(), ContextTimeoutEnabled: true,
	})
	t.Cleanup(func() { assert.NoError(t, client.Close()) })
	p := clusterProcess{
		client: client,
		shared: newShared(t, client, rediscache.SharedConfig{Prefix: prefix}),
		bus:    openBus(t, client, rediscache.BusConfig{Prefix: prefix}),
	}
	p.Cache = newCache(t, store, p.shared, p.bus)
	return p
}

func startCluster(t testing.TB) *localserver.RedisCluster {
	t.Helper()
	cluster, err := localserver.StartRedisCluster(t.Context(), 3)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, cluster.Close()) })
	return cluster
}

// Prefixes of several services fall on different nodes. All keys of one lie on one node,
// which scripts with several keys ask for.
func TestClusterHasTheSharedLayerAndTheBus(t *testing.T) {
	t.Parallel()
	cluster := startCluster(t)
	nodes := make(map[string]bool)
	for range 4 {
		p := prefix()
		store := tenanttest.NewStore(tenant.Tenant{Slug: "acme-corp"})
		here, there := startInCluster(t, cluster, store, p), startInCluster(t, cluster, store, p)
		connected(t, here.bus, there.bus)
		node, err := here.client.MasterForKey(t.Context(), "{"+p+"}:")
		require.NoError(t, err)
		nodes[node.Options().Addr] = true

		ref, domain := tenant.BySlug("acme-corp"), tenant.ByDomain("notes.acme.example")
		acme, err := here.Lookup(t.Context(), ref)
		require.NoError(t, err)
		require.NoError(t, here.shared.Set(t.Context(), domain, acme, 0))
		for _, ref := range []tenant.Ref{ref, tenant.ByID(acme.ID), domain} {
			got, found := get(t, there.shared, ref)
			assert.True(t, found, "%v", ref)
			assert.Equal(t, acme, got)
		}
		_, err = there.Lookup(t.Context(), ref)
		require.NoError(t, err)
		assert.Zero(t, there.Stats().Loads, "the other one has read it")
		assert.Equal(t, 1, there.coldTrips(t, store, ref), "no node sends it on to another one")

		suspended, err := store.SetStatus(acme.ID, tenant.StatusSuspended)
		require.NoError(t, err)
		here.Put(t.Context(), suspended)
		eventually(t, "the other one is told", func() bool {
			got, err := there.Lookup(context.Background(), ref)
			return err == nil && got.Status == tenant.StatusSuspended
		})
		require.NoError(t, there.shared.Forget(t.Context(), acme.ID, suspended.Version+1))
		wantNone(t, here.shared, ref, "outdated")
		require.NoError(t, here.shared.Set(t.Context(), ref, suspended, 0))
		wantNone(t, here.shared, ref, "set again")
		assert.Zero(t, here.Stats().SharedErrors+there.Stats().SharedErrors)
	}
	t.Logf("on %d nodes", len(nodes))
}

// coldTrips is how many trips to any node a look-up takes of which the process knows nothing.
func (p clusterProcess) coldTrips(t testing.TB, store tenant.Store, ref tenant.Ref) int {
	t.Helper()
	var count trips
	require.NoError(t, p.client.ForEachMaster(t.Context(), func(_ context.Context, node *redis.Client) error {
		node.AddHook(&count)
		return nil
	}))
	cache := newCache(t, store, p.shared, nil)
	_, err := cache.Lookup(t.Context(), ref)
	require.NoError(t, err)
	assert.Zero(t, cache.Stats().Loads)
	return count.take()
}

// As with a single server: the bus is lost at once, and the store is asked.
func TestClusterThatIsAwayIsNotNeeded(t *testing.T) {
	t.Parallel()
	cluster := startCluster(t)
	store := tenanttest.NewStore(tenant.Tenant{Slug: "acme-corp"})
	p := startInCluster(t, cluster, store, prefix())
	connected(t, p.bus)
	ref := tenant.BySlug("acme-corp")
	acme, err := p.Lookup(t.Context(), ref)
	require.NoError(t, err)
	require.NoError(t, cluster.Close())
	eventually(t, "it is lost", func() bool { return !p.bus.Connected() })
	_, err = store.SetStatus(acme.ID, tenant.StatusSuspended) // by a process that tells nobody
	require.NoError(t, err)
	eventually(t, "the store is asked again", func() bool {
		got, err := p.Lookup(context.Background(), ref)
		return err == nil && got.Status == tenant.StatusSuspended
	})
}
