package rediscache_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tenantwall/tenantwall/internal/localserver"
	"github.com/tenantwall/tenantwall/internal/wire"
	"github.com/tenantwall/tenantwall/tenant"
)

// server is the Redis of the tests that do it no harm, each with a prefix of its own.
var server struct {
	once sync.Once
	*localserver.Redis
	err error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if server.Redis != nil {
		_ = server.Close()
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func serverURL(t testing.TB) string {
	t.Helper()
	server.once.Do(func() {
		server.Redis, server.err = localserver.StartRedis(context.Background(), localserver.RedisConfig{})
	})
	require.NoError(t, server.err)
	return server.URL()
}

// connect is a client as this package wants it.
func connect(t testing.TB, url string) *redis.Client {
	t.Helper()
	opt, err := redis.ParseURL(url)
	require.NoError(t, err)
	opt.ContextTimeoutEnabled = true
	opt.MaxRetries = -1
	client := redis.NewClient(opt)
	t.Cleanup(func() { assert.NoError(t, client.Close()) })
	return client
}

// behindProxy is a client of the shared server whose connections can be cut and delayed.
func behindProxy(t testing.TB) (*redis.Client, *wire.Proxy) {
	t.Helper()
	proxy := wire.NewProxy(t, serverURL(t))
	return connect(t, proxy.URL(serverURL(t))), proxy
}

// patient is behindProxy with a client that by itself would wait for an hour.
func patient(t testing.TB) (*redis.Client, *wire.Proxy) {
	t.Helper()
	proxy := wire.NewProxy(t, serverURL(t))
	opt, err := redis.ParseURL(proxy.URL(serverURL(t)))
	require.NoError(t, err)
	opt.ContextTimeoutEnabled, opt.MaxRetries = true, -1
	opt.DialTimeout, opt.ReadTimeout, opt.WriteTimeout = time.Hour, time.Hour, time.Hour
	client := redis.NewClient(opt)
	t.Cleanup(func() { assert.NoError(t, client.Close()) })
	return client, proxy
}

// inTime demands that f does not wait for who never answers.
func inTime(t testing.TB, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(soon):
		t.Fatal("it waits for a server that hangs")
	}
}

// prefix is one that no other test has.
func prefix() string { return tenant.NewID().String() }

func acme() tenant.Tenant {
	return tenant.Tenant{
		ID: tenant.NewID(), Slug: "acme-corp", Name: `Ünïon "Söhne" & Co`, Status: tenant.StatusActive,
		Plan: "pro", Version: 3, CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC),
	}
}

// soon is how long a test waits for what happens at once.
const soon = 30 * time.Second

func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	require.Eventually(t, f, soon, time.Millisecond, what)
}

// trips counts the commands of a client, each of which is a trip: none is in a pipeline.
type trips struct {
	mu sync.Mutex
	n  int
}

func (c *trips) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c *trips) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		c.mu.Lock()
		c.n++
		c.mu.Unlock()
		return next(ctx, cmd)
	}
}

func (c *trips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (c *trips) take() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer func() { c.n = 0 }()
	return c.n
}
