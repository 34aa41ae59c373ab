package accesstoken_test

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/accesstoken"
)

// attack is a token that must be refused, and for which reason.
type attack struct {
	name   string
	token  string
	reason error
}

// attacks are tokens of outsiders, who have no key of w, and of insiders, who sign with
// one what its issuer never would.
func attacks(tb testing.TB, w *world) []attack {
	tb.Helper()
	good := w.token(tb)
	all := append(onTheMethod(tb, w, good), onTheHeader(tb, w, good)...)
	all = append(all, onTheClaims(tb, w, good)...)
	return append(all, onTheForm(tb, w, good)...)
}

// onTheMethod are tokens that say by which method they are to be verified.
func onTheMethod(tb testing.TB, w *world, good string) []attack {
	tb.Helper()
	kid := w.key.ID()
	header := func(alg string) string { return fmt.Sprintf(`{"alg":%q,"kid":%q,"typ":"at+jwt"}`, alg, kid) }
	unsigned := func(alg string) string { return encode(header(alg)) + "." + encode(claimsOf(tb, good)) + "." }

	edwards := newKey(tb, accesstoken.EdDSA)
	ecdsa, rsa := newKey(tb, accesstoken.ES256), newKey(tb, accesstoken.RS256)
	signedBy := func(key accesstoken.Key, method jwt.SigningMethod) string {
		signed := strings.TrimSuffix(unsigned(method.Alg()), ".")
		signature, err := method.Sign(signed, private(tb, key))
		require.NoError(tb, err)
		return signed + "." + encode(string(signature))
	}
	publicPEM, err := w.key.Public().MarshalPEM()
	require.NoError(tb, err)
	raw := []byte(private(tb, w.key).(ed25519.PrivateKey).Public().(ed25519.PublicKey))
	der, err := x509.MarshalPKIXPublicKey(ed25519.PublicKey(raw))
	require.NoError(tb, err)

	all := []attack{
		{"alg none, no signature", unsigned("none"), accesstoken.ErrSignature},
		{"alg none, the signature of another token", unsigned("none") + strings.Split(good, ".")[2], accesstoken.ErrSignature},
		{"alg None", unsigned("None"), accesstoken.ErrHeader},
		{"alg NONE", unsigned("NONE"), accesstoken.ErrHeader},
		{"alg empty", unsigned(""), accesstoken.ErrHeader},
		{"alg of no method", unsigned("XX256"), accesstoken.ErrHeader},
		{"alg EdDSA, no signature", unsigned("EdDSA"), accesstoken.ErrSignature},
		{"no alg", encode(`{"kid":"`+kid+`","typ":"at+jwt"}`) + "." + encode(claimsOf(tb, good)) + ".", accesstoken.ErrHeader},
		{"alg that is no string", encode(`{"alg":["EdDSA"],"kid":"`+kid+`","typ":"at+jwt"}`) + "." + encode(claimsOf(tb, good)) + ".", accesstoken.ErrHeader},
		{"the wrong key", signedBy(edwards, jwt.SigningMethodEdDSA), accesstoken.ErrSignature},
		{"ES256 under the id of an Ed25519 key", signedBy(ecdsa, jwt.SigningMethodES256), accesstoken.ErrHeader},
		{"RS256 under the id of an Ed25519 key", signedBy(rsa, jwt.SigningMethodRS256), accesstoken.ErrHeader},
		{"RS512", signedBy(rsa, jwt.SigningMethodRS512), accesstoken.ErrSignature},
		{"PS256", signedBy(rsa, jwt.SigningMethodPS256), accesstoken.ErrSignature},
	}
	for form, secret := range map[string][]byte{"the public key in PEM": publicPEM, "the public key in DER": der, "the bytes of the public key": raw, "nothing": {}} {
		signed := encode(header("HS256")) + "." + encode(claimsOf(tb, good))
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(signed))
		all = append(all, attack{"HS256 with " + form, signed + "." + encode(string(mac.Sum(nil))), accesstoken.ErrSignature})
	}
	return all
}

