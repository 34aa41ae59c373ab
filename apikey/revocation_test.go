package apikey_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/apikey"
	"github.com/tenantwall/tenantwall/tenant"
)

// Row 34. In the process that revokes, a key is refused at once; in another one within the
// bound, and never past it, whether or not a bus is said to be there.
func TestRow34_RevokedKeyIsRefusedWithinTheBound(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp")
	var connected atomic.Bool
	for name, test := range map[string]struct {
		change func(*apikey.Config)
		bound  time.Duration
	}{
		"as it is":                 {func(*apikey.Config) {}, apikey.DefaultTTL},
		"at most":                  {func(cfg *apikey.Config) { cfg.TTL = apikey.MaxTTL }, apikey.MaxTTL},
		"a bus that is not there":  {func(cfg *apikey.Config) { cfg.Connected = func() bool { return false } }, apikey.DefaultTTL},
		"a bus":                    {func(cfg *apikey.Config) { cfg.Connected = func() bool { return true } }, apikey.MaxConnectedTTL},
		"a bus that is lost later": {func(cfg *apikey.Config) { cfg.Connected = connected.Load }, apikey.DefaultTTL},
	} {
		other := s.open(t, test.change)
		key, secret := s.mint(t, acme)
		for _, keys := range []*apikey.Keys{s.keys, other} {
			connected.Store(true)
			_, err := keys.Verify(t.Context(), secret, home)
			require.NoError(t, err, name)
		}
		require.NoError(t, s.keys.Revoke(t.Context(), acme.ID, ada, key.ID))
		_, err := s.keys.Verify(t.Context(), secret, home)
		require.ErrorIs(t, err, apikey.ErrRevoked, name)
		require.ErrorIs(t, s.keys.CheckKey(t.Context(), acme.ID, key.ID), apikey.ErrRevoked)

		connected.Store(false)
		s.clock.Pass(test.bound - 1)
		_, err = other.Verify(t.Context(), secret, home)
		require.NoError(t, err, "%s: believed for the bound", name)
		s.clock.Pass(1)
		_, err = other.Verify(t.Context(), secret, home)
		require.ErrorIs(t, err, apikey.ErrRevoked, "%s: and no longer", name)
	}
}

// Row 34. What was read without the bus is not believed the longer for its return: nobody
// has told what happened meanwhile.
func TestRow34_BusThatIsBackVouchesForNothingThatWasReadWithoutIt(t *testing.T) {
	t.Parallel()
	var connected atomic.Bool
	s := setUp(t, func(cfg *apikey.Config) { cfg.Connected = connected.Load })
	acme := s.create(t, "acme-corp")
	key, secret := s.mint(t, acme)
	_, err := s.keys.Verify(t.Context(), secret, home)
	require.NoError(t, err)
	require.NoError(t, s.open(t).Revoke(t.Context(), acme.ID, ada, key.ID))
	connected.Store(true)
	s.clock.Pass(apikey.DefaultTTL)
	_, err = s.keys.Verify(t.Context(), secret, home)
	require.ErrorIs(t, err, apikey.ErrRevoked)
}

// Row 34. What a message of the bus does: the next use reads the key again.
func TestRow34_ForgottenKeyIsReadAgain(t *testing.T) {
	t.Parallel()
	s := setUp(t, func(cfg *apikey.Config) { cfg.Connected = func() bool { return true } })
	acme := s.create(t, "acme-corp")
	other := s.open(t)
	for name, forget := range map[string]func(key apikey.Key){
		"Forget":       func(key apikey.Key) { s.keys.Forget(key.ID) },
		"ForgetTenant": func(key apikey.Key) { s.keys.ForgetTenant(key.TenantID) },
		"ForgetAll":    func(apikey.Key) { s.keys.ForgetAll() },
	} {
		key, secret := s.mint(t, acme)
		_, err := s.keys.Verify(t.Context(), secret, home)
		require.NoError(t, err)
		require.NoError(t, other.Revoke(t.Context(), acme.ID, ada, key.ID))
		_, err = s.keys.Verify(t.Context(), secret, home)
		require.NoError(t, err, "the bus has not told yet")
		forget(key)
		_, err = s.keys.Verify(t.Context(), secret, home)
		require.ErrorIs(t, err, apikey.ErrRevoked, name)
	}
}

