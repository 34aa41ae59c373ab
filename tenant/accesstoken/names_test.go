package accesstoken

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNamesOfClaimsAreDistinctAndSpelledAsTheyMustBe(t *testing.T) {
	t.Parallel()
	many := func(n int) string {
		var text strings.Builder
		for i := range n {
			text.WriteString(`,"x` + strconv.Itoa(i) + `":[1]`)
		}
		return "{" + strings.TrimPrefix(text.String(), ",") + "}"
	}
	for text, want := range map[string]string{
		`{}`:                          "",
		`{"tid":"a","x":1}`:           "",
		`{"x":{"tid":1},"tid":"a"}`:   "",
		`{"x":["tid","tid"],"tid":1}`: "",
		`{"x":"\"tid\":1,","tid":1}`:  "",
		`{"x":"\\","tid":1}`:          "",
		`{"":1}`:                      "",
		many(64):                      "",
		many(65):                      "too many",
		`{"tid":1,"tid":1}`:           "twice",
		`{"x":1,"X":1}`:               "twice",
		`{"x":{},"x":[]}`:             "twice",
		`{"TID":1}`:                   "other letters",
		`{"\u017fub":1}`:              "escape",
		"{\"\u017fub\":1}":            "other letters", // which folds to sub
		"{\"to\u212aen\":1}":          "",
		`{"t\u0069d":1}`:              "escape",
		`[]`:                          "no object",
		`"tid"`:                       "no object",
	} {
		require.True(t, json.Valid([]byte(text)), text)
		err := checkClaimNames([]byte(text))
		if want == "" {
			assert.NoError(t, err, text)
			continue
		}
		assert.ErrorContains(t, err, want, text)
	}
}

func TestNamesThatAreReadAreThoseThatAreKnown(t *testing.T) {
	t.Parallel()
	text := `{"iss":"i","aud":"a","sub":"s","exp":1,"nbf":1,"iat":1,"jti":"j","tid":"t","role":"r","mver":1,"email":"e","email_verified":true,"kind":"key","scope":"s"}`
	var w wire
	require.NoError(t, json.Unmarshal([]byte(text), &w))
	written, err := json.Marshal(w)
	require.NoError(t, err)
	assert.Len(t, namesOf(written), len(knownClaims))
	for _, name := range namesOf(written) {
		assert.Contains(t, knownClaims, name, "%s", name)
	}
}

// FuzzNamesOf: the names are those that encoding/json finds.
func FuzzNamesOf(f *testing.F) {
	for _, text := range []string{
		`{}`, `{"a":1}`, ` {"a":{"b":1},"c":[{"d":"e"}],"f":"g"} `, `{"a\"":"\\","b":"{\"c\":"}`, `{"":""}`, `[{"a":1}]`, `{"a":[],"b":{},"c":null}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		text = bytes.TrimSpace(text)
		if !json.Valid(text) || text[0] != '{' {
			return
		}
		var want []string
		reader := json.NewDecoder(bytes.NewReader(text))
		_, err := reader.Token()
		require.NoError(t, err)
		for reader.More() && len(want) <= maxClaims {
			name, err := reader.Token()
			require.NoError(t, err)
			want = append(want, name.(string))
			var value json.RawMessage
			require.NoError(t, reader.Decode(&value))
		}
		var got []string
		for _, name := range namesOf(text) {
			var decoded string
			require.NoError(t, json.Unmarshal([]byte(`"`+string(name)+`"`), &decoded))
			got = append(got, decoded)
		}
		require.Equal(t, want, got)
	})
}
