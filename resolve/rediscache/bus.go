package rediscache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tenantwall/tenantwall/internal/setting"
	"github.com/tenantwall/tenantwall/resolve"
)

// Defaults and bounds of a [Bus].
const (
	DefaultPingEvery      = 500 * time.Millisecond
	DefaultSilence        = 1500 * time.Millisecond
	DefaultPublishTimeout = 250 * time.Millisecond

	// MinSilence and MaxSilence bound BusConfig.Silence: an answer takes its time, and what
	// was trusted in the meantime stays within [resolve.MaxCacheTTL].
	MinSilence = 10 * time.Millisecond
	MaxSilence = resolve.MaxCacheTTL
)

// BusConfig says how a [Bus] works. The zero value is good for use.
type BusConfig struct {
	// Prefix begins the channel's name, as [SharedConfig].Prefix does those of keys.
	Prefix string

	// Silence is after how long without a sign of life from the server the bus counts as
	// lost, from MinSilence to MaxSilence; 0 means DefaultSilence. A connection that breaks is
	// noticed at once.
	Silence time.Duration

	// PingEvery is how often the server is asked for a sign of life, from a millisecond to
	// below Silence; 0 means DefaultPingEvery, or a third of a Silence that is set.
	PingEvery time.Duration

	// PublishTimeout bounds a Publish, from a millisecond to a second; 0 means
	// DefaultPublishTimeout.
	PublishTimeout time.Duration

	// OnLost is called when changes no longer come in, and OnReconnect when they come in
	// again, after all subscribers were told that they may have missed some. They return
	// soon. Nil calls nothing. The first connection is a reconnect as well.
	OnLost, OnReconnect func()

	// Now is the clock of the breaker; nil means [time.Now].
	Now func() time.Time

	// Logger is told when the bus is lost and back, and of messages that can't be read. Nil
	// means nobody.
	Logger *slog.Logger
}

// Bus is a [resolve.Bus] on Redis's publish and subscribe. Make one with [OpenBus]. It is
// safe for concurrent use.
//
// Redis keeps no messages. So whenever the connection was away, each subscriber is told that
// anything may have changed, before Connected says true again. And a bus whose own Publish
// has failed tells everybody so as soon as it can: the others, who never lost their
// connection, would not know.
type Bus struct {
	client  redis.UniversalClient
	cfg     BusConfig
	channel string
	breaker *breaker
	log     *slog.Logger

	connected atomic.Bool
	counts    busCounts

	mu       sync.Mutex
	handlers map[resolve.Kind][]*handler
	unsaid   map[resolve.Kind]struct{} // kinds of which a change could not be published

	end  context.CancelFunc
	done sync.WaitGroup
}

var _ resolve.Bus = (*Bus)(nil)

type handler struct {
	mu sync.Mutex
	f  func(resolve.Change) // nil after unsubscribe
}

type busCounts struct {
	published, publishErrors, received, malformed, lost atomic.Uint64
}

// OpenBus makes a bus on a client, which stays the caller's to close after the bus, and must
// have been made with ContextTimeoutEnabled. It does not wait for a connection: Redis may be
// away when the program starts. The caller must Close it.
func OpenBus(client redis.UniversalClient, cfg BusConfig) (*Bus, error) {
	if err := checkClient(client); err != nil {
		return nil, fmt.Errorf("rediscache: open bus: %w", err)
	}
	cfg, err := cfg.complete()
	if err != nil {
		return nil, fmt.Errorf("rediscache: open bus: %w", err)
	}
	life, end := context.WithCancel(context.Background())
	b := &Bus{
		client: client, cfg: cfg, channel: cfg.Prefix + ":changes", log: cfg.Logger,
		breaker:  newBreaker(cfg.Now, nil), // the bus itself tells when Redis goes and comes
		handlers: make(map[resolve.Kind][]*handler),
		unsaid:   make(map[resolve.Kind]struct{}),
		end:      end,
	}
	b.done.Go(func() { b.listen(life) })
	return b, nil
}

