package apikey_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/apikey"
	"github.com/tenantwall/tenantwall/tenant"
)

func TestRotatedKeyWorksUntilTheOverlapEnds(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp")
	expires := s.clock.Now().Add(1000 * time.Hour).UTC().Truncate(time.Microsecond)
	key, secret := s.mint(t, acme, func(n *apikey.NewKey) {
		n.ExpiresAt, n.Metadata = expires, map[string]string{"team": "billing"}
	})
	ben := apikey.Minter{ID: "ben", Scopes: []string{read}}
	next, newer, err := s.keys.Rotate(t.Context(), acme.ID, ben, key.ID, 10*time.Minute)
	require.NoError(t, err)
	want := key
	want.ID, want.CreatedBy = next.ID, "ben"
	assert.Equal(t, want, next, "all but the id is the old one's")
	assert.NotEqual(t, key.ID, next.ID)
	until := s.clock.Now().Add(10 * time.Minute).UTC().Truncate(time.Microsecond)
	for _, text := range []string{secret, string(newer)} {
		_, err := s.keys.Verify(t.Context(), text, home)
		require.NoError(t, err)
	}
	old, err := s.keys.Get(t.Context(), acme.ID, key.ID)
	require.NoError(t, err)
	assert.Equal(t, next.ID, old.ReplacedBy)
	assert.Equal(t, until, old.ExpiresAt)
	assert.Zero(t, old.RevokedAt)
	_, _, err = s.keys.Rotate(t.Context(), acme.ID, ada, key.ID, 0)
	require.ErrorIs(t, err, apikey.ErrNotFound, "it has a successor already")

	s.clock.Pass(10 * time.Minute)
	_, err = s.keys.Verify(t.Context(), secret, home)
	require.ErrorIs(t, err, apikey.ErrExpired)
	_, err = s.keys.Verify(t.Context(), string(newer), home)
	require.NoError(t, err)

	events := s.told(t, acme)
	require.Len(t, events, 2)
	assert.Equal(t, apikey.EventRotated, events[1].Kind)
	assert.Equal(t, map[string]string{"key": key.ID}, events[1].Before)
	assert.Equal(t, map[string]string{"key": next.ID, "by": "ben", "until": until.Format(time.RFC3339Nano)}, events[1].After)
}

// The overlap is whole, however long a change waits for others of the tenant.
func TestOverlapBeginsWhenTheTenantIsHeld(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp")
	key, _ := s.mint(t, acme)
	other, err := s.control.Begin(t.Context())
	require.NoError(t, err)
	_, err = other.Exec(t.Context(), `SELECT FROM tenantwall.tenant WHERE id = $1 FOR UPDATE`, acme.ID)
	require.NoError(t, err)
	rotated := make(chan error, 1)
	go func() {
		_, _, err := s.keys.Rotate(t.Context(), acme.ID, ada, key.ID, time.Minute)
		rotated <- err
	}()
	require.Eventually(t, func() bool {
		var waits bool
		err := s.control.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')`).Scan(&waits)
		return assert.NoError(t, err) && waits
	}, 30*time.Second, 5*time.Millisecond)
	s.clock.Pass(5 * time.Second)
	require.NoError(t, other.Rollback(t.Context()))
	require.NoError(t, <-rotated)
	old, err := s.keys.Get(t.Context(), acme.ID, key.ID)
	require.NoError(t, err)
	assert.Equal(t, s.clock.Now().Add(time.Minute).UTC().Truncate(time.Microsecond), old.ExpiresAt)
}

func TestLeakedKeyIsRotatedAtOnce(t *testing.T) {
	t.Parallel()
	var told atomic.Int64
	s := setUp(t, func(cfg *apikey.Config) { cfg.OnChange = func(tenant.ID, string) { told.Add(1) } })
	acme := s.create(t, "acme-corp")
	key, secret := s.mint(t, acme)
	_, err := s.keys.Verify(t.Context(), secret, home)
	require.NoError(t, err)
	_, newer, err := s.keys.Rotate(t.Context(), acme.ID, ada, key.ID, 0)
	require.NoError(t, err)
	_, err = s.keys.Verify(t.Context(), secret, home)
	require.ErrorIs(t, err, apikey.ErrRevoked)
	_, err = s.keys.Verify(t.Context(), string(newer), home)
	require.NoError(t, err)
	assert.Equal(t, int64(1), told.Load())
	old, err := s.keys.Get(t.Context(), acme.ID, key.ID)
	require.NoError(t, err)
	assert.False(t, old.RevokedAt.IsZero())
}

