package otelx

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// CacheStats are what a cache tells of itself. Counts grow from the cache's beginning.
type CacheStats struct {
	Hits     int64
	Misses   int64
	Negative int64         // hits that say that there is nothing
	Entries  int64         // as of now
	Age      time.Duration // how old an answer may be at most, as of now
}

// PoolStats are what a pool of connections tells of itself; pgxpool.Stat has them. Counts
// grow from the pool's beginning.
type PoolStats struct {
	Acquires int64
	Waits    int64         // acquires that found no connection free
	WaitTime time.Duration // of all of them
	InUse    int64         // connections, as of now
	Idle     int64
	Max      int64
}

// ObserveCache has a cache asked for its statistics whenever metrics are collected. read is
// to be quick, and is called until Close. The error says that the name is another cache's
// already, that there are MaxNames caches, or is the meter's.
func (m *Metrics) ObserveCache(name string, read func() CacheStats) error {
	if name == "" || read == nil {
		return errors.New("otelx: ObserveCache needs a name and a function")
	}
	o, cache := &m.observed, attribute.String("cache", name)
	return m.observed.register(m.meter, &o.caches, name, func(_ context.Context, to metric.Observer) error {
		s := read()
		for result, n := range map[string]int64{"hit": s.Hits, "miss": s.Misses, "negative": s.Negative} {
			to.ObserveInt64(o.lookups, n, metric.WithAttributes(cache, attribute.String("result", result)))
		}
		to.ObserveInt64(o.entries, s.Entries, metric.WithAttributes(cache))
		to.ObserveFloat64(o.age, s.Age.Seconds(), metric.WithAttributes(cache))
		return nil
	}, o.lookups, o.entries, o.age)
}

// ObservePool has a pool of connections asked for its statistics whenever metrics are
// collected. read is to be quick, and is called until Close. The error says that the name is
// another pool's already, that there are MaxNames pools, or is the meter's.
func (m *Metrics) ObservePool(name string, read func() PoolStats) error {
	if name == "" || read == nil {
		return errors.New("otelx: ObservePool needs a name and a function")
	}
	o, pool := &m.observed, attribute.String("pool", name)
	return m.observed.register(m.meter, &o.pools, name, func(_ context.Context, to metric.Observer) error {
		s := read()
		to.ObserveInt64(o.acquires, s.Acquires, metric.WithAttributes(pool))
		to.ObserveInt64(o.waits, s.Waits, metric.WithAttributes(pool))
		to.ObserveFloat64(o.waitTime, s.WaitTime.Seconds(), metric.WithAttributes(pool))
		for state, n := range map[string]int64{"used": s.InUse, "idle": s.Idle, "max": s.Max} {
			to.ObserveInt64(o.connections, n, metric.WithAttributes(pool, attribute.String("state", state)))
		}
		return nil
	}, o.acquires, o.waits, o.waitTime, o.connections)
}

// observed are the instruments whose values are asked for.
type observed struct {
	lookups, acquires, waits metric.Int64ObservableCounter
	waitTime                 metric.Float64ObservableCounter
	entries, connections     metric.Int64ObservableGauge
	age                      metric.Float64ObservableGauge

	mu            sync.Mutex
	registrations []metric.Registration
	caches, pools map[string]struct{} // by name
	closed        bool
}

func (o *observed) make(meter metric.Meter) error {
	var errs [7]error
	o.lookups, errs[0] = meter.Int64ObservableCounter("tenantwall.cache.lookups", metric.WithDescription("Look-ups in a cache, by what came of them."))
	o.entries, errs[1] = meter.Int64ObservableGauge("tenantwall.cache.entries", metric.WithDescription("Entries of a cache."))
	o.age, errs[2] = meter.Float64ObservableGauge("tenantwall.cache.age", metric.WithUnit("s"), metric.WithDescription("How old an answer of a cache may be at most."))
	o.acquires, errs[3] = meter.Int64ObservableCounter("tenantwall.pool.acquires", metric.WithDescription("Connections taken from a pool."))
	o.waits, errs[4] = meter.Int64ObservableCounter("tenantwall.pool.waits", metric.WithDescription("Times when no connection was free."))
	o.waitTime, errs[5] = meter.Float64ObservableCounter("tenantwall.pool.wait_time", metric.WithUnit("s"), metric.WithDescription("How long callers have waited for connections, together."))
	o.connections, errs[6] = meter.Int64ObservableGauge("tenantwall.pool.connections", metric.WithDescription("Connections of a pool."))
	return errors.Join(errs[:]...)
}

// register has a function called under a name that is to be the only one of its kind.
func (o *observed) register(meter metric.Meter, kind *map[string]struct{}, name string, read metric.Callback, instruments ...metric.Observable) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return errors.New("otelx: the Metrics are closed")
	}
	if _, taken := (*kind)[name]; taken {
		return fmt.Errorf("otelx: %q is observed already", name)
	}
	if len(*kind) >= MaxNames {
		return fmt.Errorf("otelx: %q is one too many: each makes time series of its own, and %d are observed", name, MaxNames)
	}
	registration, err := meter.RegisterCallback(read, instruments...)
	if err != nil {
		return fmt.Errorf("otelx: %w", err)
	}
	if *kind == nil {
		*kind = make(map[string]struct{})
	}
	(*kind)[name] = struct{}{}
	o.registrations = append(o.registrations, registration)
	return nil
}

func (o *observed) close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	var errs []error
	for _, registration := range o.registrations {
		errs = append(errs, registration.Unregister())
	}
	o.registrations, o.closed = nil, true
	return errors.Join(errs...)
}
