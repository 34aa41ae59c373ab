package accesstoken_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/accesstoken"
)

// fixedWorld is the same in each process, because the fuzzer's workers are others than the
// one that made the seeds: a key, a tenant and ids of tokens that anybody can know.
func fixedWorld(f *testing.F) *world {
	f.Helper()
	key, err := accesstoken.ParseKey([]byte(rfcKey))
	require.NoError(f, err)
	acme, err := tenant.ParseID("01890a5d-ac96-774b-bcce-b302099a8057")
	require.NoError(f, err)
	w := &world{clock: new(clock), key: key, keys: newKeys(f, accesstoken.KeySet{Signing: key}), acme: acme}
	w.verifier = w.newVerifier(f, accesstoken.VerifierConfig{})
	w.issuer = w.newIssuer(f, accesstoken.IssuerConfig{Random: strings.NewReader(strings.Repeat("not random enough", 100))})
	return w
}

// FuzzVerify: whoever has no key gets no token past the verifier, and of the good ones
// there is one spelling. A fuzzer has no key, so what is accepted must be, to the byte, one
// of the tokens that the issuer made.
func FuzzVerify(f *testing.F) {
	w := fixedWorld(f)
	good := make(map[string]bool)
	for range 3 {
		token := w.token(f)
		good[token] = true
		f.Add(token)
	}
	for _, attack := range attacks(f, w) {
		if len(attack.token) <= accesstoken.MaxTokenLen {
			f.Add(attack.token)
		}
	}
	f.Fuzz(func(t *testing.T, token string) {
		for range 2 { // the second time, it may be remembered
			claims, err := w.verifier.Verify(t.Context(), token)
			if err != nil {
				require.False(t, good[token])
				require.Zero(t, claims)
				continue
			}
			require.True(t, good[token], "%q", token)
			require.Equal(t, w.ada(), claims.Principal)
		}
	})
}

// FuzzClaims: what the right key has signed is either refused or understood in one way:
// a user with an id, within the time, and a tenant only together with a version.
func FuzzClaims(f *testing.F) {
	w := fixedWorld(f)
	token := w.token(f)
	header := headerOf(f, token)
	f.Add(claimsOf(f, token))
	for _, attack := range onTheClaims(f, w, token) {
		f.Add(claimsOf(f, attack.token))
	}
	key, _, err := w.issuer.IssueKey(w.export(), start.Add(time.Minute))
	require.NoError(f, err)
	f.Add(claimsOf(f, key))
	f.Fuzz(func(t *testing.T, text string) {
		claims, err := w.verifier.Verify(t.Context(), forge(t, w.key, header, text))
		if err != nil {
			require.Zero(t, claims)
			return
		}
		require.NotEmpty(t, claims.Principal.ID)
		require.NotEmpty(t, claims.TokenID)
		who := claims.Principal
		if who.Kind == tenant.Key {
			require.False(t, who.Tenant.IsZero())
			require.Zero(t, claims.MembershipVersion)
			require.Empty(t, who.Role+who.Email)
			return
		}
		require.Equal(t, tenant.User, who.Kind)
		require.Empty(t, who.Scopes)
		require.Equal(t, claims.Principal.Tenant.IsZero(), claims.MembershipVersion == 0)
		if claims.Principal.Tenant.IsZero() {
			require.Empty(t, claims.Principal.Role)
		}
		now := w.clock.now()
		require.True(t, claims.ExpiresAt.After(now.Add(-accesstoken.DefaultLeeway)))
		require.False(t, claims.IssuedAt.After(now.Add(accesstoken.DefaultLeeway)))
		require.LessOrEqual(t, claims.ExpiresAt.Sub(claims.IssuedAt), accesstoken.MaxLifetime)
		require.Less(t, claims.ExpiresAt.Sub(now), accesstoken.MaxLifetime+time.Minute)
	})
}
