package quota_test

import (
	"context"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tenantwall/tenantwall/internal/localserver"
	"github.com/tenantwall/tenantwall/quota"
)

func TestMain(m *testing.M) {
	if runAsProcess() {
		return
	}
	goleak.VerifyTestMain(m)
}

// startRedis starts a Redis for one test.
func startRedis(t testing.TB) *localserver.Redis {
	t.Helper()
	server, err := localserver.StartRedis(context.Background(), localserver.RedisConfig{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	return server
}

// dial makes a client as NewRedis wants it.
func dial(t testing.TB, addr, password string) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: addr, Password: password, ContextTimeoutEnabled: true, MaxRetries: -1})
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return client
}

// dialPatient is dial for a client that by itself would wait for a minute.
func dialPatient(t testing.TB, addr, password string) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{
		Addr: addr, Password: password, ContextTimeoutEnabled: true, MaxRetries: -1,
		DialTimeout: time.Minute, ReadTimeout: time.Minute, WriteTimeout: time.Minute,
	})
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return client
}

func newRedis(t testing.TB, client redis.UniversalClient) *quota.Redis {
	t.Helper()
	backend, err := quota.NewRedis(client, quota.RedisConfig{})
	require.NoError(t, err)
	return backend
}

// openRedis is a backend on a Redis of the test's own.
func openRedis(t testing.TB) *quota.Redis {
	t.Helper()
	server := startRedis(t)
	return newRedis(t, dial(t, server.Addr(), server.Password()))
}

func openMiniredis(t testing.TB) *quota.Redis {
	t.Helper()
	server := miniredis.NewMiniRedis()
	require.NoError(t, server.Start())
	t.Cleanup(server.Close)
	return newRedis(t, dial(t, server.Addr(), ""))
}

func openCluster(t testing.TB) *quota.Redis {
	t.Helper()
	cluster, err := localserver.StartRedisCluster(context.Background(), 3)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, cluster.Close()) })
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: cluster.Addrs(), Password: cluster.Password(), ContextTimeoutEnabled: true})
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return newRedis(t, client)
}
