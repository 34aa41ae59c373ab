package apikey_test

import (
	"bytes"
	"crypto/rand"
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

// fixed is a key of notes_test that is the same in each run, and its id.
func fixed(t testing.TB) (key, id string) {
	t.Helper()
	key, err := apikey.Generate(newFormat(t), bytes.NewReader(bytes.Repeat([]byte("a fixed sequence, and no randomness at all, "), 10)))
	require.NoError(t, err)
	return key, key[len("notes_test_"):][:16]
}

func TestFormatOfAKeyIsTheSameInEachRelease(t *testing.T) {
	t.Parallel()
	key, id := fixed(t)
	assert.Equal(t, "notes_test_ZWehwdcWrdptdmbdiWZmcWmnWqZmcnlmdrrWZsWZkkiWZWehw060b1E", key)
	assert.Len(t, key, len("notes_test_")+16+33+6)
	got, err := newFormat(t).KeyID(key)
	require.NoError(t, err)
	assert.Equal(t, id, got)
}

func TestKeysAreAllDifferentAndWhole(t *testing.T) {
	t.Parallel()
	f := newFormat(t)
	pattern := regexp.MustCompile("^" + f.Pattern() + "$")
	seen := map[string]bool{}
	var characters [256]int
	for range 2000 {
		key := forged(t)
		require.False(t, seen[key])
		seen[key] = true
		require.Regexp(t, pattern, key)
		id, err := f.KeyID(key)
		require.NoError(t, err)
		require.Equal(t, key[11:27], id)
		for _, c := range []byte(key[11:60]) {
			characters[c]++
		}
	}
	for _, c := range []byte("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") {
		assert.InDelta(t, 2000*49/62, characters[c], 300, "%c is about as likely as the others", c)
	}
}

func TestWhatIsNoKeyIsFoundOutByItsForm(t *testing.T) {
	t.Parallel()
	f := newFormat(t)
	key, _ := fixed(t)
	for name, text := range map[string]string{
		"empty": "", "the brand": "notes", "the prefix": "notes_test_",
		"one character less": key[:len(key)-1], "one more": key + "0", "a space in front": " " + key, "a line end": key + "\n",
		"upper case prefix":      "NOTES_TEST_" + key[11:],
		"another brand":          "memos_test_" + key[11:],
		"no prefix":              key[11:],
		"a dash":                 key[:30] + "-" + key[31:],
		"a zero byte":            key[:30] + "\x00" + key[31:],
		"not ASCII":              key[:30] + "é" + key[32:],
		"two characters turned":  key[:30] + key[31:32] + key[30:31] + key[32:],
		"a dash, checksum right": apikey.WithChecksum(key[:30] + "-" + key[31:60]),
		"not ASCII, right too":   apikey.WithChecksum(key[:30] + "é" + key[32:60]),
		"a MiB":                  strings.Repeat("notes_test_", 100_000),
		"a JSON Web Token":       "eyJhbGciOiJFZERTQSJ9.e30.c2lnbmF0dXJl",
	} {
		id, err := f.KeyID(text)
		require.ErrorIs(t, err, apikey.ErrMalformed, name)
		assert.Empty(t, id, name)
	}
	for i := range key { // no character can be another
		other := []byte(key)
		if other[i]++; i < 11 {
			continue
		}
		_, err := f.KeyID(string(other))
		require.ErrorIs(t, err, apikey.ErrMalformed, "%s", other)
	}
	_, err := apikey.Format{}.KeyID(key)
	require.ErrorIs(t, err, apikey.ErrMalformed)
	_, err = apikey.Format{}.KeyID("")
	require.ErrorIs(t, err, apikey.ErrMalformed)
}

// Six characters have room for more than 32 bits, in which the same checksum could be written
// in other ways.
func TestChecksumHasOneSpelling(t *testing.T) {
	t.Parallel()
	key, _ := fixed(t)
	const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	var sum uint64
	for _, c := range key[60:] {
		sum = sum*62 + uint64(strings.IndexRune(base62, c))
	}
	sum += 1 << 32
	var spelling [6]byte
	for i := range spelling {
		spelling[5-i] = base62[sum%62]
		sum /= 62
	}
	require.Zero(t, sum, "it has six characters too")
	_, err := newFormat(t).KeyID(key[:60] + string(spelling[:]))
	require.ErrorIs(t, err, apikey.ErrMalformed)
}

func TestKeyOfAnotherEnvironmentIsToldFromWhatIsNoKey(t *testing.T) {
	t.Parallel()
	live, err := apikey.NewFormat("notes", "live")
	require.NoError(t, err)
	key, _ := fixed(t)
	_, err = live.KeyID(key)
	require.ErrorIs(t, err, apikey.ErrEnvironment)
	_, err = live.KeyID("notes_live_" + key[11:])
	require.ErrorIs(t, err, apikey.ErrMalformed, "the checksum covers the prefix")
	_, err = live.KeyID(key[:len(key)-1] + "0")
	require.ErrorIs(t, err, apikey.ErrMalformed)

	assert.True(t, live.LooksLikeKey(key))
	assert.True(t, live.LooksLikeKey("notes_"))
	assert.False(t, live.LooksLikeKey("notes"))
	assert.False(t, live.LooksLikeKey("eyJhbGciOiJFZERTQSJ9.e30.c2ln"))
	assert.False(t, apikey.Format{}.LooksLikeKey(key))
}

func TestBrandAndEnvironmentAreWords(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]string{
		{"", "live"}, {"notes", ""}, {"n", "live"}, {"Notes", "live"}, {"no_tes", "live"}, {"notes", "li-ve"},
		{"1notes", "live"}, {strings.Repeat("n", 17), "live"}, {"notes", "live\n"},
	} {
		f, err := apikey.NewFormat(pair[0], pair[1])
		require.ErrorContains(t, err, "first a letter", "%q", pair)
		assert.Zero(t, f)
	}
	_, err := apikey.NewFormat(strings.Repeat("n", 16), "l1")
	require.NoError(t, err)
}

