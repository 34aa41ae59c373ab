package tenant_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
)

const idText = "01890a5d-ac96-774b-bcce-b302099a8057"

var zeroText = tenant.ID{}.String()

// badIDs are texts that some reader or other takes for a UUID, or for the start of one.
var badIDs = map[string]string{
	"empty":             "",
	"zero":              "00000000-0000-0000-0000-000000000000",
	"upper case":        strings.ToUpper(idText),
	"mixed case":        "01890a5d-ac96-774b-bcce-b302099a805F",
	"no hyphens":        "01890a5dac96774bbcceb302099a8057",
	"braces":            "{" + idText + "}",
	"a URN":             "urn:uuid:" + idText,
	"a space in front":  " " + idText,
	"a line break":      idText + "\n",
	"one too short":     idText[:35],
	"one too long":      idText + "0",
	"no hexadecimal":    "01890a5d-ac96-774b-bcce-b302099a805g",
	"a hyphen moved":    "01890a5-dac96-774b-bcce-b302099a8057",
	"a hyphen too many": "01890a5d-ac96-774b-bcce-b302099a80-7",
	"a NUL":             "01890a5d-ac96-774b-bcce-b302099a805\x00",
	"full-width digits": "０1890a5d-ac96-774b-bcce-b302099a80",
}

func TestIDReadsTheFormItWrites(t *testing.T) {
	t.Parallel()
	id, err := tenant.ParseID(idText)
	require.NoError(t, err)
	assert.Equal(t, idText, id.String())
	assert.Equal(t, time.UnixMilli(0x01890a5dac96).UTC(), id.Time())

	appended, err := id.AppendText([]byte("id="))
	require.NoError(t, err)
	assert.Equal(t, "id="+idText, string(appended))
}

func TestIDOfAnyVersionIsRead(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"6ba7b810-9dad-11d1-80b4-00c04fd430c8",
		"f47ac10b-58cc-4372-a567-0e02b2c3d479",
		"ffffffff-ffff-ffff-ffff-ffffffffffff",
	} {
		id, err := tenant.ParseID(text)
		require.NoError(t, err)
		assert.Equal(t, text, id.String())
	}
}

func TestRow20_TextThatIsNoCanonicalIDIsRefused(t *testing.T) {
	t.Parallel()
	for name, text := range badIDs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id, err := tenant.ParseID(text)
			require.ErrorIs(t, err, tenant.ErrBadID)
			assert.Zero(t, id)
			if text != "" {
				assert.NotContains(t, err.Error(), text, "the text is the client's and stays out of logs")
			}
		})
	}
}

func TestNewIDIsVersion7AndSortsByTime(t *testing.T) {
	t.Parallel()
	before := time.Now().Truncate(time.Millisecond)
	id := tenant.NewID()
	after := time.Now()
	assert.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, id.String())
	assert.False(t, id.Time().Before(before) || id.Time().After(after), "%v is not within %v and %v", id.Time(), before, after)
	assert.NotEqual(t, id, tenant.NewID())

	random := strings.Repeat("\xff", 10) + strings.Repeat("\x00", 10)
	source := strings.NewReader(random)
	first, err := tenant.NewIDFrom(before, source)
	require.NoError(t, err)
	second, err := tenant.NewIDFrom(before.Add(time.Millisecond), source)
	require.NoError(t, err)
	assert.Negative(t, bytes.Compare(first[:], second[:]))
	assert.Less(t, first.String(), second.String())
}

func TestNewIDFromIsBuiltAsTheRFCSays(t *testing.T) {
	t.Parallel()
	// The example of RFC 9562, A.6: 0x017F22E279B0, rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F.
	random := bytes.NewReader([]byte{0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f})
	id, err := tenant.NewIDFrom(time.UnixMilli(0x017f22e279b0), random)
	require.NoError(t, err)
	assert.Equal(t, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f", id.String())
}

func TestNewIDFromTakesMomentsOutOfRangeModulo48Bits(t *testing.T) {
	t.Parallel()
	for _, moment := range []time.Time{time.UnixMilli(1<<48 + 5), time.UnixMilli(5 - 1<<48)} {
		id, err := tenant.NewIDFrom(moment, bytes.NewReader(make([]byte, 10)))
		require.NoError(t, err)
		assert.Equal(t, time.UnixMilli(5).UTC(), id.Time())
	}
}

func TestNewIDFromFailsWithItsRandomness(t *testing.T) {
	t.Parallel()
	broken := errors.New("no entropy")
	id, err := tenant.NewIDFrom(time.Now(), iotest.ErrReader(broken))
	require.ErrorIs(t, err, broken)
	assert.Zero(t, id)
	_, err = tenant.NewIDFrom(time.Now(), strings.NewReader("too short"))
	require.Error(t, err)
}

func TestIDIsAJSONString(t *testing.T) {
	t.Parallel()
	type holder struct {
		ID   tenant.ID         `json:"id"`
		Zero tenant.ID         `json:"zero"`
		Map  map[tenant.ID]int `json:"map"`
	}
	id, err := tenant.ParseID(idText)
	require.NoError(t, err)
	want := holder{ID: id, Map: map[tenant.ID]int{id: 1}}
	text, err := json.Marshal(want)
	require.NoError(t, err)
	assert.JSONEq(t, `{"id":"`+idText+`","zero":"`+zeroText+`","map":{"`+idText+`":1}}`, string(text))

	var got holder
	require.NoError(t, json.Unmarshal(text, &got))
	assert.Equal(t, want, got)

	kept := id
	require.ErrorIs(t, json.Unmarshal([]byte(`"`+strings.ToUpper(idText)+`"`), &kept), tenant.ErrBadID)
	assert.Equal(t, id, kept, "what can't be read changes nothing")
}

func TestIDIsAnSQLValue(t *testing.T) {
	t.Parallel()
	id, err := tenant.ParseID(idText)
	require.NoError(t, err)
	value, err := id.Value()
	require.NoError(t, err)
	assert.Equal(t, idText, value)
	value, err = tenant.ID{}.Value()
	require.NoError(t, err)
	assert.Nil(t, value, "the zero ID is NULL")

	for name, src := range map[string]any{
		"text": idText, "text as bytes": []byte(idText), "16 bytes": id[:], "an array": [16]byte(id),
	} {
		var got tenant.ID
		require.NoError(t, got.Scan(src), name)
		assert.Equal(t, id, got, name)
	}
	got := id
	require.NoError(t, got.Scan(nil))
	assert.Zero(t, got, "NULL is the zero ID")

	for _, src := range []any{"", "acme-corp", []byte{1, 2, 3}, 7, true, time.Time{}} {
		got := id
		require.ErrorIs(t, got.Scan(src), tenant.ErrBadID, "%T %v", src, src)
		assert.Equal(t, id, got)
	}
}

func FuzzParseID(f *testing.F) {
	f.Add(idText)
	f.Add("ffffffff-ffff-4fff-bfff-ffffffffffff")
	for _, text := range badIDs {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, err := tenant.ParseID(text)
		if err != nil {
			require.ErrorIs(t, err, tenant.ErrBadID)
			require.Zero(t, id)
			return
		}
		require.Equal(t, text, id.String(), "an id has one spelling")
		require.False(t, id.IsZero())
		var scanned tenant.ID
		require.NoError(t, scanned.Scan(id[:]))
		require.Equal(t, id, scanned)
	})
}
