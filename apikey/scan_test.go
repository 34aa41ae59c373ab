package apikey_test

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/apikey"
)

// scanned are the keys that are found in a reader, and where.
func scanned(t testing.TB, f apikey.Format, r io.Reader) (keys []string, offsets []int64) {
	t.Helper()
	for found, err := range f.Scan(r) {
		require.NoError(t, err)
		keys, offsets = append(keys, string(found.Key)), append(offsets, found.Offset)
		require.Equal(t, string(found.Key[11:27]), found.KeyID)
	}
	return keys, offsets
}

func TestKeysAreFoundWhereverTheyStand(t *testing.T) {
	t.Parallel()
	f := newFormat(t)
	a, b := forged(t), forged(t)
	for text, want := range map[string][]string{
		"":                                  nil,
		"no key":                            nil,
		a:                                   {a},
		a + b:                               {a, b},
		"curl -H 'X-API-Key: " + a + "'\n":  {a},
		`{"key":"` + a + `","\n` + b + `"}`: {a, b},
		"notes_test_" + a:                   {a},
		"notes_test_notes_test" + a + "0":   {a},
		a[:60] + b:                          {b},
		a[:len(a)-1] + "!":                  nil,
		strings.Repeat("x", 40_000) + a:     {a},
	} {
		for _, r := range []io.Reader{strings.NewReader(text), iotest.OneByteReader(strings.NewReader(text)), iotest.DataErrReader(strings.NewReader(text))} {
			keys, offsets := scanned(t, f, r)
			assert.Equal(t, want, keys, "%.80s", text)
			for i, at := range offsets {
				assert.Equal(t, keys[i], text[at:][:len(keys[i])])
			}
		}
		assert.Len(t, f.ScanBytes([]byte(text)), len(want))
	}
	keys, _ := scanned(t, apikey.Format{}, strings.NewReader(a))
	assert.Empty(t, keys)
	for range f.Scan(strings.NewReader(a + b)) {
		break // nothing is wrong with having seen enough
	}
}

// A key is found wherever the text is cut into what is looked at at once.
func TestKeysAreFoundAtEachPlaceOfALongText(t *testing.T) {
	t.Parallel()
	f, key := newFormat(t), forged(t)
	for at := 32<<10 - 2*len(key); at < 32<<10+2*len(key); at++ {
		text := strings.Repeat("_", at) + key + strings.Repeat("n", 70_000)
		keys, offsets := scanned(t, f, strings.NewReader(text))
		require.Equal(t, []string{key}, keys, at)
		require.Equal(t, []int64{int64(at)}, offsets)
	}
}

func TestScanTellsWhatItCouldNotRead(t *testing.T) {
	t.Parallel()
	f, key := newFormat(t), forged(t)
	broken := errors.New("the disk is gone")
	var keys int
	var last error
	for found, err := range f.Scan(io.MultiReader(strings.NewReader(key), iotest.ErrReader(broken))) {
		if err == nil {
			assert.Equal(t, key, string(found.Key))
			keys++
		}
		last = err
	}
	assert.Equal(t, 1, keys)
	require.ErrorIs(t, last, broken)
	for _, err := range f.Scan(silent{}) {
		require.ErrorIs(t, err, io.ErrNoProgress)
	}
}

type silent struct{}

func (silent) Read([]byte) (int, error) { return 0, nil }

// FuzzScan: what is found is what the pattern matches and has the right checksum, whatever
// stands around it, and however the text comes.
func FuzzScan(f *testing.F) {
	format := newFormat(f)
	key, _ := fixed(f)
	f.Add([]byte("a "+key+" b"), uint16(3))
	f.Add([]byte("notes_test_"+key+key[:30]), uint16(1))
	f.Add([]byte(key[:60]+"\n"+key), uint16(100))
	f.Add(bytes.Repeat([]byte("notes_test_0"), 100), uint16(7))
	pattern := regexp.MustCompile(format.Pattern())
	f.Fuzz(func(t *testing.T, text []byte, at uint16) {
		cut := min(int(at), len(text))
		text = append(append(append([]byte(nil), text[:cut]...), key...), text[cut:]...)
		keys, offsets := scanned(t, format, iotest.HalfReader(bytes.NewReader(text)))
		found := false
		for i, one := range keys {
			require.True(t, bytes.HasPrefix(text[offsets[i]:], []byte(one)))
			require.Equal(t, one, pattern.FindString(one))
			_, err := format.KeyID(one)
			require.NoError(t, err)
			found = found || one == key
		}
		require.True(t, found, "the key that was put in")
		require.Len(t, format.ScanBytes(text), len(keys))
	})
}