func TestKeyIsNotMadeWithoutRandomness(t *testing.T) {
	t.Parallel()
	broken := errors.New("no entropy")
	for _, random := range []io.Reader{iotest.ErrReader(broken), bytes.NewReader(make([]byte, 40))} {
		key, err := apikey.Generate(newFormat(t), random)
		require.Error(t, err)
		assert.Empty(t, key)
	}
}

func TestFormIsLookedAtWithoutAllocating(t *testing.T) { //nolint:paralleltest // it counts the allocations of the process
	f, key := newFormat(t), forged(t)
	bad := key[:len(key)-1] + "!"
	assert.Zero(t, testing.AllocsPerRun(100, func() { _, _ = f.KeyID(key) }))
	assert.Zero(t, testing.AllocsPerRun(100, func() { _, _ = f.KeyID(bad) }))
	assert.Zero(t, testing.AllocsPerRun(100, func() { _, _ = f.KeyID("nonsense") }))
}

// FuzzKeyID: what is taken for a key has exactly one form, of which the id is a part, and a
// key that was made is taken for one.
func FuzzKeyID(f *testing.F) {
	format := newFormat(f)
	key, _ := fixed(f)
	f.Add(key, []byte("seed"))
	f.Add("notes_test_", []byte{})
	f.Add("notes_live_"+key[11:], bytes.Repeat([]byte{255}, 600))
	f.Add(key[:40]+"é"+key[42:], []byte(key))
	pattern := regexp.MustCompile("^" + format.Pattern() + "$")
	f.Fuzz(func(t *testing.T, text string, random []byte) {
		id, err := format.KeyID(text)
		if err == nil {
			require.Regexp(t, pattern, text)
			require.Equal(t, text[11:27], id)
			require.True(t, format.LooksLikeKey(text))
		} else {
			require.Empty(t, id)
		}
		made, err := apikey.Generate(format, io.MultiReader(bytes.NewReader(random), rand.Reader))
		require.NoError(t, err)
		_, err = format.KeyID(made)
		require.NoError(t, err)
		if text != made && len(text) == len(made) && text[:60] == made[:60] {
			_, err = format.KeyID(text)
			require.Error(t, err, "of one secret there is one checksum")
		}
	})
}
