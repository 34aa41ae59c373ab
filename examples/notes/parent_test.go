package main

import (
	"context"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAContextEndsWithTheParent(t *testing.T) {
	t.Parallel()
	lost, cancel := withParent(t.Context(), starter{parent: -1})
	defer cancel()
	select {
	case <-lost.Done():
		require.ErrorIs(t, context.Cause(lost), errOrphaned)
	case <-time.After(stopLimit):
		t.Fatal("the context goes on")
	}

	by := whoStarted()
	require.True(t, by.lives())
	kept, cancel := withParent(t.Context(), by)
	select {
	case <-kept.Done():
		t.Fatal("the parent lives")
	case <-time.After(2 * parentCheck):
	}
	cancel()
	require.ErrorIs(t, context.Cause(kept), context.Canceled)
}

func TestTheSystemTellsWhoAProcessIs(t *testing.T) {
	t.Parallel()
	for stat, want := range map[string]int{
		"12 (go) S 11 12 11": 11,
		"12 (a) b (c)) R 7 ": 7,
		"12 () S 3":          3,
		"12 (go) S":          0,
		"12 )go( S 3":        0,
		"":                   0,
	} {
		_, parent := parseStat(stat)
		assert.Equal(t, want, parent, stat)
	}
	name, _ := parseStat("12 (a) b (c)) R 7 ")
	assert.Equal(t, "a) b (c)", name)
	if runtime.GOOS == "linux" {
		_, parent := lookAt(os.Getpid())
		assert.Equal(t, os.Getppid(), parent)
	}
	name, parent := lookAt(-1)
	assert.Empty(t, name)
	assert.Zero(t, parent)
}