// complete checks the configuration and fills in the defaults.
func (cfg BusConfig) complete() (BusConfig, error) {
	var err error
	if cfg.Prefix, err = checkPrefix(cfg.Prefix); err != nil {
		err = fmt.Errorf("BusConfig.Prefix %w", err)
	}
	problems := []error{
		err,
		setting.Complete("BusConfig.Silence", &cfg.Silence, DefaultSilence, MinSilence, MaxSilence),
		setting.Complete("BusConfig.PublishTimeout", &cfg.PublishTimeout, DefaultPublishTimeout, minTimeout, maxTimeout),
	}
	switch {
	case cfg.PingEvery == 0:
		cfg.PingEvery = cfg.Silence / 3
	case cfg.PingEvery < minTimeout || cfg.PingEvery >= cfg.Silence:
		problems = append(problems, fmt.Errorf("BusConfig.PingEvery is %s, and must be from %s to below Silence, which is %s", cfg.PingEvery, minTimeout, cfg.Silence))
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return cfg, errors.Join(problems...)
}

// Publish implements [resolve.Bus]. The error is [ErrAway], that of Redis, or that of a
// change that no bus could carry: a Kind is 1 to 32 of a-z and _, a Subject has up to 256
// bytes, a Version is not below 0. When the change did not get out for another reason, all
// subscribers everywhere are told that everything of its kind may have changed, as soon as
// Redis is back.
func (b *Bus) Publish(ctx context.Context, c resolve.Change) error {
	text, err := encodeChange(c)
	if err != nil {
		return fmt.Errorf("rediscache: publish a change: %w", err)
	}
	if err := b.send(ctx, text); err != nil {
		b.counts.publishErrors.Add(1)
		b.mu.Lock()
		b.unsaid[c.Kind] = struct{}{}
		b.mu.Unlock()
		return fmt.Errorf("rediscache: publish a change: %w", err)
	}
	b.counts.published.Add(1)
	return nil
}

func (b *Bus) send(ctx context.Context, text string) error {
	if !b.breaker.allow() {
		return ErrAway
	}
	limited, cancel := context.WithTimeout(ctx, b.cfg.PublishTimeout)
	defer cancel()
	err := b.client.Publish(limited, b.channel, text).Err()
	switch {
	case err == nil:
		b.breaker.succeed(ctx)
	case ctx.Err() == nil:
		b.breaker.fail(ctx, err)
	}
	return err
}

// Subscribe implements [resolve.Bus]. A handler that panics takes the program down, as it
// would in a goroutine of its own.
func (b *Bus) Subscribe(kind resolve.Kind, f func(resolve.Change)) (unsubscribe func()) {
	h := &handler{f: f}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.handlers[kind] = append(slices.Clone(b.handlers[kind]), h)
	return func() {
		b.mu.Lock()
		b.handlers[kind] = slices.DeleteFunc(slices.Clone(b.handlers[kind]), func(other *handler) bool { return other == h })
		b.mu.Unlock()
		h.mu.Lock() // waits for a call that is under way
		defer h.mu.Unlock()
		h.f = nil
	}
}

// Connected implements [resolve.Bus]. It turns false when the connection breaks, or after
// BusConfig.Silence without a sign of life.
func (b *Bus) Connected() bool { return b.connected.Load() }

// BusStats is what a [Bus] has done since it was opened.
type BusStats struct {
	Connected     bool
	Published     uint64
	PublishErrors uint64
	Received      uint64
	Malformed     uint64 // messages that were not what this package writes, and were ignored
	Lost          uint64 // how many times changes no longer came in
}

// Stats is for metrics and readiness.
func (b *Bus) Stats() BusStats {
	return BusStats{
		Connected:     b.Connected(),
		Published:     b.counts.published.Load(),
		PublishErrors: b.counts.publishErrors.Load(),
		Received:      b.counts.received.Load(),
		Malformed:     b.counts.malformed.Load(),
		Lost:          b.counts.lost.Load(),
	}
}

// Close ends the subscription. Connected is false from then on; OnLost is not called. It
// waits for a handler that is being called, and so must not be called by one. It is safe to
// be called again.
func (b *Bus) Close() error {
	b.end()
	b.done.Wait()
	return nil
}

// deliver calls those who have subscribed to a change's kind.
func (b *Bus) deliver(c resolve.Change) {
	b.mu.Lock()
	handlers := b.handlers[c.Kind]
	b.mu.Unlock()
	for _, h := range handlers {
		h.call(c)
	}
}

// deliverAll tells every subscriber that anything may have changed.
func (b *Bus) deliverAll() {
	b.mu.Lock()
	kinds := make([]resolve.Kind, 0, len(b.handlers))
	for kind := range b.handlers {
		kinds = append(kinds, kind)
	}
	b.mu.Unlock()
	for _, kind := range kinds {
		b.deliver(resolve.Change{Kind: kind})
	}
}

func (h *handler) call(c resolve.Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.f != nil {
		h.f(c)
	}
}
