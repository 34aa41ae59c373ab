package rediscache

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestAgeIsNeverLessThanItIs(t *testing.T) {
	t.Parallel()
	body := `{"id":"01890a5d-ac96-774b-bcce-b302099a8057","slug":"acme-corp","status":"active","version":3}`
	_, age, state := decodeValue("1"+encodeVersion(3)+"00000000001000"+body, 1000)
	assert.Equal(t, whole, state)
	assert.Equal(t, time.Millisecond, age, "times are cut to whole milliseconds")
}

func TestValueWithoutAnIDIsNone(t *testing.T) {
	t.Parallel()
	_, _, state := decodeValue("1"+encodeVersion(3)+"00000000001000"+`{"slug":"acme-corp","status":"active","version":3}`, 1000)
	assert.Equal(t, corrupt, state)
}

func TestVersionsBelowZeroCountAsZero(t *testing.T) {
	t.Parallel()
	assert.Equal(t, encodeVersion(0), encodeVersion(-1), "and not as the greatest")
	assert.Less(t, encodeVersion(9), encodeVersion(10), "they compare as text")
}
