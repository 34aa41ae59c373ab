package resolve

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/tenantwall/tenantwall/tenant"
)

func TestFloorsAreBounded(t *testing.T) {
	t.Parallel()
	f := floors{all: math.MinInt64}
	old, outdated := tenant.NewID(), time.Duration(0)
	f.raise(old, 5, outdated)
	for i := range 3 * maxFloors {
		f.raise(tenant.NewID(), 2, time.Duration(i))
		assert.LessOrEqual(t, len(f.byID), maxFloors)
	}
	assert.True(t, f.outdated(old, 4, outdated), "one floor stands for all")
}

func TestFloorsThatAreOfNoUseMakeRoom(t *testing.T) {
	t.Parallel()
	f := floors{all: math.MinInt64}
	for range maxFloors - 1 {
		f.raise(tenant.NewID(), 2, 0)
	}
	recent := tenant.NewID()
	f.raise(recent, 7, MaxConnectedTTL)
	f.raise(tenant.NewID(), 2, MaxConnectedTTL+1)
	assert.Len(t, f.byID, 2, "what was told more than the bound ago is gone")
	assert.True(t, f.outdated(recent, 6, MaxConnectedTTL+1))
	assert.False(t, f.outdated(tenant.NewID(), 1, 0), "nobody else's state is outdated for that")
}
