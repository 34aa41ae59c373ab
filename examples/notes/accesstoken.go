package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/tenantwall/tenantwall/tenant"
)

const (
	tokenLifetime = 12 * time.Hour
	tokenVersion  = "notes1"
	maxTokenLen   = 2048
)

// errBadToken says nothing about why a token is refused, because whoever sends a bad one
// is to learn nothing from it.
var errBadToken = errors.New("bad access token")

// tokens makes and reads access tokens: the version, the claims in JSON, and the
// HMAC-SHA256 of both, in base64url, joined by dots. The version is part of what is
// signed, so that a later form can't be taken for this one.
type tokens struct {
	key []byte
	now func() time.Time
}

// claims is what a token says. A zero Tenant is a token for no tenant.
type claims struct {
	UserID  string    `json:"sub"`
	Email   string    `json:"email"`
	Tenant  tenant.ID `json:"tid,omitzero"`
	Expires int64     `json:"exp"` // seconds since 1970
}

// mint makes a token with which u acts in the tenant in, or in none yet.
func (t tokens) mint(u user, in tenant.ID) (token string, expires time.Time, err error) {
	expires = t.now().Add(tokenLifetime).Truncate(time.Second).UTC()
	said, err := json.Marshal(claims{UserID: u.ID, Email: u.Email, Tenant: in, Expires: expires.Unix()})
	if err != nil {
		return "", time.Time{}, err
	}
	signed := tokenVersion + "." + base64.RawURLEncoding.EncodeToString(said)
	return signed + "." + base64.RawURLEncoding.EncodeToString(t.mac(signed)), expires, nil
}

// verify reads a token made by mint that has not expired. The error is errBadToken.
func (t tokens) verify(token string) (tenant.Principal, error) {
	end := strings.LastIndexByte(token, '.')
	if end < 0 || len(token) > maxTokenLen {
		return tenant.Principal{}, errBadToken
	}
	signed := token[:end]
	mac, err := base64.RawURLEncoding.Strict().DecodeString(token[end+1:])
	if err != nil || !hmac.Equal(mac, t.mac(signed)) {
		return tenant.Principal{}, errBadToken
	}
	encoded, ok := strings.CutPrefix(signed, tokenVersion+".")
	if !ok {
		return tenant.Principal{}, errBadToken
	}
	said, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return tenant.Principal{}, errBadToken
	}
	var c claims
	if err := json.Unmarshal(said, &c); err != nil || !t.now().Before(time.Unix(c.Expires, 0)) {
		return tenant.Principal{}, errBadToken
	}
	return tenant.Principal{Kind: tenant.User, ID: c.UserID, Email: c.Email, Tenant: c.Tenant}, nil
}

func (t tokens) mac(signed string) []byte {
	h := hmac.New(sha256.New, t.key)
	h.Write([]byte(signed))
	return h.Sum(nil)
}
