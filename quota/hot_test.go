package quota_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/quota"
	"github.com/tenantwall/tenantwall/tenant"
)

// hotLimit is what a hot tenant has.
const hotLimit = 2000

func hotPlan(lease bool) quota.Plan {
	hot := hourly("hot", hotLimit)
	hot.Lease = lease
	return quota.Plan{Rates: []quota.Rate{hot}}
}

// patient waits for a machine that is busy with other tests.
func patient() quota.Config {
	return quota.Config{Timeout: 10 * time.Second, Lease: quota.LeaseConfig{TTL: time.Minute}}
}

// storm has many goroutines ask until each is refused, and counts what was admitted.
func storm(goroutines int, ask func() (bool, error)) (admitted int64, err error) {
	var count atomic.Int64
	var failed atomic.Value
	var group sync.WaitGroup
	for range goroutines {
		group.Go(func() {
			for {
				ok, err := ask()
				if err != nil {
					failed.Store(err)
				}
				if !ok {
					return
				}
				count.Add(1)
			}
		})
	}
	group.Wait()
	err, _ = failed.Load().(error)
	return count.Load(), err
}

// Row 37: a limit does not over-admit when processes count apart.
func TestRow37_HotTenantOfTwoLimitersGetsExactlyItsLimit(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	for _, lease := range []bool{false, true} {
		t.Run(fmt.Sprintf("leases %t", lease), func(t *testing.T) {
			t.Parallel()
			acme := newTenant()
			var total atomic.Int64
			var trips int64
			var group sync.WaitGroup
			var limiters [2]*quota.Limiter
			for i := range limiters {
				limiters[i] = newLimiter(t, newRedis(t, dial(t, server.Addr(), server.Password())), hotPlan(lease), patient())
				group.Go(func() {
					admitted, err := storm(32, func() (bool, error) {
						d, err := limiters[i].Admit(t.Context(), acme, cost("hot", 1))
						return d.Allowed, err
					})
					assert.NoError(t, err)
					total.Add(admitted)
				})
			}
			group.Wait()
			assert.EqualValues(t, hotLimit, total.Load())
			for _, l := range limiters {
				assert.Zero(t, l.Stats().LeasedTokens)
				trips += l.Stats().BackendCalls
			}
			if lease {
				assert.Less(t, trips, int64(hotLimit*3/4), "many were decided by the process, on a busy machine too")
			}
		})
	}
}

// The variables by which the test binary becomes one of the processes.
const (
	envAddr, envPassword = "QUOTA_TEST_REDIS", "QUOTA_TEST_PASSWORD"
	envTenant, envLease  = "QUOTA_TEST_TENANT", "QUOTA_TEST_LEASE"
)

// runAsProcess is the main function of one of several processes: it storms a hot tenant and
// prints how much it was given.
func runAsProcess() bool {
	addr := os.Getenv(envAddr)
	if addr == "" {
		return false
	}
	admitted, err := stormFrom(addr)
	fmt.Println("admitted", admitted, err)
	return true
}

func stormFrom(addr string) (int64, error) {
	client := redis.NewClient(&redis.Options{Addr: addr, Password: os.Getenv(envPassword), ContextTimeoutEnabled: true, MaxRetries: -1})
	defer client.Close()
	backend, err := quota.NewRedis(client, quota.RedisConfig{})
	if err != nil {
		return 0, err
	}
	plan := hotPlan(os.Getenv(envLease) == "true")
	plan.Name = "free"
	plans, err := quota.NewPlans("free", plan)
	if err != nil {
		return 0, err
	}
	l, err := quota.New(backend, plans, patient())
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close(context.Background()) }()
	id, err := tenant.ParseID(os.Getenv(envTenant))
	if err != nil {
		return 0, err
	}
	return storm(64, func() (bool, error) {
		d, err := l.Admit(context.Background(), tenant.Tenant{ID: id}, cost("hot", 1))
		return d.Allowed, err
	})
}

// Row 37, with real processes.
func TestRow37_HotTenantOfTwoProcessesGetsExactlyItsLimit(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	for _, lease := range []bool{false, true} {
		acme := newTenant()
		outputs := make([]string, 2)
		var group sync.WaitGroup
		for i := range outputs {
			group.Go(func() {
				cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
				cmd.Env = append(os.Environ(), envAddr+"="+server.Addr(), envPassword+"="+server.Password(), envTenant+"="+acme.ID.String(), envLease+"="+strconv.FormatBool(lease))
				out, err := cmd.CombinedOutput()
				assert.NoError(t, err)
				outputs[i] = string(out)
			})
		}
		group.Wait()
		total := 0
		for _, out := range outputs {
			var n int
			_, err := fmt.Sscanf(strings.TrimSpace(out), "admitted %d <nil>", &n)
			require.NoError(t, err, out)
			total += n
		}
		assert.Equal(t, hotLimit, total, "leases %t: %q", lease, outputs)
	}
}