// onTheHeader are tokens signed with the right key, under a header that is not the key's.
func onTheHeader(tb testing.TB, w *world, good string) []attack {
	tb.Helper()
	mallory := newKey(tb, accesstoken.EdDSA)
	jwk := map[string]any{"kty": "OKP", "crv": "Ed25519", "x": encode(string(private(tb, mallory).(ed25519.PrivateKey).Public().(ed25519.PublicKey)))}
	signed := func(header string) string { return forge(tb, w.key, header, claimsOf(tb, good)) }
	changed := func(name string, value any) string {
		return signed(with(tb, headerOf(tb, good), map[string]any{name: value}))
	}
	byMallory := func(changes map[string]any) string {
		return forge(tb, mallory, with(tb, headerOf(tb, good), changes), claimsOf(tb, good))
	}
	kid := w.key.ID()
	return []attack{
		{"unknown kid", byMallory(map[string]any{"kid": mallory.ID()}), accesstoken.ErrUnknownKey},
		{"unknown kid, right key", changed("kid", "main"), accesstoken.ErrUnknownKey},
		{"no kid", changed("kid", nil), accesstoken.ErrUnknownKey},
		{"empty kid", changed("kid", ""), accesstoken.ErrUnknownKey},
		{"kid that is no string", changed("kid", []string{kid}), accesstoken.ErrUnknownKey},
		{"kid that is a path", changed("kid", "../../dev/null"), accesstoken.ErrUnknownKey},
		{"kid that is SQL", changed("kid", "' UNION SELECT 'key'--"), accesstoken.ErrUnknownKey},
		{"embedded jwk", byMallory(map[string]any{"jwk": jwk}), accesstoken.ErrHeader},
		{"embedded jwk, its own kid", byMallory(map[string]any{"jwk": jwk, "kid": mallory.ID()}), accesstoken.ErrUnknownKey},
		{"embedded jwk, right key", changed("jwk", jwk), accesstoken.ErrHeader},
		{"jku", byMallory(map[string]any{"jku": "https://evil.example/jwks.json"}), accesstoken.ErrHeader},
		{"x5u", byMallory(map[string]any{"x5u": "https://evil.example/cert.pem"}), accesstoken.ErrHeader},
		{"x5c", byMallory(map[string]any{"x5c": []string{"MII"}}), accesstoken.ErrHeader},
		{"crit", changed("crit", []string{"exp"}), accesstoken.ErrHeader},
		{"crit that is empty", changed("crit", []string{}), accesstoken.ErrHeader},
		{"b64 false", changed("b64", false), accesstoken.ErrHeader},
		{"zip", changed("zip", "DEF"), accesstoken.ErrHeader},
		{"of another type", changed("typ", "JWT"), accesstoken.ErrHeader},
		{"an ID token", changed("typ", "id+jwt"), accesstoken.ErrHeader},
		{"of no type", changed("typ", nil), accesstoken.ErrHeader},
		{"alg twice", signed(`{"alg":"none","alg":"EdDSA","kid":"` + kid + `","typ":"at+jwt"}`), accesstoken.ErrHeader},
		{"kid twice", signed(`{"alg":"EdDSA","kid":"x","kid":"` + kid + `","typ":"at+jwt"}`), accesstoken.ErrHeader},
		{"header with spaces", signed(strings.ReplaceAll(headerOf(tb, good), ",", ", ")), accesstoken.ErrHeader},
		{"header that is null", signed("null"), accesstoken.ErrHeader},
		{"header that is a list", signed("[]"), accesstoken.ErrMalformed},
		{"header of nested lists", signed(strings.Repeat("[", 3000) + strings.Repeat("]", 3000)), accesstoken.ErrMalformed},
		{"header with a nested member", signed(`{"x":` + strings.Repeat("[", 2500) + strings.Repeat("]", 2500) + `}`), accesstoken.ErrHeader},
	}
}

