package accesstoken_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant/accesstoken"
)

func TestTokenIsGoodWithinItsTimeAndTheLeeway(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		leeway, want time.Duration
	}{
		{0, accesstoken.DefaultLeeway},
		{-1, 0},
		{time.Second, time.Second},
		{accesstoken.MaxLeeway, accesstoken.MaxLeeway},
	} {
		w := newWorld(t)
		later := new(clock)
		verifier := w.newVerifier(t, accesstoken.VerifierConfig{Leeway: test.leeway, Now: later.now})
		token, claims, err := w.issuer.Issue(w.ada(), 1)
		require.NoError(t, err)
		at := func(moment time.Time) error {
			later.offset.Store(int64(moment.Sub(start)))
			_, err := verifier.Verify(t.Context(), token)
			return err
		}
		require.ErrorIs(t, at(claims.IssuedAt.Add(-test.want-1)), accesstoken.ErrNotYetValid, "leeway %v", test.leeway)
		require.NoError(t, at(claims.IssuedAt.Add(-test.want)), "leeway %v", test.leeway)
		require.NoError(t, at(claims.ExpiresAt.Add(test.want-1)), "leeway %v", test.leeway)
		require.ErrorIs(t, at(claims.ExpiresAt.Add(test.want)), accesstoken.ErrExpired, "leeway %v", test.leeway)
	}
}

func TestRow33_TokenSeenBeforeIsRefusedOnceItHasExpired(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.token(t)
	for range 3 {
		_, err := w.verifier.Verify(t.Context(), token)
		require.NoError(t, err)
	}
	w.clock.advance(accesstoken.DefaultLifetime + accesstoken.DefaultLeeway - time.Second)
	_, err := w.verifier.Verify(t.Context(), token)
	require.NoError(t, err, "the last moment but one")
	w.clock.advance(time.Second)
	_, err = w.verifier.Verify(t.Context(), token)
	require.ErrorIs(t, err, accesstoken.ErrExpired)
}

func TestRow33_TokenSeenBeforeIsRefusedOnceItsKeyIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.token(t)
	_, err := w.verifier.Verify(t.Context(), token)
	require.NoError(t, err)

	require.NoError(t, w.keys.Replace(accesstoken.KeySet{Signing: newKey(t, accesstoken.EdDSA)}))
	_, err = w.verifier.Verify(t.Context(), token)
	require.ErrorIs(t, err, accesstoken.ErrUnknownKey)

	until := w.clock.now().Add(time.Minute)
	require.NoError(t, w.keys.Replace(accesstoken.KeySet{Accepted: []accesstoken.AcceptedKey{{Key: w.key.Public(), NotAfter: until}}}))
	w.clock.advance(time.Minute)
	_, err = w.verifier.Verify(t.Context(), token)
	require.NoError(t, err, "the last moment of its key")
	w.clock.advance(1)
	_, err = w.verifier.Verify(t.Context(), token)
	require.ErrorIs(t, err, accesstoken.ErrUnknownKey, "and behind it")
}

func TestTokenSeenBeforeCostsNoSignature(t *testing.T) { //nolint:paralleltest // it counts the allocations of the process
	w := newWorld(t)
	token := w.token(t)
	cost := func(v *accesstoken.Verifier) float64 {
		return testing.AllocsPerRun(100, func() {
			if _, err := v.Verify(t.Context(), token); err != nil {
				panic(err)
			}
		})
	}
	assert.Zero(t, cost(w.verifier))
	assert.NotZero(t, cost(w.newVerifier(t, accesstoken.VerifierConfig{CacheSize: -1})), "the control: without the memory it does")
}

// A token that differs from a good one in what is not signed must not be taken for it.
func TestRefusedTokensAreNotTakenForThoseSeenBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.token(t)
	_, err := w.verifier.Verify(t.Context(), token)
	require.NoError(t, err)
	parts := strings.Split(token, ".")
	for _, other := range []string{parts[0] + "." + parts[1] + ".", parts[0] + "." + parts[1] + "." + strings.Repeat("A", 86), token + "A"} {
		_, err := w.verifier.Verify(t.Context(), other)
		require.Error(t, err)
	}
}

func TestRow25_VerifierGoesOnWhenItsMemoryIsFull(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	verifier := w.newVerifier(t, accesstoken.VerifierConfig{CacheSize: 16})
	var tokens []string
	for range 160 {
		tokens = append(tokens, w.token(t))
	}
	for range 2 {
		for _, token := range tokens {
			claims, err := verifier.Verify(t.Context(), token)
			require.NoError(t, err)
			assert.Equal(t, w.ada(), claims.Principal)
		}
	}
}

func TestVerifierWithoutMemoryVerifiesEachTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	verifier := w.newVerifier(t, accesstoken.VerifierConfig{CacheSize: -1})
	token := w.token(t)
	for range 2 {
		claims, err := verifier.Verify(t.Context(), token)
		require.NoError(t, err)
		assert.Equal(t, w.ada(), claims.Principal)
	}
	_, err := verifier.Verify(t.Context(), token[:len(token)-1])
	require.Error(t, err)
}

func TestVerifierIsUsedByManyAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var users sync.WaitGroup
	for range 8 {
		users.Go(func() {
			for range 30 {
				token, issued, err := w.issuer.Issue(w.ada(), 1)
				if !assert.NoError(t, err) {
					return
				}
				for range 3 {
					claims, err := w.verifier.Verify(t.Context(), token)
					if !assert.NoError(t, err) || !assert.Equal(t, issued, claims) {
						return
					}
				}
			}
		})
	}
	users.Wait()
}

func TestVerifierSaysWhatItCantBeMadeOf(t *testing.T) {
	t.Parallel()
	keys := newKeys(t, accesstoken.KeySet{Signing: newKey(t, accesstoken.EdDSA)})
	for _, test := range []struct {
		keys *accesstoken.Keys
		cfg  accesstoken.VerifierConfig
		want string
	}{
		{nil, accesstoken.VerifierConfig{Issuer: "i", Audience: "a"}, "no keys"},
		{keys, accesstoken.VerifierConfig{Audience: "a"}, "Issuer is not"},
		{keys, accesstoken.VerifierConfig{Issuer: "i"}, "Audience is not"},
		{keys, accesstoken.VerifierConfig{Issuer: "i", Audience: "a", Leeway: accesstoken.MaxLeeway + 1}, "a leeway of"},
		{keys, accesstoken.VerifierConfig{Issuer: "i", Audience: "a", CacheSize: 10_000_001}, "a cache of"},
	} {
		verifier, err := accesstoken.NewVerifier(test.keys, test.cfg)
		require.ErrorContains(t, err, test.want)
		assert.Nil(t, verifier)
	}
}
