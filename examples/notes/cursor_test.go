package main

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
)

func testPosition() position {
	return position{
		createdAt: time.Date(2026, 2, 3, 4, 5, 6, 789_000, time.UTC),
		id:        pgtype.UUID{Bytes: [16]byte{1, 2, 3, 15: 16}, Valid: true},
	}
}

func TestACursorIsSealedForItsTenant(t *testing.T) {
	t.Parallel()
	c := cursors{key: []byte("a key of the tests")}
	in := tenant.NewID()
	sealed := c.seal(in, testPosition())
	p, err := c.open(in, sealed)
	require.NoError(t, err)
	assert.Equal(t, testPosition(), p)

	for name, open := range map[string]func() (position, error){
		"another tenant": func() (position, error) { return c.open(tenant.NewID(), sealed) },
		"another key":    func() (position, error) { return cursors{key: []byte("another key")}.open(in, sealed) },
		"cut short":      func() (position, error) { return c.open(in, sealed[:len(sealed)-1]) },
		"longer":         func() (position, error) { return c.open(in, sealed+"AAAA") },
		"empty":          func() (position, error) { return c.open(in, "") },
	} {
		_, err := open()
		var told *tenant.Error
		require.ErrorAs(t, err, &told, name)
		assert.Equal(t, tenant.CodeBadRequest, told.Code, name)
	}
	for i := range len(sealed) {
		changed := []byte(sealed)
		changed[i] ^= 1
		_, err := c.open(in, string(changed))
		require.Error(t, err, "byte %d", i)
	}
}

func FuzzOpenCursor(f *testing.F) {
	c := cursors{key: []byte("a key of the tests")}
	in := tenant.ID{15: 1}
	good := c.seal(in, testPosition())
	for _, cursor := range []string{good, good[1:], "", "AAAA", "=", "\x00"} {
		f.Add(cursor)
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		if _, err := c.open(in, cursor); err == nil && cursor != good {
			t.Fatalf("took %q", cursor)
		}
	})
}