// onTheClaims are tokens signed with the right key under the right header, which say what
// no issuer of this service says.
func onTheClaims(tb testing.TB, w *world, good string) []attack {
	tb.Helper()
	claims := claimsOf(tb, good)
	now := w.clock.now().Unix()
	signed := func(claims string) string { return forge(tb, w.key, headerOf(tb, good), claims) }
	changed := func(changes map[string]any) string { return signed(with(tb, claims, changes)) }
	one := func(name string, value any) string { return changed(map[string]any{name: value}) }
	added := func(members string) string { return signed(strings.TrimSuffix(claims, "}") + "," + members + "}") }
	beta := tenant.NewID().String()
	return []attack{
		{"no exp", one("exp", nil), accesstoken.ErrClaims},
		{"exp past", one("exp", now-31), accesstoken.ErrExpired},
		{"exp long past", one("exp", 1), accesstoken.ErrExpired},
		{"exp zero", one("exp", 0), accesstoken.ErrExpired},
		{"exp far away", one("exp", now+3601), accesstoken.ErrClaims},
		{"exp beyond all numbers", signed(strings.Replace(claims, `"exp":`, `"exp":1e300,"was":`, 1)), nil},
		{"exp below all numbers", signed(strings.Replace(claims, `"exp":`, `"exp":-1e300,"was":`, 1)), nil},
		{"exp that is a string", one("exp", "tomorrow"), accesstoken.ErrMalformed},
		{"exp that is null", signed(strings.Replace(claims, `"exp":`, `"exp":null,"was":`, 1)), accesstoken.ErrClaims},
		{"nbf to come", one("nbf", now+31), accesstoken.ErrNotYetValid},
		{"no nbf", one("nbf", nil), accesstoken.ErrClaims},
		{"iat to come", one("iat", now+31), accesstoken.ErrNotYetValid},
		{"no iat", one("iat", nil), accesstoken.ErrClaims},
		{"another aud", one("aud", []string{"https://billing.example.com"}), accesstoken.ErrAudience},
		{"an aud that begins the same", one("aud", audienceName+".evil.example"), accesstoken.ErrAudience},
		{"an aud in upper case", one("aud", strings.ToUpper(audienceName)), accesstoken.ErrAudience},
		{"no aud", one("aud", nil), accesstoken.ErrClaims},
		{"empty aud", one("aud", []string{}), accesstoken.ErrClaims},
		{"aud that is a number", one("aud", 1), accesstoken.ErrMalformed},
		{"another iss", one("iss", "https://evil.example"), accesstoken.ErrIssuer},
		{"an iss with a slash more", one("iss", issuerName+"/"), accesstoken.ErrIssuer},
		{"no iss", one("iss", nil), accesstoken.ErrClaims},
		{"another environment", changed(map[string]any{"iss": "https://auth.staging.example.com", "aud": "https://api.staging.example.com"}), accesstoken.ErrIssuer},
		{"no sub", one("sub", nil), accesstoken.ErrClaims},
		{"empty sub", one("sub", ""), accesstoken.ErrClaims},
		{"sub that is a number", one("sub", 1), accesstoken.ErrMalformed},
		{"no jti", one("jti", nil), accesstoken.ErrClaims},
		{"role without tid", one("tid", nil), accesstoken.ErrClaims},
		{"tid without mver", one("mver", nil), accesstoken.ErrClaims},
		{"mver zero", one("mver", 0), accesstoken.ErrClaims},
		{"mver below zero", one("mver", -1), accesstoken.ErrClaims},
		{"mver beyond all versions", signed(strings.Replace(claims, `"mver":3`, `"mver":9223372036854775808`, 1)), accesstoken.ErrMalformed},
		{"mver that is no whole number", one("mver", 1.5), accesstoken.ErrMalformed},
		{"tid that is a slug", one("tid", "acme-corp"), accesstoken.ErrClaims},
		{"tid in upper case", one("tid", strings.ToUpper(w.acme.String())), accesstoken.ErrClaims},
		{"tid that is the zero id", one("tid", tenant.ID{}.String()), accesstoken.ErrClaims},
		{"tid twice", added(`"tid":"` + beta + `"`), accesstoken.ErrMalformed},
		{"tid twice, once escaped", added(`"t\u0069d":"` + beta + `"`), accesstoken.ErrMalformed},
		{"role twice", added(`"role":"owner"`), accesstoken.ErrMalformed},
		{"exp twice", added(fmt.Sprintf(`"exp":%d`, now+3000)), accesstoken.ErrMalformed},
		{"an unknown claim twice", added(`"x":1,"x":2`), accesstoken.ErrMalformed},
		{"TID in the place of tid", signed(strings.Replace(claims, `"tid"`, `"TID"`, 1)), accesstoken.ErrMalformed},
		{"a TID besides the tid", added(`"TID":"` + beta + `"`), accesstoken.ErrMalformed},
		{"a hundred claims more", added(manyClaims(100)), accesstoken.ErrMalformed},
		{"EXP in the place of exp", signed(strings.Replace(claims, `"exp"`, `"EXP"`, 1)), accesstoken.ErrMalformed},
		{"claims that are a list", signed("[]"), accesstoken.ErrMalformed},
		{"claims that are null", signed("null"), accesstoken.ErrClaims},
		{"claims that are nothing", signed(""), accesstoken.ErrMalformed},
		{"claims that are no JSON", signed("{"), accesstoken.ErrMalformed},
		{"two objects of claims", signed(claims + claims), accesstoken.ErrMalformed},
		{"claims of nested lists", signed(strings.Repeat("[", 3000) + strings.Repeat("]", 3000)), accesstoken.ErrMalformed},
		{"sub of nested objects", one("sub", json.RawMessage(strings.Repeat(`{"a":`, 800)+"1"+strings.Repeat("}", 800))), accesstoken.ErrMalformed},
	}
}

