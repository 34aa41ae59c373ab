package accesstoken_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant/accesstoken"
)

func TestKeySetThatCantBeIsRefusedAndTheOldOneStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.token(t)
	other := newKey(t, accesstoken.EdDSA)
	var many []accesstoken.AcceptedKey
	for range accesstoken.MaxKeys {
		many = append(many, accesstoken.AcceptedKey{Key: newKey(t, accesstoken.EdDSA).Public()})
	}
	for _, test := range []struct {
		set  accesstoken.KeySet
		want string
	}{
		{accesstoken.KeySet{}, "empty"},
		{accesstoken.KeySet{Signing: other, Accepted: many}, "17 keys"},
		{accesstoken.KeySet{Signing: other, Next: other.Public()}, "twice"},
		{accesstoken.KeySet{Signing: other, Accepted: []accesstoken.AcceptedKey{{Key: other.Public()}}}, "twice"},
		{accesstoken.KeySet{Accepted: []accesstoken.AcceptedKey{{Key: other.Public()}, {Key: other.Public(), NotAfter: start}}}, "twice"},
		{accesstoken.KeySet{Signing: other, Accepted: []accesstoken.AcceptedKey{{}}}, "zero"},
	} {
		require.ErrorContains(t, w.keys.Replace(test.set), test.want)
		keys, err := accesstoken.NewKeys(test.set)
		require.ErrorContains(t, err, test.want)
		assert.Nil(t, keys)
	}
	_, err := w.verifier.Verify(t.Context(), token)
	require.NoError(t, err)
	require.NoError(t, w.keys.Replace(accesstoken.KeySet{Accepted: many}))
}

func TestNextKeyIsAcceptedBeforeItSigns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	next := newKey(t, accesstoken.EdDSA)
	ahead := newWorld(t) // a process that rotates first
	require.NoError(t, ahead.keys.Replace(accesstoken.KeySet{Signing: next}))
	token := ahead.token(t)
	_, err := w.verifier.Verify(t.Context(), token)
	require.ErrorIs(t, err, accesstoken.ErrUnknownKey)
	require.NoError(t, w.keys.Replace(accesstoken.KeySet{Signing: w.key, Next: next.Public()}))
	_, err = w.verifier.Verify(t.Context(), token)
	require.NoError(t, err)
	assert.Contains(t, headerOf(t, w.token(t)), w.key.ID(), "though it does not sign yet")
}

func TestRotateHandsOverAndKeepsTheFormerKeyForItsOverlap(t *testing.T) {
	t.Parallel()
	a, b := newKey(t, accesstoken.EdDSA), newKey(t, accesstoken.ES256)
	gone := accesstoken.AcceptedKey{Key: newKey(t, accesstoken.EdDSA).Public(), NotAfter: start.Add(-1)}
	kept := accesstoken.AcceptedKey{Key: newKey(t, accesstoken.EdDSA).Public(), NotAfter: start}
	forGood := accesstoken.AcceptedKey{Key: newKey(t, accesstoken.EdDSA).Public()}
	set := accesstoken.KeySet{Signing: a, Next: b.Public(), Accepted: []accesstoken.AcceptedKey{gone, kept, forGood}}

	rotated, err := set.Rotate(b, start, time.Hour)
	require.NoError(t, err)
	assert.Equal(t, b.ID(), rotated.Signing.ID())
	assert.True(t, rotated.Next.IsZero())
	assert.Equal(t, []accesstoken.AcceptedKey{{Key: a.Public(), NotAfter: start.Add(time.Hour)}, kept, forGood}, rotated.Accepted)
	assert.Equal(t, a.ID(), set.Signing.ID(), "the set that was is as it was")
	assert.Len(t, set.Accepted, 3)

	rotated, err = set.Rotate(b, start, 0)
	require.NoError(t, err)
	assert.Equal(t, []accesstoken.AcceptedKey{kept, forGood}, rotated.Accepted, "without overlap, the former key is out")
}

func TestRotateRefusesAKeyThatVerifiersDontKnow(t *testing.T) {
	t.Parallel()
	a, b := newKey(t, accesstoken.EdDSA), newKey(t, accesstoken.EdDSA)
	_, err := accesstoken.KeySet{Signing: a}.Rotate(b, start, time.Hour)
	require.ErrorContains(t, err, "let it be Next first")
	_, err = accesstoken.KeySet{Signing: a, Next: b.Public()}.Rotate(a, start, time.Hour)
	require.ErrorContains(t, err, "let it be Next first")
	_, err = accesstoken.KeySet{Signing: a}.Rotate(accesstoken.Key{}, start, time.Hour)
	require.ErrorContains(t, err, "no next key")
	_, err = accesstoken.KeySet{Signing: a, Next: b.Public()}.Rotate(b, start, -1)
	require.ErrorContains(t, err, "negative")
}

// load is a number of users who get tokens and use them, over and over.
type load struct {
	rounds  [4]atomic.Int64 // how often each got through
	refused atomic.Int64
	stop    atomic.Bool
	users   sync.WaitGroup
}

// begin lets the users begin; use is one round of one of them.
func (l *load) begin(use func() error) {
	for i := range l.rounds {
		l.users.Go(func() {
			for !l.stop.Load() {
				if err := use(); err != nil {
					l.refused.Add(1)
				}
				l.rounds[i].Add(1)
				time.Sleep(100 * time.Microsecond) // and lets the others have a turn
			}
		})
	}
}

// pass waits until each user has finished a round that began after the call.
func (l *load) pass() {
	var before [len(l.rounds)]int64
	for i := range l.rounds {
		before[i] = l.rounds[i].Load()
	}
	for i := range l.rounds {
		for l.rounds[i].Load() < before[i]+2 {
			time.Sleep(100 * time.Microsecond)
		}
	}
}

func (l *load) end() {
	l.stop.Store(true)
	l.users.Wait()
}

func TestRotationLosesNoRequestInOneProcess(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var l load
	l.begin(func() error {
		token, _, err := w.issuer.Issue(w.ada(), 1)
		if err != nil {
			return err
		}
		_, err = w.verifier.Verify(t.Context(), token)
		return err
	})
	set := accesstoken.KeySet{Signing: w.key}
	held := map[string]time.Time{w.token(t): w.clock.now()}
	for range 30 {
		next := newKey(t, accesstoken.EdDSA)
		set.Next = next.Public()
		require.NoError(t, w.keys.Replace(set))
		l.pass()
		rotated, err := set.Rotate(next, w.clock.now(), accesstoken.DefaultLifetime+accesstoken.DefaultLeeway)
		require.NoError(t, err)
		set = rotated
		require.NoError(t, w.keys.Replace(set))
		held[w.token(t)] = w.clock.now()
		l.pass()
		w.clock.advance(time.Minute)
		for token, issued := range held {
			if w.clock.now().Sub(issued) > accesstoken.DefaultLifetime {
				delete(held, token)
				continue
			}
			_, err := w.verifier.Verify(t.Context(), token)
			require.NoError(t, err, "a token of %v ago, from a key that signs no more", w.clock.now().Sub(issued))
		}
		l.pass()
	}
	l.end()
	assert.Zero(t, l.refused.Load(), "requests lost in 30 rotations")
	assert.LessOrEqual(t, len(set.Accepted), 11, "former keys are left out in time")
}
