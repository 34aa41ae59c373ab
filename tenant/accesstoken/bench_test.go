package accesstoken_test

import (
	"crypto/ed25519"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/accesstoken"
)

// BenchmarkVerify is a token that is verified, by the algorithm of its key, and one that
// was seen before. The case "floor" is the signature of Ed25519 alone.
func BenchmarkVerify(b *testing.B) {
	for _, alg := range []accesstoken.Algorithm{accesstoken.EdDSA, accesstoken.ES256, accesstoken.RS256} {
		b.Run("cold/"+string(alg), func(b *testing.B) {
			w := newWorld(b)
			require.NoError(b, w.keys.Replace(accesstoken.KeySet{Signing: newKey(b, alg)}))
			verify(b, w.newVerifier(b, accesstoken.VerifierConfig{CacheSize: -1, Now: w.clock.now}), w.token(b))
		})
	}
	b.Run("floor/EdDSA", func(b *testing.B) {
		w := newWorld(b)
		parts := strings.Split(w.token(b), ".")
		message, signature := []byte(parts[0]+"."+parts[1]), []byte(decode(b, parts[2]))
		public := private(b, w.key).(ed25519.PrivateKey).Public().(ed25519.PublicKey)
		b.ReportAllocs()
		for b.Loop() {
			if !ed25519.Verify(public, message, signature) {
				b.Fatal("refused")
			}
		}
	})
	b.Run("cached", func(b *testing.B) {
		w := newWorld(b)
		w.issuer = w.newIssuer(b, accesstoken.IssuerConfig{Now: time.Now})
		verify(b, w.newVerifier(b, accesstoken.VerifierConfig{Now: time.Now}), w.token(b))
	})
	b.Run("cached, all cores", func(b *testing.B) {
		w := newWorld(b)
		w.issuer = w.newIssuer(b, accesstoken.IssuerConfig{Now: time.Now})
		verifier := w.newVerifier(b, accesstoken.VerifierConfig{Now: time.Now})
		token := w.token(b)
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := verifier.Verify(b.Context(), token); err != nil {
					b.Error(err)
				}
			}
		})
	})
	b.Run("a MiB", func(b *testing.B) {
		w := newWorld(b)
		long := strings.Repeat("A", 1<<20)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := w.verifier.Verify(b.Context(), long); err == nil {
				b.Fatal("accepted")
			}
		}
	})
}

func verify(b *testing.B, v *accesstoken.Verifier, token string) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkIssue is a token that is made.
func BenchmarkIssue(b *testing.B) {
	w := newWorld(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := w.issuer.Issue(w.ada(), 3); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMiddleware is what the middleware adds to a request with a token that was seen
// before, with and without the question for the membership.
func BenchmarkMiddleware(b *testing.B) {
	w := newWorld(b)
	members := &membership{clock: w.clock, bound: time.Hour, version: 3}
	for name, cfg := range map[string]accesstoken.AuthenticateConfig{
		"token":            {Required: true},
		"token and member": {Required: true, Members: members},
	} {
		b.Run(name, func(b *testing.B) {
			handler := accesstoken.Authenticate(w.verifier, cfg)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if _, ok := tenant.PrincipalFromContext(r.Context()); !ok {
					panic("nobody")
				}
			}))
			r := get("/v1/notes", "Authorization", "Bearer "+w.token(b))
			response := httptest.NewRecorder()
			b.ReportAllocs()
			for b.Loop() {
				handler.ServeHTTP(response, r)
			}
			require.Equal(b, http.StatusOK, response.Code)
		})
	}
}
