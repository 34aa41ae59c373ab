package apikey_test

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/apikey"
	"github.com/tenantwall/tenantwall/tenant"
)

// Row 36. Whole keys that were never made reach the database as often as the limit allows
// their address, however many come at once, and push no good key out of memory.
func TestRow36_MadeUpKeysNeitherReachTheDatabaseNorPushOutGoodOnes(t *testing.T) {
	t.Parallel()
	s := setUp(t, func(cfg *apikey.Config) {
		cfg.CacheSize, cfg.RefusedSize = 64, 64
		cfg.Failures = apikey.FailureLimit{Burst: 5, Every: time.Minute}
		cfg.Connected = func() bool { return true }
	})
	acme := s.create(t, "acme-corp")
	_, secret := s.mint(t, acme)
	_, cold := s.mint(t, acme)
	_, err := s.keys.Verify(t.Context(), secret, home)
	require.NoError(t, err)
	before := s.keys.Stats().Loads

	attacker := netip.MustParseAddr("2001:db8:1:2::1")
	var group sync.WaitGroup
	var limited atomic.Int64
	for range 8 {
		group.Go(func() {
			for range 100 {
				attacker := attacker
				if attacker = attacker.Next(); limited.Load()%2 == 0 { // any address of the network
					attacker = attacker.Next()
				}
				_, err := s.keys.Verify(t.Context(), forged(t), attacker)
				switch code(err) {
				case tenant.CodeQuotaExceeded:
					limited.Add(1)
				default:
					assert.ErrorIs(t, err, apikey.ErrUnknown)
				}
				_, err = s.keys.Verify(t.Context(), secret, attacker)
				assert.NoError(t, err, "a good key that is remembered is let in from there too")
			}
		})
	}
	group.Wait()
	stats := s.keys.Stats()
	assert.Equal(t, before+5, stats.Loads, "the database was asked as often as the limit allows")
	assert.Equal(t, int64(795), limited.Load())
	assert.Equal(t, uint64(795), stats.Limited)
	assert.LessOrEqual(t, stats.RefusedKeys, 64)
	assert.Equal(t, 1, stats.Verified)

	_, err = s.keys.Verify(t.Context(), cold, attacker)
	require.ErrorIs(t, err, apikey.ErrTooManyFailures, "one that is not remembered has to wait there")
	var e *tenant.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, time.Minute, e.RetryAfter)
	_, err = s.keys.Verify(t.Context(), cold, home)
	require.NoError(t, err, "but not from elsewhere")
	s.clock.Pass(e.RetryAfter)
	_, err = s.keys.Verify(t.Context(), forged(t), attacker)
	require.ErrorIs(t, err, apikey.ErrUnknown, "time makes up for one failure")
	_, err = s.keys.Verify(t.Context(), forged(t), attacker)
	require.ErrorIs(t, err, apikey.ErrTooManyFailures)
}

// Row 36. Very many made-up keys from very many addresses: all memory stays bounded.
func TestRow36_MemoryIsBoundedWhateverIsMadeUp(t *testing.T) {
	t.Parallel()
	s := setUp(t, func(cfg *apikey.Config) {
		cfg.CacheSize, cfg.RefusedSize, cfg.Failures.Addresses = 16, 100, 50
	})
	acme := s.create(t, "acme-corp")
	_, secret := s.mint(t, acme)
	_, err := s.keys.Verify(t.Context(), secret, home)
	require.NoError(t, err)
	from := netip.MustParseAddr("10.0.0.1")
	for range 500 {
		_, err := s.keys.Verify(t.Context(), forged(t), from)
		require.ErrorIs(t, err, apikey.ErrUnknown)
		from = from.Next()
	}
	stats := s.keys.Stats()
	assert.Equal(t, 1, stats.Verified)
	assert.Equal(t, 100, stats.RefusedKeys)
	assert.Equal(t, 50, stats.Addresses)
	before := stats.Loads
	_, err = s.keys.Verify(t.Context(), secret, home)
	require.NoError(t, err)
	assert.Equal(t, before, s.keys.Stats().Loads, "the good key is there still")

	for range 100 { // ten times as many good ones as there is room for
		_, secret := s.mint(t, acme, func(n *apikey.NewKey) { n.ExpiresAt = s.clock.Now().Add(time.Microsecond) })
		_, err := s.keys.Verify(t.Context(), secret, home)
		require.NoError(t, err)
		s.clock.Pass(time.Second)
	}
	assert.LessOrEqual(t, s.keys.Stats().Verified, 16)
}

// Row 36. A key that was refused is refused from memory the next time, and costs the address
// nothing more.
func TestRow36_RefusedKeyIsRememberedAsOne(t *testing.T) {
	t.Parallel()
	s := setUp(t, func(cfg *apikey.Config) { cfg.Failures.Burst = 3 })
	acme := s.create(t, "acme-corp")
	key, revoked := s.mint(t, acme)
	require.NoError(t, s.keys.Revoke(t.Context(), acme.ID, ada, key.ID))
	unknown := forged(t)
	for range 50 {
		_, err := s.keys.Verify(t.Context(), unknown, home)
		require.ErrorIs(t, err, apikey.ErrUnknown)
		_, err = s.keys.Verify(t.Context(), revoked, home)
		require.ErrorIs(t, err, apikey.ErrRevoked)
	}
	stats := s.keys.Stats()
	assert.Equal(t, uint64(2), stats.Loads)
	assert.Equal(t, uint64(98), stats.RefusedAgain)
	_, good := s.mint(t, acme)
	_, err := s.keys.Verify(t.Context(), good, home)
	require.NoError(t, err)
}

// Many clients behind one address, each with a good key that is not remembered: they wait for
// each other, and none is refused.
func TestGoodKeysAreNoFailures(t *testing.T) {
	t.Parallel()
	s := setUp(t, func(cfg *apikey.Config) { cfg.Failures.Burst = 2 })
	acme := s.create(t, "acme-corp")
	secrets := make([]string, 50)
	for i := range secrets {
		_, secrets[i] = s.mint(t, acme)
	}
	var group sync.WaitGroup
	for _, secret := range secrets {
		group.Go(func() {
			_, err := s.keys.Verify(t.Context(), secret, netip.Addr{})
			assert.NoError(t, err)
		})
	}
	group.Wait()
	assert.Zero(t, s.keys.Stats().Limited)
}
