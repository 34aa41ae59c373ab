package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// All contenders and workloads run; what they cost is not looked at.
func TestEverythingRuns(t *testing.T) { //nolint:paralleltest // testing.AllocsPerRun counts the whole process
	require.NoError(t, run(t.Context(), []string{
		"-tenants", "1,3", "-rounds", "2", "-slice", "5ms", "-warm-up", "15ms", "-callers", "4", "-pool", "2",
	}))
}

func TestBadFlags(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"-tenants", ""}, {"-tenants", "1,x"}, {"-tenants", "0"}, {"-rounds", "0"}, {"-slice", "0s"}, {"-callers", "0"},
		{"-pool", "0"}, {"-contenders", "("}, {"-workloads", "("},
	} {
		_, err := parse(args)
		require.Error(t, err, "%v", args)
	}
}

func TestMedian(t *testing.T) {
	t.Parallel()
	assert.InDelta(t, 2, middle([]float64{3, 1, 2}), 0)
	assert.InDelta(t, 2.5, middle([]float64{4, 1, 2, 3}), 0)
}
