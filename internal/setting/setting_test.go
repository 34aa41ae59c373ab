package setting_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/setting"
)

func TestZeroBecomesTheStandardAndNothingElseChanges(t *testing.T) {
	t.Parallel()
	for before, after := range map[time.Duration]time.Duration{0: time.Minute, time.Second: time.Second, time.Hour: time.Hour, 2 * time.Second: 2 * time.Second} {
		value := before
		require.NoError(t, setting.Complete("Timeout", &value, time.Minute, time.Second, time.Hour))
		assert.Equal(t, after, value)
	}
}

func TestErrorSaysWhatTheSettingIsAndMayBe(t *testing.T) {
	t.Parallel()
	for value, want := range map[time.Duration]string{
		-time.Second:              "Timeout is -1s, and must be from 1s to 1h0m0s",
		time.Second - 1:           "Timeout is 999.999999ms, and must be from 1s to 1h0m0s",
		time.Hour + 1:             "Timeout is 1h0m0.000000001s, and must be from 1s to 1h0m0s",
		time.Duration(1<<63 - 1):  "Timeout is 2562047h47m16.854775807s, and must be from 1s to 1h0m0s",
		-time.Duration(1<<63 - 1): "Timeout is -2562047h47m16.854775807s, and must be from 1s to 1h0m0s",
	} {
		before := value
		require.EqualError(t, setting.Complete("Timeout", &value, time.Minute, time.Second, time.Hour), want)
		assert.Equal(t, before, value)
	}
	share := math.NaN()
	require.EqualError(t, setting.Complete("Share", &share, 1, 0.1, 1), "Share is NaN, and must be from 0.1 to 1")
	size := 11
	require.EqualError(t, setting.Complete("Size", &size, 5, 1, 10), "Size is 11, and must be from 1 to 10")
}

func TestBelowZeroTurnsOffWhatCanBe(t *testing.T) {
	t.Parallel()
	for before, after := range map[int]int{-1: -1, -1 << 62: -1 << 62, 0: 5, 1: 1, 10: 10} {
		value := before
		require.NoError(t, setting.CompleteOrOff("Failures", &value, 5, 1, 10))
		assert.Equal(t, after, value)
	}
	over := 11
	require.EqualError(t, setting.CompleteOrOff("Failures", &over, 5, 1, 10), "Failures is 11, and must be from 1 to 10")
}
