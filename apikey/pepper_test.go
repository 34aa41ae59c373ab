package apikey_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/apikey"
	"github.com/tenantwall/tenantwall/tenant"
)

func pepper(version int) apikey.Pepper {
	return apikey.Pepper{Version: version, Secret: bytes.Repeat([]byte{byte(version)}, apikey.MinPepperLen)}
}

func peppers(versions ...int) func(*apikey.Config) {
	return func(cfg *apikey.Config) {
		for _, v := range versions {
			cfg.Peppers = append(cfg.Peppers, pepper(v))
		}
	}
}

// stored is the hash of the only key, and the version of its pepper.
func (s site) stored(t *testing.T) (hash []byte, version int) {
	t.Helper()
	require.NoError(t, s.control.QueryRow(t.Context(), `SELECT secret_hash, pepper FROM tenantwall.api_key`).Scan(&hash, &version))
	return hash, version
}

// A pepper is introduced, and replaced by another one, while the key is in use all the time.
func TestPepperIsRotatedByUse(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp")
	_, secret := s.mint(t, acme)
	plain, version := s.stored(t)
	assert.Zero(t, version)
	for _, step := range []struct {
		given   []int
		current int
	}{{[]int{1}, 1}, {[]int{2, 1}, 2}, {[]int{2}, 2}} {
		keys := s.open(t, peppers(step.given...))
		for range 2 {
			_, err := keys.Verify(t.Context(), secret, home)
			require.NoError(t, err)
		}
		hash, version := s.stored(t)
		assert.Equal(t, step.current, version)
		assert.Equal(t, apikey.StoredHash(secret, pepper(step.current)), hash)
		assert.NotEqual(t, plain, hash)
		_, err := keys.Verify(t.Context(), withSecret(t, s, secret), home)
		require.ErrorIs(t, err, apikey.ErrUnknown)
	}
	for _, without := range []*apikey.Keys{s.keys, s.open(t, peppers(1))} {
		_, err := without.Verify(t.Context(), secret, home)
		assert.Equal(t, tenant.CodeUnavailable, code(err), "without its pepper nobody can tell")
	}
}

func TestKeysAreMadeWithTheFirstPepper(t *testing.T) {
	t.Parallel()
	s := setUp(t, peppers(2, 1))
	acme := s.create(t, "acme-corp")
	_, secret := s.mint(t, acme)
	hash, version := s.stored(t)
	assert.Equal(t, 2, version)
	assert.Equal(t, apikey.StoredHash(secret, pepper(2)), hash)
	s.tracer.take()
	_, err := s.keys.Verify(t.Context(), secret, home)
	require.NoError(t, err)
	assert.Len(t, s.tracer.take(), 1, "nothing is written")
}

func TestKeyIsGoodThoughItsHashCantBeWritten(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp")
	_, secret := s.mint(t, acme)
	_, err := s.control.Exec(t.Context(), `ALTER TABLE tenantwall.api_key ADD CHECK (pepper = 0)`)
	require.NoError(t, err)
	_, err = s.open(t, peppers(1)).Verify(t.Context(), secret, home)
	require.NoError(t, err)
	_, version := s.stored(t)
	assert.Zero(t, version)
}

func TestPeppersAreNotShown(t *testing.T) {
	t.Parallel()
	p := apikey.Pepper{Version: 7, Secret: []byte(strings.Repeat("p", apikey.MinPepperLen))}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		assert.Equal(t, "pepper 7", fmt.Sprintf(verb, p), verb)
		assert.Contains(t, fmt.Sprintf(verb, apikey.Config{Peppers: []apikey.Pepper{p}}), "pepper 7", verb)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("opened", "pepper", p)
	assert.Contains(t, log.String(), `"pepper":"pepper 7"`)
}
