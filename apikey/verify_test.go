package apikey_test

import (
	"context"
	"crypto/rand"
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
	"github.com/tenantwall/tenantwall/tenant/tenanttest"
)

// withSecret is a key with the id of another one, and a good checksum.
func withSecret(t testing.TB, s site, key string) string {
	t.Helper()
	var wanted = key[11:27]
	for range 3 {
		other, err := apikey.Generate(s.keys.Format(), &prefixed{text: wanted})
		require.NoError(t, err)
		if other != key {
			require.Equal(t, wanted, other[11:27])
			return other
		}
	}
	t.Fatal("always the same")
	return ""
}

// prefixed is randomness that begins with what a text in base62 is made of.
type prefixed struct{ text string }

func (p *prefixed) Read(b []byte) (int, error) {
	const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	n, err := rand.Read(b)
	for i := range min(n, len(p.text)) {
		b[i] = byte(strings.IndexByte(base62, p.text[i]))
	}
	p.text = p.text[min(n, len(p.text)):]
	return n, err
}

func TestVerifiedKeyCostsNoTrip(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp")
	key, secret := s.mint(t, acme)
	got, err := s.keys.Verify(t.Context(), secret, home)
	require.NoError(t, err)
	assert.Equal(t, key, got)
	s.proxy.Reset()
	for range 100 {
		_, err := s.keys.Verify(t.Context(), secret, home)
		require.NoError(t, err)
	}
	assert.Zero(t, s.proxy.Stats().RoundTrips)
	stats := s.keys.Stats()
	assert.Equal(t, uint64(100), stats.Hits)
	assert.Equal(t, uint64(1), stats.Loads)
	assert.Equal(t, 1, stats.Verified)
}

func TestKeyThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp")
	_, secret := s.mint(t, acme)
	live := s.open(t, func(cfg *apikey.Config) { cfg.Environment = "live" })
	_, err := live.Verify(t.Context(), secret, home)
	require.ErrorIs(t, err, apikey.ErrEnvironment)

	wrong := withSecret(t, s, secret)
	for range 2 {
		for text, want := range map[string]error{
			"":           apikey.ErrMalformed,
			secret[:60]:  apikey.ErrMalformed,
			"notes_test": apikey.ErrMalformed,
			forged(t):    apikey.ErrUnknown,
			wrong:        apikey.ErrUnknown,
		} {
			got, err := s.keys.Verify(t.Context(), text, home)
			require.ErrorIs(t, err, want)
			assert.Equal(t, tenant.CodeUnauthenticated, code(err))
			assert.Zero(t, got)
			assert.NotContains(t, err.Error(), "notes_test_")
		}
		_, err := s.keys.Verify(t.Context(), secret, home)
		require.NoError(t, err)
		_, err = s.keys.Verify(t.Context(), wrong, home)
		require.ErrorIs(t, err, apikey.ErrUnknown, "also when the key with this id is remembered")
	}
}

func TestKeyEndsAtItsTimeThoughItIsRemembered(t *testing.T) {
	t.Parallel()
	s := setUp(t, func(cfg *apikey.Config) { cfg.Connected = func() bool { return true } })
	acme := s.create(t, "acme-corp")
	key, secret := s.mint(t, acme, func(n *apikey.NewKey) { n.ExpiresAt = s.clock.Now().Add(10 * time.Second) })
	_, err := s.keys.Verify(t.Context(), secret, home)
	require.NoError(t, err)
	s.clock.Pass(10*time.Second - time.Microsecond)
	_, err = s.keys.Verify(t.Context(), secret, home)
	require.NoError(t, err)
	s.proxy.Reset()
	s.clock.Pass(time.Microsecond)
	_, err = s.keys.Verify(t.Context(), secret, home)
	require.ErrorIs(t, err, apikey.ErrExpired)
	require.ErrorIs(t, s.keys.CheckKey(t.Context(), acme.ID, key.ID), apikey.ErrExpired)
	assert.Zero(t, s.proxy.Stats().RoundTrips)
	_, _, err = s.keys.Rotate(t.Context(), acme.ID, ada, key.ID, time.Hour)
	require.ErrorIs(t, err, apikey.ErrNotFound)
}

