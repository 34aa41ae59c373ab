package quota

import (
	"context"
	_ "embed" // the scripts
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tenantwall/tenantwall/tenant"
)

// Redis is the [Backend] on Redis, from version 5 on: a single server, one watched by
// Sentinel, or a cluster. What a tenant has used is in one hash, with a sorted set for each
// concurrency limit beside it, all in one slot of a cluster; each step is one script, in
// one trip. Keys end by themselves, so idle tenants take no memory. Make one with
// [NewRedis].
//
// Only Redis's own clock counts. After a fail-over to a replica that had not received all,
// what is missing has not been used, as far as it knows.
type Redis struct {
	client redis.UniversalClient
	prefix string
	admit  script
	giving script
	renew  script

	now func() int64 // microseconds since 1970; nil for Redis's clock. Tests alone set it.
}

// RedisConfig says how [Redis] keeps its keys. The zero value is good for use.
type RedisConfig struct {
	// Prefix begins each key, for services that share a Redis: up to MaxPrefixLen bytes
	// without braces. Empty means DefaultPrefix.
	Prefix string
}

// Bounds of [RedisConfig].
const (
	DefaultPrefix = "q:"
	MaxPrefixLen  = 64
)

//go:embed admit.lua
var admitScript string

//go:embed return.lua
var returnScript string

//go:embed renew.lua
var renewScript string

// NewRedis makes a Redis that uses client, which stays the caller's to close. The client
// has to be made with ContextTimeoutEnabled, or a slow Redis would hold requests past the
// limiter's time-out; and best with MaxRetries -1, because a call that is sent again after
// it was lost on the way back takes twice.
func NewRedis(client redis.UniversalClient, cfg RedisConfig) (*Redis, error) {
	if client == nil {
		return nil, errors.New("quota: the Redis client is nil")
	}
	if !endsWithContext(client) {
		return nil, errors.New("quota: the Redis client waits longer than its context says: set ContextTimeoutEnabled in its options")
	}
	switch {
	case cfg.Prefix == "":
		cfg.Prefix = DefaultPrefix
	case len(cfg.Prefix) > MaxPrefixLen:
		return nil, fmt.Errorf("quota: the prefix of %d bytes is longer than %d", len(cfg.Prefix), MaxPrefixLen)
	case strings.ContainsAny(cfg.Prefix, "{}"):
		return nil, errors.New("quota: the prefix has a brace, which would make all tenants one slot of a cluster")
	}
	return &Redis{
		client: client, prefix: cfg.Prefix,
		admit: newScript(admitScript), giving: newScript(returnScript), renew: newScript(renewScript),
	}, nil
}

// endsWithContext reports whether calls of client end with their context, as far as its
// type tells.
func endsWithContext(client redis.UniversalClient) bool {
	switch c := client.(type) {
	case *redis.Client:
		return c.Options().ContextTimeoutEnabled
	case *redis.ClusterClient:
		return c.Options().ContextTimeoutEnabled
	case *redis.Ring:
		return c.Options().ContextTimeoutEnabled
	}
	return true
}

// Admit implements [Backend], in one trip to Redis, or two when it doesn't know the script.
func (r *Redis) Admit(ctx context.Context, in tenant.ID, ask Ask) (Answer, error) {
	call := r.call(in, 1+len(ask.Slots), ask.manyArgs())
	for i := range ask.Slots {
		call.addSlots(ask.Slots[i].Name)
	}
	call.args = ask.appendArgs(call.args, r.time())
	answer, err := call.run(ctx, &r.admit)
	if err != nil {
		return Answer{}, fmt.Errorf("quota: admit: %w", err)
	}
	return ask.read(answer)
}

// Return implements [Backend].
func (r *Redis) Return(ctx context.Context, in tenant.ID, back Back) error {
	call := r.call(in, 1+len(back.Slots), back.manyArgs())
	for i := range back.Slots {
		call.addSlots(back.Slots[i].Name)
	}
	call.args = back.appendArgs(call.args, r.time())
	if _, err := call.run(ctx, &r.giving); err != nil {
		return fmt.Errorf("quota: return: %w", err)
	}
	return nil
}

// Renew implements [Backend].
func (r *Redis) Renew(ctx context.Context, in tenant.ID, slot HeldSlot, ttl time.Duration) (bool, error) {
	call := r.call(in, 2, 4)
	call.addSlots(slot.Name)
	call.args = append(call.args, r.time(), slot.ID, ttl.Microseconds(), slotsField+slot.Name)
	renewed, err := call.run(ctx, &r.renew)
	if err != nil {
		return false, fmt.Errorf("quota: renew: %w", err)
	}
	return len(renewed) == 1 && renewed[0] == 1, nil
}

func (r *Redis) time() int64 {
	if r.now == nil {
		return 0
	}
	return r.now()
}