// verifyAside verifies a key beside the test, and gives the answer.
func (s site) verifyAside(t testing.TB, secret string) (answer <-chan error) {
	answers := make(chan error, 1)
	go func() {
		_, err := s.keys.Verify(t.Context(), secret, home)
		answers <- err
	}()
	return answers
}

// verifyHeld is verifyAside, with the key's first read held behind its end: the row is here,
// and says that the key is good. It goes on when it is told to.
func (s site) verifyHeld(t testing.TB, secret string) (goOn func(), answer <-chan error) {
	reached, released := make(chan struct{}), make(chan struct{})
	var held atomic.Bool
	hold := func(sql string) {
		if strings.Contains(sql, "WHERE k.id = $1") && held.CompareAndSwap(false, true) {
			close(reached)
			<-released
		}
	}
	s.tracer.delay.Store(&hold)
	answer = s.verifyAside(t, secret)
	<-reached
	return func() { close(released) }, answer
}

// Row 34. A request that is reading a key while it is revoked is refused too, and leaves
// nothing behind that lets the next one in.
func TestRow34_RevocationOvertakesAReadThatIsUnderWay(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp")
	key, secret := s.mint(t, acme)
	goOn, first := s.verifyHeld(t, secret)
	second := s.verifyAside(t, secret) // who waits for that read
	require.NoError(t, s.keys.Revoke(t.Context(), acme.ID, ada, key.ID))
	_, err := s.keys.Verify(t.Context(), secret, home)
	require.ErrorIs(t, err, apikey.ErrRevoked, "while the other is at it still")
	goOn()
	require.ErrorIs(t, <-first, apikey.ErrRevoked)
	require.ErrorIs(t, <-second, apikey.ErrRevoked)
	_, err = s.keys.Verify(t.Context(), secret, home)
	require.ErrorIs(t, err, apikey.ErrRevoked)
}

// Row 34. With the database away, a key is believed to the bound and not a moment longer.
func TestRow34_NobodyIsLetInPastTheBoundWhenTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp")
	key, secret := s.mint(t, acme)
	_, err := s.keys.Verify(t.Context(), secret, home)
	require.NoError(t, err)
	s.proxy.Cut()
	_, err = s.keys.Verify(t.Context(), secret, home)
	require.NoError(t, err)
	s.clock.Pass(apikey.DefaultTTL)
	for range 40 { // it is no failure of the address's
		_, err = s.keys.Verify(t.Context(), secret, home)
		require.Equal(t, tenant.CodeUnavailable, code(err))
	}
	assert.Equal(t, tenant.CodeUnavailable, code(s.keys.CheckKey(t.Context(), acme.ID, key.ID)))
	_, err = s.keys.Verify(t.Context(), forged(t), home)
	assert.Equal(t, tenant.CodeUnavailable, code(err))
	s.proxy.Restore()
	_, err = s.keys.Verify(t.Context(), secret, home)
	require.NoError(t, err)
	assert.Equal(t, uint64(42), s.keys.Stats().Unavailable)
}

