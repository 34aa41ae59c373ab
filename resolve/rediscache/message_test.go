package rediscache

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/resolve"
	"github.com/tenantwall/tenantwall/tenant"
)

func TestChangeArrivesAsItWasSent(t *testing.T) {
	t.Parallel()
	for _, c := range []resolve.Change{
		{Kind: resolve.KindTenant, Tenant: tenant.NewID(), Subject: "acme-corp", Version: 1<<63 - 1},
		{Kind: resolve.KindMember, Tenant: tenant.NewID(), Subject: `aü"<>\` + "\n"},
		{Kind: resolve.KindKey},
		{Kind: resolve.Kind(strings.Repeat("x", 32)), Tenant: tenant.NewID(), Subject: strings.Repeat("\x01", 256), Version: 1<<63 - 1},
		{Kind: "of_a_program"},
	} {
		text, err := encodeChange(c)
		require.NoError(t, err)
		got, err := decodeChange(text)
		require.NoError(t, err)
		assert.Equal(t, c, got)
	}
}

func TestWhatNoBusCanCarryIsNotSent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]resolve.Change{
		"no kind":         {Tenant: tenant.NewID()},
		"a long kind":     {Kind: resolve.Kind(strings.Repeat("x", 33))},
		"another kind":    {Kind: "Tenant"},
		"a long subject":  {Kind: resolve.KindKey, Subject: strings.Repeat("x", 257)},
		"a version below": {Kind: resolve.KindTenant, Version: -1},
	} {
		_, err := encodeChange(c)
		assert.ErrorIs(t, err, errMalformed, name)
	}
}

// FuzzDecodeChange holds what is read to what could be sent.
func FuzzDecodeChange(f *testing.F) {
	good, err := encodeChange(resolve.Change{Kind: resolve.KindTenant, Tenant: tenant.NewID(), Subject: "acme-corp", Version: 7})
	require.NoError(f, err)
	for _, seed := range []string{
		good, "", "{}", "[]", "null", "hello", good + good, `{"v":2,"kind":"tenant"}`, `{"v":1,"kind":"tenant"}`,
		`{"v":1,"kind":"tenant","tenant":"00000000-0000-0000-0000-000000000000"}`,
		`{"v":1,"kind":"tenant","tenant":"acme-corp"}`, `{"v":1,"kind":"tenant","version":-1}`,
		`{"v":1,"kind":"key","subject":"` + strings.Repeat("x", 2000) + `"}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := decodeChange(text)
		if err != nil {
			assert.Zero(t, c)
			return
		}
		again, err := encodeChange(c)
		if err != nil { // what grows by being escaped
			return
		}
		got, err := decodeChange(again)
		require.NoError(t, err)
		assert.Equal(t, c, got)
	})
}

// FuzzDecodeValue holds what is believed of a tenant to what could be set.
func FuzzDecodeValue(f *testing.F) {
	body, err := encodeBody(tenant.Tenant{ID: tenant.NewID(), Slug: "acme-corp", Status: tenant.StatusActive, Version: 7})
	require.NoError(f, err)
	head := "1" + encodeVersion(7) + "00000000001000"
	for _, seed := range []string{head + body, head, "", "a" + head + body, head + "{}", head[1:] + body} {
		f.Add(seed, int64(2000))
	}
	f.Fuzz(func(t *testing.T, value string, now int64) {
		got, age, state := decodeValue(value, now)
		if state != whole {
			assert.Zero(t, got)
			return
		}
		assert.Positive(t, age)
		assert.False(t, got.ID.IsZero())
		assert.NotEqual(t, tenant.StatusProvisioning, got.Status)
		assert.Equal(t, encodeVersion(got.Version), value[1:17])
	})
}
