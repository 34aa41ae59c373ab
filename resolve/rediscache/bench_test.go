package rediscache_test

import (
	"slices"
	"testing"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/resolve/rediscache"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/tenanttest"
)

// BenchmarkHit compares a look-up in the cache with one in a plain otter and with a GET from
// Redis. They take turns in short rounds, so that what else the machine does meets all of
// them alike; each figure is the median of its rounds.
func BenchmarkHit(b *testing.B) {
	client := connect(b, serverURL(b))
	p := prefix()
	shared := newShared(b, client, rediscache.SharedConfig{Prefix: p})
	bus := openBus(b, client, rediscache.BusConfig{Prefix: p})
	connected(b, bus)
	store := tenanttest.NewStore(tenant.Tenant{Slug: "acme-corp"})
	cache := newCache(b, store, shared, bus)
	acme, err := cache.Lookup(b.Context(), tenant.BySlug("acme-corp"))
	require.NoError(b, err)
	plain, err := otter.New(&otter.Options[tenant.Ref, tenant.Tenant]{MaximumSize: 10_000, ExpiryCalculator: otter.ExpiryWriting[tenant.Ref, tenant.Tenant](time.Hour)})
	require.NoError(b, err)
	defer plain.StopAllGoroutines()
	slug, id := tenant.BySlug("acme-corp"), tenant.ByID(acme.ID)
	plain.Set(slug, acme)
	require.NoError(b, client.Set(b.Context(), p, "the size of a tenant does not matter here", time.Hour).Err())

	contenders := []struct {
		name  string
		calls int
		call  func() error
	}{
		{"cache-by-slug", 20_000, func() error { _, err := cache.Lookup(b.Context(), slug); return err }},
		{"cache-by-id", 20_000, func() error { _, err := cache.Lookup(b.Context(), id); return err }},
		{"plain-otter", 20_000, func() error { _, _ = plain.GetIfPresent(slug); return nil }},
		{"redis-get", 50, func() error { return client.Get(b.Context(), p).Err() }},
		{"shared-get", 50, func() error { _, _, _, err := shared.Get(b.Context(), slug); return err }},
	}
	times := make([][]float64, len(contenders))
	for b.Loop() {
		for i, c := range contenders {
			began := time.Now()
			for range c.calls {
				if err := c.call(); err != nil {
					b.Fatal(err)
				}
			}
			times[i] = append(times[i], float64(time.Since(began).Nanoseconds())/float64(c.calls))
		}
	}
	for i, c := range contenders {
		slices.Sort(times[i])
		b.ReportMetric(times[i][len(times[i])/2], "ns/"+c.name)
	}
}
