package rediscache

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestBreakerLetsOneTryAfterEachRest(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	b := newBreaker(func() time.Time { return now }, nil)
	away := errors.New("away")
	for range breakAfter {
		assert.True(t, b.allow())
		assert.False(t, b.isOpen())
		b.fail(t.Context(), away)
	}
	for range 3 {
		assert.True(t, b.isOpen())
		now = now.Add(restTime - 1)
		assert.False(t, b.allow(), "it rests")
		now = now.Add(1)
		assert.True(t, b.allow(), "one may try")
		assert.False(t, b.allow(), "and no other meanwhile")
		b.fail(t.Context(), away)
	}
	now = now.Add(restTime)
	assert.True(t, b.allow())
	now = now.Add(restTime)
	assert.True(t, b.allow(), "the one who tried was never heard of again")
	b.succeed(t.Context())
	assert.True(t, b.allow())
	assert.True(t, b.allow())
}

func TestBreakerCountsFailuresInARow(t *testing.T) {
	t.Parallel()
	b := newBreaker(nil, nil)
	for range 3 {
		for range breakAfter - 1 {
			b.fail(t.Context(), errors.New("away"))
		}
		assert.False(t, b.isOpen())
		b.succeed(t.Context())
	}
}