func TestKeyOfATenantThatIsNotActiveIsRefused(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp")
	key, secret := s.mint(t, acme)
	store := tenanttest.NewStore(acme)
	looking := s.open(t, func(cfg *apikey.Config) { cfg.Tenants = store })
	away := s.open(t, func(cfg *apikey.Config) { cfg.Tenants = brokenStore{} })
	for _, keys := range []*apikey.Keys{s.keys, looking} {
		_, err := keys.Verify(t.Context(), secret, home)
		require.NoError(t, err)
	}
	_, err := away.Verify(t.Context(), secret, home)
	assert.Equal(t, tenant.CodeUnavailable, code(err), "nobody is let in when nobody can tell")

	suspended, err := s.catalog.Suspend(t.Context(), acme.ID)
	require.NoError(t, err)
	_, err = s.keys.Verify(t.Context(), secret, home)
	require.NoError(t, err, "what is remembered is as old as the bound says")
	s.keys.ForgetTenant(tenant.NewID())
	_, err = s.keys.Verify(t.Context(), secret, home)
	require.NoError(t, err)
	s.keys.ForgetTenant(acme.ID)
	_, err = s.keys.Verify(t.Context(), secret, home)
	require.ErrorIs(t, err, tenant.ErrSuspended)
	require.ErrorIs(t, s.keys.CheckKey(t.Context(), acme.ID, key.ID), tenant.ErrSuspended)

	_, err = store.SetStatus(acme.ID, suspended.Status)
	require.NoError(t, err)
	_, err = looking.Verify(t.Context(), secret, home)
	require.ErrorIs(t, err, tenant.ErrSuspended, "a store tells at once")
}

type brokenStore struct{}

func (brokenStore) Lookup(context.Context, tenant.Ref) (tenant.Tenant, error) {
	return tenant.Tenant{}, errors.New("the store is away")
}

func TestOneReadsAKeyForAllWhoNeedIt(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp")
	_, secret := s.mint(t, acme)
	wrong := withSecret(t, s, secret)
	const callers = 1000
	var begun atomic.Int64
	hold := func(sql string) {
		for strings.Contains(sql, "WHERE k.id = $1") && begun.Load() < callers {
			time.Sleep(time.Millisecond)
		}
	}
	s.tracer.delay.Store(&hold)
	var group sync.WaitGroup
	for i := range callers {
		group.Go(func() {
			begun.Add(1)
			if i%10 == 0 {
				_, err := s.keys.Verify(t.Context(), wrong, home)
				assert.ErrorIs(t, err, apikey.ErrUnknown, "each is judged by their own secret")
				return
			}
			_, err := s.keys.Verify(t.Context(), secret, home)
			assert.NoError(t, err)
		})
	}
	group.Wait()
	assert.LessOrEqual(t, s.keys.Stats().Loads, uint64(10), "one, and one more for whoever comes behind a wrong secret")
}

func TestReaderThatGivesUpLeavesTheOthersToReadThemselves(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp")
	_, secret := s.mint(t, acme)
	ctx, cancel := context.WithCancel(t.Context())
	s.proxy.Delay(0, time.Hour)
	gone := make(chan error)
	go func() {
		_, err := s.keys.Verify(ctx, secret, home)
		gone <- err
	}()
	for s.keys.Stats().Loads == 0 {
		time.Sleep(time.Millisecond)
	}
	waiting := make(chan error)
	go func() {
		_, err := s.keys.Verify(t.Context(), secret, home)
		waiting <- err
	}()
	impatient, stop := context.WithTimeout(t.Context(), time.Millisecond)
	defer stop()
	_, err := s.keys.Verify(impatient, secret, home)
	assert.Equal(t, tenant.CodeUnavailable, code(err))
	cancel()
	err = <-gone
	assert.Equal(t, tenant.CodeUnavailable, code(err))
	require.ErrorIs(t, err, context.Canceled)
	s.proxy.Delay(0, 0)
	require.NoError(t, <-waiting)
}

func TestRememberedKeyIsVerifiedWithoutAllocating(t *testing.T) { //nolint:paralleltest // it counts the allocations of the process
	s := setUp(t)
	acme := s.create(t, "acme-corp")
	_, secret := s.mint(t, acme)
	ctx := t.Context()
	assert.Zero(t, testing.AllocsPerRun(100, func() { _, _ = s.keys.Verify(ctx, secret, home) }))
}