// manyClaims are members of a JSON object.
func manyClaims(n int) string {
	members := make([]string, n)
	for i := range members {
		members[i] = fmt.Sprintf(`"x%d":%d`, i, i)
	}
	return strings.Join(members, ",")
}

// onTheForm are texts that are no token, or not quite.
func onTheForm(tb testing.TB, w *world, good string) []attack {
	tb.Helper()
	part := strings.Split(good, ".")
	changed := func(i int, text string) string {
		parts := append([]string(nil), part...)
		parts[i] = text
		return strings.Join(parts, ".")
	}
	all := []attack{
		{"nothing", "", accesstoken.ErrMalformed},
		{"dots", "..", accesstoken.ErrMalformed},
		{"one part", part[0], accesstoken.ErrMalformed},
		{"two parts", part[0] + "." + part[1], accesstoken.ErrMalformed},
		{"four parts", good + ".", accesstoken.ErrMalformed},
		{"five parts, as when encrypted", good + "." + part[0] + "." + part[1], accesstoken.ErrMalformed},
		{"the signature left out", part[0] + "." + part[1] + ".", accesstoken.ErrSignature},
		{"the signature of another token", changed(2, strings.Split(w.token(tb), ".")[2]), accesstoken.ErrSignature},
		{"the claims of another token", changed(1, strings.Split(w.token(tb), ".")[1]), accesstoken.ErrSignature},
		{"parts in another order", part[1] + "." + part[0] + "." + part[2], accesstoken.ErrHeader},
		{"padding", good + "==", accesstoken.ErrMalformed},
		{"a line break", part[0] + "." + part[1] + ".\n" + part[2], accesstoken.ErrMalformed},
		{"a line break at the end", good + "\r\n", accesstoken.ErrMalformed},
		{"a tab in front", "\t" + good, accesstoken.ErrMalformed},
		{"a NUL", good + "\x00", accesstoken.ErrMalformed},
		{"base64 of the other alphabet", changed(2, strings.Repeat("+/", 43)), accesstoken.ErrMalformed},
		{"letters that are none", strings.ReplaceAll(good, ".", "\uff0e"), accesstoken.ErrMalformed},
		{"a byte more than is read", good + strings.Repeat("A", accesstoken.MaxTokenLen+1-len(good)), accesstoken.ErrMalformed},
		{"a MiB", good + strings.Repeat("A", 1<<20), accesstoken.ErrMalformed},
		{"a MiB of dots", strings.Repeat(".", 1<<20), accesstoken.ErrMalformed},
		{"a MiB of claims, rightly signed", forge(tb, w.key, headerOf(tb, good), with(tb, claimsOf(tb, good), map[string]any{"x": strings.Repeat("x", 1<<20)})), accesstoken.ErrMalformed},
	}
	for length := range len(good) {
		if length%7 == 0 || length > len(good)-4 {
			all = append(all, attack{fmt.Sprintf("truncated to %d bytes", length), good[:length], nil})
		}
	}
	return all
}

