package quota_test

import (
	"context"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/localserver"
	"github.com/tenantwall/tenantwall/quota"
)

func startSentinel(t testing.TB) *localserver.RedisSentinel {
	t.Helper()
	s, err := localserver.StartRedisSentinel(context.Background())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// dialMaster makes a client that asks the sentinel who the master is.
func dialMaster(t testing.TB, s *localserver.RedisSentinel) redis.UniversalClient {
	t.Helper()
	client := redis.NewUniversalClient(&redis.UniversalOptions{
		Addrs: []string{s.Sentinel.Addr()}, MasterName: s.MasterName(), Password: s.Password(), SentinelPassword: s.Password(),
		ContextTimeoutEnabled: true, MaxRetries: -1, DialTimeout: time.Minute, ReadTimeout: time.Minute, WriteTimeout: time.Minute,
	})
	require.IsType(t, (*redis.Client)(nil), client)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return client
}

// longest is how long a request may take on a busy machine: far more than the limiter's
// time-out here, and less than the client of [dialMaster] alone would wait.
const longest = 20 * time.Second

// Row 38: while the sentinel changes the master, each limit does as it says; then all is
// counted on, by what the replica had.
func TestRow38_AdmissionGoesOnAfterASentinelHasFailedOver(t *testing.T) {
	t.Parallel()
	for name, failOver := range map[string]func(*testing.T, *localserver.RedisSentinel){
		"when it is told to": func(t *testing.T, s *localserver.RedisSentinel) {
			sentinel := redis.NewSentinelClient(&redis.Options{Addr: s.Sentinel.Addr(), Password: s.Password()})
			defer sentinel.Close()
			require.Eventually(t, func() bool { return sentinel.Failover(t.Context(), s.MasterName()).Err() == nil },
				20*time.Second, 20*time.Millisecond, "once it has heard of the replica that it is well")
		},
		"when the master has crashed": func(t *testing.T, s *localserver.RedisSentinel) {
			require.NoError(t, syscall.Kill(s.Master.PID(), syscall.SIGKILL))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			servers := startSentinel(t)
			client := dialMaster(t, servers)
			l := newLimiter(t, newRedis(t, client), awayPlan(), quota.Config{
				Timeout: 200 * time.Millisecond, RememberDenials: -1, Breaker: quota.BreakerConfig{Failures: 3, Pause: 100 * time.Millisecond},
			})
			acme := newTenant()
			// A busy machine may need longer than the time-out for the first connection.
			require.Eventually(t, func() bool {
				d, err := l.Peek(t.Context(), acme)
				return err == nil && d.Limits[0].Source == quota.SourceBackend
			}, 20*time.Second, 20*time.Millisecond)
			require.Eventually(t, func() bool { return admit(t, l, acme, cost("closed", 4)).Allowed }, 20*time.Second, 20*time.Millisecond)
			slot, _, err := l.Acquire(t.Context(), acme, cost("closed-jobs", 1))
			require.NoError(t, err)
			require.NotNil(t, slot)
			require.NoError(t, client.Do(t.Context(), "WAIT", 1, 10_000).Err(), "the replica has it")
			require.NotContains(t, scriptsRun(t, servers.Replica), "cmdstat_eval:")

			failOver(t, servers)
			replica := dial(t, servers.Replica.Addr(), servers.Password())
			other := newTenant()
			require.Eventually(t, func() bool {
				for _, limit := range []string{"closed", "open"} {
					begun := time.Now()
					d := admit(t, l, other, cost(limit, 1))
					assert.Less(t, time.Since(begun), longest, limit)
					switch d.Source {
					case quota.SourceBackend:
					case quota.SourceClosed:
						assert.Equal(t, "closed", limit)
						assert.False(t, d.Allowed)
					case quota.SourceOpen:
						assert.Equal(t, "open", limit)
						assert.True(t, d.Allowed)
					default:
						t.Errorf("%s is decided by %s", limit, d.Source)
					}
				}
				role, err := replica.Do(t.Context(), "ROLE").Slice()
				return err == nil && role[0] == "master"
			}, 30*time.Second, 20*time.Millisecond, "the sentinel fails over")

			// The old master answers until it learns of the new one, and what it takes is lost.
			require.Eventually(t, func() bool {
				return admit(t, l, acme, cost("closed", 1)).Source == quota.SourceBackend && strings.Contains(scriptsRun(t, servers.Replica), "cmdstat_eval:")
			}, 30*time.Second, 20*time.Millisecond, "the limiter has found the new master, and told it the script")
			d, err := l.Peek(t.Context(), acme)
			require.NoError(t, err)
			closed, _ := d.Limit("closed")
			assert.LessOrEqual(t, closed.Remaining, int64(5), "what was taken of the old master is taken")
			jobs, _ := d.Limit("closed-jobs")
			assert.EqualValues(t, 1, jobs.Remaining, "and a slot that was held is held")
			require.Eventually(t, func() bool { return slot.Release(t.Context()) == nil }, 20*time.Second, 20*time.Millisecond)
		})
	}
}

// scriptsRun is which commands a server has run.
func scriptsRun(t *testing.T, server *localserver.Redis) string {
	t.Helper()
	commands, err := dial(t, server.Addr(), server.Password()).Info(t.Context(), "commandstats").Result()
	require.NoError(t, err)
	return commands
}

// A master that was made a replica takes no writes, and whoever still asks it is to know.
func TestRow38_RedisThatTakesNoWritesIsAway(t *testing.T) {
	t.Parallel()
	servers := startSentinel(t)
	client := dial(t, servers.Replica.Addr(), servers.Password())
	l := newLimiter(t, newRedis(t, client), awayPlan(), quota.Config{Timeout: 5 * time.Second, RememberDenials: -1, Breaker: quota.BreakerConfig{Failures: 3, Pause: time.Minute}})
	checkAway(t, l)
	stats := l.Stats()
	assert.True(t, stats.BreakerOpen)
	assert.EqualValues(t, 3, stats.BackendErrors)
}
