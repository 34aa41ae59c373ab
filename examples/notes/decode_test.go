package main

import (
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
)

func decodeText(body string, into fields) error {
	r := httptest.NewRequest("POST", "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json; charset=UTF-8")
	return decode(r, into)
}

func TestDecodeTellsMissingFromEmpty(t *testing.T) {
	t.Parallel()
	var missing, empty *string
	kept := "as it was"
	require.NoError(t, decodeText("\r\n\t {\"empty\":\"\"} \n", fields{"missing": &missing, "empty": &empty, "kept": &kept}))
	assert.Nil(t, missing)
	require.NotNil(t, empty)
	assert.Empty(t, *empty)
	assert.Equal(t, "as it was", kept)
}

func TestDecodeTakesExactlyOneMiB(t *testing.T) {
	t.Parallel()
	var text string
	body := `{"text":"` + strings.Repeat("x", maxRequestBody-len(`{"text":""}`)) + `"}`
	require.Len(t, body, maxRequestBody)
	require.NoError(t, decodeText(body, fields{"text": &text}))
	err := decodeText(body+" ", fields{"text": &text})
	var told *tenant.Error
	require.ErrorAs(t, err, &told)
	assert.Equal(t, tenant.CodePayloadTooLarge, told.Code)
}

func TestDecodeTakesEveryEscapeOfAWholeCharacter(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"text":"\ud83d\ude00"}`:             "😀",
		`{"text":"\uD83D\uDE00\uD83D\uDE00"}`: "😀😀",
		`{"text":"\\ud83d"}`:                  `\ud83d`, // a backslash, and letters
		`{"text":"\u0041\\\""}`:               `A\"`,
		`{"t\u0065xt":"\ufffd\ue000\ud7ff"}`:  "\ufffd\ue000\ud7ff",
	} {
		var text string
		require.NoError(t, decodeText(body, fields{"text": &text}), body)
		assert.Equal(t, want, text)
	}
	var text string
	for _, body := range []string{`{"text":"\ud83d"}`, `{"text":"\ud83d\u0041"}`, `{"text":"\ud83d\n"}`, `{"text":"\ud83d\ud83d\ude00"}`, `{"text":"\\\ude00"}`} {
		require.ErrorIs(t, decodeText(body, fields{"text": &text}), &tenant.Error{Code: tenant.CodeBadRequest}, body)
	}
}

func TestDecodeOfABodyThatBreaksOff(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("POST", "/", io.MultiReader(strings.NewReader(`{"a":`), iotest.ErrReader(errors.New("reset"))))
	r.Header.Set("Content-Type", "application/json")
	var told *tenant.Error
	require.ErrorAs(t, decode(r, fields{}), &told)
	assert.Equal(t, tenant.CodeBadRequest, told.Code)
}

func TestDecodeNamesNoMoreThanTheBeginningOfAnUnknownField(t *testing.T) {
	t.Parallel()
	err := decodeText(`{"`+strings.Repeat("x", 10_000)+`":1}`, fields{})
	require.Error(t, err)
	assert.Less(t, len(err.Error()), 200)
}

// FuzzDecode: whatever the body, decode either fills the fields or says what is wrong in
// terms of the API, and what it fills in is valid text.
func FuzzDecode(f *testing.F) {
	for _, body := range []string{`{"title":"x","body":"y"}`, `{}`, `[]`, `{"title":null}`, `{"title":1}`, `{"title":"\ud800"}`, `{"a":1}`, `{"title":"x"}{}`, "\xff", ``, ` `} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		var title string
		var text *string
		err := decodeText(body, fields{"title": &title, "body": &text})
		if err == nil {
			if !strings.HasPrefix(strings.TrimSpace(body), "{") {
				t.Fatalf("took %q", body)
			}
			return
		}
		told, ok := errors.AsType[*tenant.Error](err)
		if !ok {
			t.Fatalf("an error for nobody: %v", err)
		}
		switch told.Code {
		case tenant.CodeBadRequest, tenant.CodeValidationFailed, tenant.CodePayloadTooLarge:
		default:
			t.Fatalf("code %s", told.Code)
		}
	})
}
