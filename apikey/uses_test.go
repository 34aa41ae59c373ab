package apikey_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/apikey"
	"github.com/tenantwall/tenantwall/tenant"
)

// usedAt is when a key was used last, as the database knows.
func (s site) usedAt(t *testing.T, key apikey.Key) time.Time {
	t.Helper()
	got, err := s.keys.Get(t.Context(), key.TenantID, key.ID)
	require.NoError(t, err)
	return got.LastUsedAt
}

// writes are the statements that have written down uses.
func (s site) writes() int {
	n := 0
	for _, sql := range s.tracer.take() {
		if strings.Contains(sql, "SET last_used_at") {
			n++
		}
	}
	return n
}

// Row 35. However many requests come with however many keys, they write nothing; all is
// written at once, and what a process loses that ends without it is the last flush.
func TestRow35_UsesAreWrittenTogether(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme, beta := s.create(t, "acme-corp"), s.create(t, "beta-corp")
	var made []apikey.Key
	var secrets []string
	for range 10 {
		for _, in := range []tenant.Tenant{acme, beta} {
			key, secret := s.mint(t, in)
			made, secrets = append(made, key), append(secrets, secret)
		}
	}
	unused, _ := s.mint(t, acme)
	s.tracer.take()
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 100 {
				for _, secret := range secrets {
					_, err := s.keys.Verify(t.Context(), secret, home)
					assert.NoError(t, err)
				}
			}
		})
	}
	group.Wait()
	s.clock.Pass(time.Second)
	for _, secret := range secrets { // read again, as after each bound
		_, err := s.keys.Verify(t.Context(), secret, home)
		require.NoError(t, err)
	}
	assert.Zero(t, s.writes(), "16,000 requests wrote nothing")
	for _, key := range made {
		assert.Zero(t, s.usedAt(t, key))
	}
	s.tracer.take()
	require.NoError(t, s.keys.Close())
	assert.Equal(t, 1, s.writes(), "20 keys are one statement")
	for _, key := range made {
		assert.Equal(t, s.clock.Now().UTC().Truncate(time.Microsecond), s.usedAt(t, key), "the last use, not the first")
	}
	assert.Zero(t, s.usedAt(t, unused))
	require.NoError(t, s.keys.Close(), "again")
	assert.Equal(t, uint64(1), s.keys.Stats().Flushes)
}

// Row 35. The background writes without being asked.
func TestRow35_UsesAreWrittenDownInTheBackground(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp")
	keys := s.open(t, func(cfg *apikey.Config) { cfg.FlushEvery = time.Second })
	key, secret := s.mint(t, acme)
	_, err := keys.Verify(t.Context(), secret, home)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return !s.usedAt(t, key).IsZero() }, 10*time.Second, 20*time.Millisecond)
}

// Row 35. A use that could not be written waits for the next time.
func TestRow35_UsesOutliveADatabaseThatIsAway(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp")
	key, secret := s.mint(t, acme)
	keys := s.open(t, func(cfg *apikey.Config) { cfg.FlushEvery = time.Second })
	_, err := keys.Verify(t.Context(), secret, home)
	require.NoError(t, err)
	s.proxy.Cut()
	require.Eventually(t, func() bool { return keys.Stats().FlushErrors > 0 }, 10*time.Second, 10*time.Millisecond)
	s.proxy.Restore()
	require.Eventually(t, func() bool { return !s.usedAt(t, key).IsZero() }, 10*time.Second, 20*time.Millisecond)

	_, err = s.keys.Verify(t.Context(), secret, home)
	require.NoError(t, err)
	s.proxy.Cut()
	require.ErrorContains(t, s.keys.Close(), "uses of 1 keys")
}

// Two processes write in whatever order: the later use stays.
func TestLaterUseStays(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp")
	key, secret := s.mint(t, acme)
	early := s.open(t)
	_, err := early.Verify(t.Context(), secret, home)
	require.NoError(t, err)
	s.clock.Pass(time.Hour)
	_, err = s.keys.Verify(t.Context(), secret, home)
	require.NoError(t, err)
	require.NoError(t, s.keys.Close())
	require.NoError(t, early.Close())
	assert.Equal(t, s.clock.Now().UTC().Truncate(time.Microsecond), s.usedAt(t, key))
}

// Row 35. When very many keys wait, they are written before their time; but not again and
// again, when the database is away.
func TestRow35_ManyUsesAreWrittenEarlyAndNotInALoop(t *testing.T) {
	t.Parallel()
	var writes atomic.Int64
	end := apikey.FullUses(func() error {
		writes.Add(1)
		return errors.New("the database is away")
	})
	require.Eventually(t, func() bool { return writes.Load() == 1 }, 10*time.Second, time.Millisecond)
	assert.Never(t, func() bool { return writes.Load() > 1 }, 100*time.Millisecond, 10*time.Millisecond)
	require.Error(t, end())
	assert.EqualValues(t, 2, writes.Load())
}