// Row 34. What such a read has brought is not remembered for a moment either, in which
// another request could find it.
func TestRow34_OvertakenReadLeavesNothingInMemory(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp")
	key, secret := s.mint(t, acme)
	reached, goOn := make(chan struct{}), make(chan struct{})
	hold := func(sql string) {
		if strings.Contains(sql, "WHERE k.id = $1") {
			reached <- struct{}{}
			<-goOn
		}
	}
	s.tracer.delay.Store(&hold)
	answer := s.verifyAside(t, secret)
	<-reached
	require.NoError(t, s.keys.Revoke(t.Context(), acme.ID, ada, key.ID))
	goOn <- struct{}{}
	<-reached // the key is being read again
	impatient, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	_, err := s.keys.Verify(impatient, secret, home)
	require.ErrorIs(t, err, context.DeadlineExceeded, "nothing is known until then")
	goOn <- struct{}{}
	require.ErrorIs(t, <-answer, apikey.ErrRevoked)
}

// Row 34. The same for a read that has taken so long that another one was begun, and has
// ended, before the key is revoked.
func TestRow34_RevocationOvertakesAReadThatAnotherHasOvertaken(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp")
	key, secret := s.mint(t, acme)
	goOn, answer := s.verifyHeld(t, secret)
	s.clock.Pass(apikey.DefaultTTL)
	_, err := s.keys.Verify(t.Context(), secret, home)
	require.NoError(t, err, "nobody waits for a read that hangs")
	require.NoError(t, s.keys.Revoke(t.Context(), acme.ID, ada, key.ID))
	goOn()
	require.ErrorIs(t, <-answer, apikey.ErrRevoked)
}

// What a read brings that another has overtaken is older than what is known by then.
func TestOvertakenReadReplacesNothing(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp")
	_, secret := s.mint(t, acme)
	goOn, answer := s.verifyHeld(t, secret)
	s.clock.Pass(apikey.DefaultTTL)
	_, err := s.keys.Verify(t.Context(), secret, home)
	require.NoError(t, err)
	goOn()
	require.NoError(t, <-answer)
	s.clock.Pass(apikey.DefaultTTL - 1)
	_, err = s.keys.Verify(t.Context(), secret, home)
	require.NoError(t, err)
	assert.EqualValues(t, 2, s.keys.Stats().Loads, "what the second has read is good still")
}

func TestReadsThatHaveEndedAreNotKept(t *testing.T) {
	t.Parallel()
	assert.Equal(t, 1, apikey.ReadsKept(1000))
}

// Row 34. Nobody knows whether a commit was done whose answer was lost. So the key is read
// again, and others are told.
func TestRow34_KeyIsForgottenWhenTheAnswerToTheCommitIsLost(t *testing.T) {
	t.Parallel()
	told := make(chan string, 1)
	s := setUp(t, func(cfg *apikey.Config) { cfg.OnChange = func(_ tenant.ID, keyID string) { told <- keyID } })
	acme := s.create(t, "acme-corp")
	key, secret := s.mint(t, acme)
	_, err := s.keys.Verify(t.Context(), secret, home)
	require.NoError(t, err)
	past, err := pgx.Connect(t.Context(), s.url)
	require.NoError(t, err)
	defer past.Close(context.WithoutCancel(t.Context()))

	lose := func(sql string) { // behind the last statement before the commit
		if strings.Contains(sql, "INSERT INTO tenantwall.event") {
			s.proxy.Delay(0, time.Hour)
		}
	}
	s.tracer.delay.Store(&lose)
	failed := make(chan error, 1)
	go func() { failed <- s.keys.Revoke(t.Context(), acme.ID, ada, key.ID) }()
	require.Eventually(t, func() bool {
		var revoked bool
		err := past.QueryRow(t.Context(), `SELECT revoked_at IS NOT NULL FROM tenantwall.api_key WHERE id = $1`, key.ID).Scan(&revoked)
		return assert.NoError(t, err) && revoked
	}, 10*time.Second, time.Millisecond)
	s.proxy.Cut()
	require.Error(t, <-failed)
	require.Len(t, told, 1, "others are told")
	assert.Equal(t, key.ID, <-told)
	s.proxy.Delay(0, 0)
	s.proxy.Restore()
	_, err = s.keys.Verify(t.Context(), secret, home)
	require.ErrorIs(t, err, apikey.ErrRevoked)
}
