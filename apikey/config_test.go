package apikey_test

import (
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/apikey"
)

func TestOpenNeedsAPool(t *testing.T) {
	t.Parallel()
	_, err := apikey.Open(t.Context(), nil, apikey.Config{})
	require.ErrorContains(t, err, "control role")
}

func TestOpenRefusesSettingsThatCantBe(t *testing.T) {
	t.Parallel()
	unused := new(pgxpool.Pool) // the configuration is checked before
	long := []byte(strings.Repeat("p", 32))
	for want, change := range map[string]func(*apikey.Config){
		"the brand":                    func(c *apikey.Config) { c.Brand = "" },
		"the environment":              func(c *apikey.Config) { c.Environment = "Live" },
		"Scopes has 0 names":           func(c *apikey.Config) { c.Scopes = nil },
		`Scopes: "notes read"`:         func(c *apikey.Config) { c.Scopes = []string{"notes read"} },
		`Scopes: ""`:                   func(c *apikey.Config) { c.Scopes = []string{""} },
		"setting MaxKeys is -1":        func(c *apikey.Config) { c.MaxKeys = -1 },
		"setting MaxKeys is 10001":     func(c *apikey.Config) { c.MaxKeys = 10_001 },
		"setting TTL is 3s":            func(c *apikey.Config) { c.TTL = 3 * time.Second },
		"setting TTL is -1s":           func(c *apikey.Config) { c.TTL = -time.Second },
		"setting ConnectedTTL is 31s":  func(c *apikey.Config) { c.ConnectedTTL = 31 * time.Second },
		"setting CacheSize is -1":      func(c *apikey.Config) { c.CacheSize = -1 },
		"setting RefusedSize is -1":    func(c *apikey.Config) { c.RefusedSize = -1 },
		"setting FlushEvery is 1ms":    func(c *apikey.Config) { c.FlushEvery = time.Millisecond },
		"setting KeepEnded is -1h":     func(c *apikey.Config) { c.KeepEnded = -time.Hour },
		"setting LockTimeout is 2m":    func(c *apikey.Config) { c.LockTimeout = 2 * time.Minute },
		"Failures.Burst is -1":         func(c *apikey.Config) { c.Failures.Burst = -1 },
		"Failures.Every is 2h":         func(c *apikey.Config) { c.Failures.Every = 2 * time.Hour },
		"Failures.Addresses is -1":     func(c *apikey.Config) { c.Failures.Addresses = -1 },
		"a pepper of version 0":        func(c *apikey.Config) { c.Peppers = []apikey.Pepper{{Secret: long}} },
		"two peppers of version 1":     func(c *apikey.Config) { c.Peppers = []apikey.Pepper{{1, long}, {1, long}} },
		"pepper of version 1 has 31 b": func(c *apikey.Config) { c.Peppers = []apikey.Pepper{{1, long[1:]}} },
		"17 peppers":                   func(c *apikey.Config) { c.Peppers = make([]apikey.Pepper, 17) },
	} {
		cfg := apikey.Config{Brand: "notes", Environment: "live", Scopes: []string{"notes:read"}}
		change(&cfg)
		_, err := apikey.Open(t.Context(), unused, cfg)
		require.ErrorContains(t, err, want)
	}
}