func TestRow33_TokensThatMustBeRefusedAre(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	guarded := accesstoken.Authenticate(w.verifier, accesstoken.AuthenticateConfig{Required: true})
	for _, attack := range attacks(t, w) {
		t.Run(attack.name, func(t *testing.T) {
			t.Parallel()
			claims, err := w.verifier.Verify(t.Context(), attack.token)
			require.Error(t, err)
			assert.Zero(t, claims)
			if attack.reason != nil {
				assert.ErrorIs(t, err, attack.reason)
			}
			assert.Less(t, len(err.Error()), 500, "what a log gets of it")

			r := get("/v1/notes")
			r.Header["Authorization"] = []string{"Bearer " + attack.token}
			d := serve(guarded, r).requireRefused(t, http.StatusUnauthorized, tenant.CodeUnauthenticated)
			assert.Contains(t, []string{"the access token is not valid", "the access token has expired"}, d.Detail, "all that the client is told")
		})
	}
	_, err := w.verifier.Verify(t.Context(), w.token(t))
	require.NoError(t, err, "the control: the token that they are made of is good")
}

func TestRow33_ForgedTokensDifferFromGoodOnesInOneThingAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := w.token(t)
	again := forge(t, w.key, headerOf(t, good), claimsOf(t, good))
	assert.Equal(t, good, again, "forge makes what the issuer makes: Ed25519 has no randomness")
	other := forge(t, w.key, headerOf(t, good), with(t, claimsOf(t, good), map[string]any{"aud": audienceName, "x": []int{1}}))
	_, err := w.verifier.Verify(t.Context(), other)
	require.NoError(t, err, "and a change that is allowed passes")
}

func TestRow33_NoBitOfATokenCanBeFlipped(t *testing.T) {
	t.Parallel()
	for _, alg := range []accesstoken.Algorithm{accesstoken.EdDSA, accesstoken.ES256, accesstoken.RS256} {
		w := newWorld(t)
		require.NoError(t, w.keys.Replace(accesstoken.KeySet{Signing: newKey(t, alg)}))
		good := w.token(t)
		flipped := []byte(good)
		step := 1
		if alg != accesstoken.EdDSA {
			step = 5 // enough to have been in each part, and everywhere in the bytes
		}
		for bit := 0; bit < 8*len(good); bit += step {
			flipped[bit/8] ^= 1 << (bit % 8)
			_, err := w.verifier.Verify(t.Context(), string(flipped))
			require.Error(t, err, "%s: bit %d of byte %d", alg, bit%8, bit/8)
			flipped[bit/8] = good[bit/8]
		}
		_, err := w.verifier.Verify(t.Context(), good)
		require.NoError(t, err)
	}
}

