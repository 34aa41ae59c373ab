package accesstoken

import (
	"encoding/base64"
	"encoding/json"
)

// tokenType is the "typ" of an access token (RFC 9068, 2.1). It keeps a token that was
// signed with the same key for another purpose from being taken for one (RFC 8725, 3.11).
const tokenType = "at+jwt"

func headerFields(alg Algorithm, id string) map[string]any {
	return map[string]any{"alg": string(alg), "kid": id, "typ": tokenType}
}

// header is the first part of each token of a key. It says nothing but these three, in
// one spelling, so that a verifier needs to compare alone and has nothing to interpret.
func header(alg Algorithm, id string) string {
	text, err := json.Marshal(headerFields(alg, id))
	if err != nil {
		panic(err) // strings are always JSON
	}
	return base64.RawURLEncoding.EncodeToString(text)
}
