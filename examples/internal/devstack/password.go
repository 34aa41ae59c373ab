package devstack

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
)

// passwordLen is the length of a derived password before it is written as text, in bytes.
const passwordLen = 24

// rolePassword is the password of a role that this package sets up, derived from the
// password of the owner who sets it up. Whoever has the one can make the other anyway.
func rolePassword(owner, role string) string {
	if owner == "" {
		return rand.Text() // what is derived from nothing could be guessed
	}
	key, err := hkdf.Key(sha256.New, []byte(owner), nil, "tenantwall devstack role "+role, passwordLen)
	if err != nil {
		return rand.Text() // an owner's password that is too short for FIPS 140, where that is enforced
	}
	return base64.RawURLEncoding.EncodeToString(key)
}