func TestRow33_MethodIsTheOneOfTheKeyThoughAllAreInUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	algorithms := []accesstoken.Algorithm{accesstoken.EdDSA, accesstoken.ES256, accesstoken.RS256}
	methods := []jwt.SigningMethod{jwt.SigningMethodEdDSA, jwt.SigningMethodES256, jwt.SigningMethodRS256}
	signers := []accesstoken.Key{w.key, newKey(t, accesstoken.ES256), newKey(t, accesstoken.RS256)}
	require.NoError(t, w.keys.Replace(accesstoken.KeySet{Signing: w.key, Accepted: []accesstoken.AcceptedKey{{Key: signers[1].Public()}, {Key: signers[2].Public()}}}))
	claims := claimsOf(t, w.token(t))
	for i, method := range methods {
		for j, named := range signers {
			header := fmt.Sprintf(`{"alg":%q,"kid":%q,"typ":"at+jwt"}`, algorithms[i], named.ID())
			signed := encode(header) + "." + encode(claims)
			signature, err := method.Sign(signed, private(t, signers[i]))
			require.NoError(t, err)
			_, err = w.verifier.Verify(t.Context(), signed+"."+encode(string(signature)))
			if i == j {
				require.NoError(t, err, "%s with its own key", algorithms[i])
				continue
			}
			require.ErrorIs(t, err, accesstoken.ErrHeader, "%s under the id of a key of %s", algorithms[i], algorithms[j])
		}
	}
}

func TestRow33_TokenOfAnotherEnvironmentIsRefused(t *testing.T) {
	t.Parallel()
	production := newWorld(t)
	staging := newWorld(t)
	_, err := production.verifier.Verify(t.Context(), staging.token(t))
	require.ErrorIs(t, err, accesstoken.ErrUnknownKey, "which has keys of its own")

	careless := production.newIssuer(t, accesstoken.IssuerConfig{Issuer: "https://auth.staging.example.com"})
	token, _, err := careless.Issue(production.ada(), 1)
	require.NoError(t, err)
	_, err = production.verifier.Verify(t.Context(), token)
	require.ErrorIs(t, err, accesstoken.ErrIssuer, "and when it shares them, another name")

	careless = production.newIssuer(t, accesstoken.IssuerConfig{Audience: "https://api.staging.example.com"})
	token, _, err = careless.Issue(production.ada(), 1)
	require.NoError(t, err)
	_, err = production.verifier.Verify(t.Context(), token)
	require.ErrorIs(t, err, accesstoken.ErrAudience)
}

func TestRow33_LongTokenCostsNothing(t *testing.T) { //nolint:paralleltest // it counts the allocations of the process
	w := newWorld(t)
	long := w.token(t) + strings.Repeat("A", 1<<20)
	allocated := testing.AllocsPerRun(100, func() {
		if _, err := w.verifier.Verify(t.Context(), long); err == nil {
			panic("accepted")
		}
	})
	assert.Less(t, allocated, 10.0, "an error, and nothing that grows with the token")
}

func TestExpiredTokenIsToldFromABadOneAndNoOtherIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.token(t)
	w.clock.advance(accesstoken.DefaultLifetime + accesstoken.DefaultLeeway + time.Second)
	_, err := w.verifier.Verify(t.Context(), token)
	var visible *tenant.Error
	require.ErrorAs(t, err, &visible)
	assert.Equal(t, tenant.CodeUnauthenticated, visible.Code)
	assert.Equal(t, "the access token has expired", visible.Detail)

	foreign := forge(t, newKey(t, accesstoken.EdDSA), headerOf(t, token), claimsOf(t, token))
	_, err = w.verifier.Verify(t.Context(), foreign)
	require.ErrorAs(t, err, &visible)
	assert.Equal(t, "the access token is not valid", visible.Detail, "one that is forged is not read so far")

	other := forge(t, w.key, headerOf(t, token), with(t, claimsOf(t, token), map[string]any{"aud": "x"}))
	_, err = w.verifier.Verify(t.Context(), other)
	require.ErrorIs(t, err, accesstoken.ErrAudience)
	require.ErrorAs(t, err, &visible)
	assert.Equal(t, "the access token is not valid", visible.Detail)
}