func TestOverlapIsWithinItsBounds(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp")
	key, _ := s.mint(t, acme, func(n *apikey.NewKey) { n.ExpiresAt = s.clock.Now().Add(time.Hour) })
	for _, overlap := range []time.Duration{-1, apikey.MaxOverlap + 1} {
		_, _, err := s.keys.Rotate(t.Context(), acme.ID, ada, key.ID, overlap)
		assert.Equal(t, tenant.CodeValidationFailed, code(err))
	}
	_, _, err := s.keys.Rotate(t.Context(), acme.ID, apikey.Minter{ID: "\x00"}, key.ID, 0)
	require.ErrorContains(t, err, "id of the minter")
	_, _, err = s.keys.Rotate(t.Context(), acme.ID, ada, key.ID, apikey.MaxOverlap)
	require.NoError(t, err)
	old, err := s.keys.Get(t.Context(), acme.ID, key.ID)
	require.NoError(t, err)
	assert.Equal(t, key.ExpiresAt, old.ExpiresAt, "an overlap makes no key live longer")
	events := s.told(t, acme)
	assert.Equal(t, key.ExpiresAt.Format(time.RFC3339Nano), events[len(events)-1].After["until"], "and the event tells the end that it has")
}

func TestScopesThatTheProductHasNoMoreAreNotRotated(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp")
	both, _ := s.mint(t, acme, func(n *apikey.NewKey) { n.Scopes = []string{read, write} })
	gone, _ := s.mint(t, acme, func(n *apikey.NewKey) { n.Scopes = []string{write} })
	later := s.open(t, func(cfg *apikey.Config) { cfg.Scopes = []string{read} })
	next, _, err := later.Rotate(t.Context(), acme.ID, ada, both.ID, 0)
	require.NoError(t, err)
	assert.Equal(t, []string{read}, next.Scopes)
	_, _, err = later.Rotate(t.Context(), acme.ID, ada, gone.ID, 0)
	assert.Equal(t, tenant.CodeValidationFailed, code(err))
}

// A service changes over while its clients go on: of all requests, with whatever key is the
// newest by then and in each of two processes, none is refused.
func TestRotationUnderLoadRefusesNoRequest(t *testing.T) {
	t.Parallel()
	s := setUp(t, func(cfg *apikey.Config) { cfg.Now, cfg.TTL = nil, 5*time.Millisecond })
	other := s.open(t, func(cfg *apikey.Config) { cfg.Now, cfg.TTL = nil, 5*time.Millisecond })
	acme := s.create(t, "acme-corp")
	key, secret := s.mint(t, acme)
	var current atomic.Pointer[string]
	current.Store(&secret)
	var done atomic.Bool
	var requests [8]atomic.Int64 // of each client
	var group sync.WaitGroup
	defer group.Wait()
	defer done.Store(true)
	for i := range requests {
		keys := []*apikey.Keys{s.keys, other}[i%2]
		group.Go(func() {
			for !done.Load() {
				_, err := keys.Verify(t.Context(), *current.Load(), home)
				assert.NoError(t, err)
				requests[i].Add(1)
				time.Sleep(100 * time.Microsecond)
			}
		})
	}
	pass := func() { // until each client has made a request from its beginning to its end
		for i := range requests {
			for end := requests[i].Load() + 2; requests[i].Load() < end; {
				time.Sleep(100 * time.Microsecond)
			}
		}
	}
	for range 20 {
		next, newer, err := s.keys.Rotate(t.Context(), acme.ID, ada, key.ID, time.Hour)
		require.NoError(t, err)
		pass() // the clients have the old one still
		text := string(newer)
		key = next
		current.Store(&text)
		pass()
	}
}
