package invite_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/invite"
)

func TestOpenNeedsAPool(t *testing.T) {
	t.Parallel()
	_, err := invite.Open(t.Context(), nil, invite.Config{})
	require.ErrorContains(t, err, "control role")
}

func TestOpenRefusesSettingsThatCantBe(t *testing.T) {
	t.Parallel()
	unused := new(pgxpool.Pool) // the configuration is checked before
	for want, cfg := range map[string]invite.Config{
		"setting Expiry is 1s":           {Expiry: time.Second},
		"setting Expiry is -1":           {Expiry: -time.Hour},
		"setting Expiry is 2400h0m0s":    {Expiry: 100 * 24 * time.Hour},
		"setting SendTimeout is 2m0s":    {SendTimeout: 2 * time.Minute},
		"setting LockTimeout is 1ns":     {LockTimeout: 1},
		"CacheConfig.TTL is 3s":          {Cache: invite.CacheConfig{TTL: 3 * time.Second}},
		"CacheConfig.Size is -1":         {Cache: invite.CacheConfig{Size: -1}},
		"setting Link: it is no URL":     {Link: "https://app.example.com/%zz"},
		"setting Link: it is to be":      {Link: "/join"},
		"setting Link: the secret needs": {Link: "http://app.example.com/join"},
	} {
		_, err := invite.Open(t.Context(), unused, cfg)
		require.ErrorContains(t, err, want)
	}
	for _, link := range []string{
		"https://user@app.example.com/", "https://app.example.com/?a=b", "https://app.example.com/?", "https://app.example.com/#x", "https://app.example.com/#",
		"https:app.example.com", "javascript:alert(1)", "https://", "ftp://app.example.com/", "http://localhost.evil.example/",
	} {
		_, err := invite.Open(t.Context(), unused, invite.Config{Link: link})
		require.ErrorContains(t, err, "setting Link", link)
	}
}
