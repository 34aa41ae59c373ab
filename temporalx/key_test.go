package temporalx

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestKeysThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	ended := key("k1")
	ended.Until = then
	for name, c := range map[string]struct {
		keys []Key
		says string
	}{
		"no id":                      {[]Key{{Secret: make([]byte, minSecret)}}, "ID of key 1"},
		"an id that is too long":     {[]Key{key(strings.Repeat("k", maxKeyID+1))}, "ID of key 1"},
		"an id with a space":         {[]Key{key("k1"), key("k 2")}, "ID of key 2"},
		"an id that is not ASCII":    {[]Key{key("é")}, "ID of key 1"},
		"two of an id":               {[]Key{key("k1"), key("k1")}, "two keys have the ID k1"},
		"a secret that is short":     {[]Key{{ID: "k1", Secret: make([]byte, minSecret-1)}}, "31 bytes"},
		"a secret that is long":      {[]Key{{ID: "k1", Secret: make([]byte, maxSecret+1)}}, "257 bytes"},
		"a first key that has ended": {[]Key{ended}, "must have no Until"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.ErrorContains(t, checkKeys(c.keys), c.says)
		})
	}
	assert.NoError(t, checkKeys(nil))
	ended.ID = "k0"
	assert.NoError(t, checkKeys([]Key{key("k1"), ended}))
}

func TestAKeyIsNeverPrinted(t *testing.T) {
	t.Parallel()
	k := Key{ID: "k1", Secret: bytes.Repeat([]byte("s3cret"), 6)}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("started", "key", k)
	for _, said := range []string{fmt.Sprint(k), fmt.Sprintf("%+v", k), fmt.Sprintf("%#v", k), fmt.Sprintf("%x", k), fmt.Sprintf("%v", []Key{k}), log.String()} {
		assert.Contains(t, said, "key k1")
		assert.NotContains(t, said, "s3cret")
		assert.NotContains(t, said, "733363726574", "in hexadecimal")
		assert.NotContains(t, said, "115 51 99", "in decimal")
	}
}
