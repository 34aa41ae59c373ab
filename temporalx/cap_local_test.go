package temporalx_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/internal/testclock"
	"github.com/tenantwall/tenantwall/temporalx"
	"github.com/tenantwall/tenantwall/tenant"
)

func newCap(t *testing.T, cfg temporalx.CapConfig) (*temporalx.Cap, *testclock.Clock) {
	t.Helper()
	c := testclock.At(time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC))
	cfg.Now = c.Now
	slots, err := temporalx.NewCap(cfg)
	require.NoError(t, err)
	return slots, c
}

func active(plan string) tenant.Tenant {
	return tenant.Tenant{ID: tenant.NewID(), Status: tenant.StatusActive, Plan: plan}
}

func TestACapRefusesWhatIsAboveItAndNoOtherTenant(t *testing.T) {
	t.Parallel()
	slots, _ := newCap(t, temporalx.CapConfig{PerTenant: 2})
	acme, beta := active(""), active("")
	first, _, err := slots.Acquire(t.Context(), acme, "Export")
	require.NoError(t, err)
	require.NotNil(t, first)
	second, _, _ := slots.Acquire(t.Context(), acme, "Import")
	require.NotNil(t, second)
	assert.Equal(t, 2, slots.Running(acme.ID))

	third, after, err := slots.Acquire(t.Context(), acme, "Export")
	require.NoError(t, err)
	assert.Nil(t, third)
	assert.Positive(t, after)
	others, _, _ := slots.Acquire(t.Context(), beta, "Export")
	require.NotNil(t, others, "another tenant has slots of its own")

	first()
	again, _, _ := slots.Acquire(t.Context(), acme, "Export")
	assert.NotNil(t, again)
}

func TestACapIsThatOfThePlanAndOfTheActivitiesThatItNames(t *testing.T) {
	t.Parallel()
	slots, _ := newCap(t, temporalx.CapConfig{PerTenant: 1, Plans: map[string]int{"pro": 2, "unbounded": 0}, Activities: []string{"Export"}})
	for plan, most := range map[string]int{"": 1, "free": 1, "pro": 2, "unbounded": 50} {
		of := active(plan)
		for n := range 50 {
			release, _, _ := slots.Acquire(t.Context(), of, "Export")
			assert.Equal(t, n < most, release != nil, "%s: activity %d", plan, n+1)
			release, _, _ = slots.Acquire(t.Context(), of, "Short")
			assert.NotNil(t, release, "an activity that is not named is not counted")
		}
	}
}

// Row 41: a backlog comes back about as fast as slots become free, and not all at once.
func TestWhatACapRefusesComesBackAtThePaceOfTheSlots(t *testing.T) {
	t.Parallel()
	slots, clock := newCap(t, temporalx.CapConfig{PerTenant: 2, MaxRetry: 20 * time.Second})
	of := active("")
	_, _, _ = slots.Acquire(t.Context(), of, "Export")
	for range 100 { // until it is known that they take 3 s
		release, _, _ := slots.Acquire(t.Context(), of, "Export")
		clock.Pass(3 * time.Second)
		release()
	}
	_, _, _ = slots.Acquire(t.Context(), of, "Export")
	for n := 1; n <= 50; n++ {
		_, after, _ := slots.Acquire(t.Context(), of, "Export")
		want := min(time.Duration(n)*1500*time.Millisecond, 20*time.Second)
		assert.InDelta(t, want, after, float64(50*time.Millisecond), "refused activity %d", n)
	}
	clock.Pass(time.Hour)
	_, after, _ := slots.Acquire(t.Context(), of, "Export")
	assert.InDelta(t, 1500*time.Millisecond, after, float64(50*time.Millisecond), "nobody waits any more")
}

func TestACapIsNeverPassedByManyAtOnce(t *testing.T) {
	t.Parallel()
	slots, _ := newCap(t, temporalx.CapConfig{PerTenant: 3})
	of := active("")
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 200 {
				release, _, _ := slots.Acquire(t.Context(), of, "Export")
				assert.LessOrEqual(t, slots.Running(of.ID), 3)
				if release != nil {
					release()
				}
			}
		})
	}
	all.Wait()
	assert.Zero(t, slots.Running(of.ID))
}

func TestSettingsOfACapAreChecked(t *testing.T) {
	t.Parallel()
	for want, cfg := range map[string]temporalx.CapConfig{
		"PerTenant is 0":       {},
		"PerTenant is -1":      {PerTenant: -1},
		`Plans["pro"] is -1`:   {PerTenant: 1, Plans: map[string]int{"pro": -1}},
		"MaxRetry is 1ms":      {PerTenant: 1, MaxRetry: time.Millisecond},
		"MaxRetry is 1h0m0.1s": {PerTenant: 1, MaxRetry: time.Hour + 100*time.Millisecond},
	} {
		_, err := temporalx.NewCap(cfg)
		assert.ErrorContains(t, err, want)
	}
}
