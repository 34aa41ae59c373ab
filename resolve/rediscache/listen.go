package rediscache

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tenantwall/tenantwall/resolve"
)

const (
	// Pauses between two attempts to connect, at most: the first, which doubles, and the last.
	minPause = 50 * time.Millisecond
	maxPause = 2 * time.Second
)

// errSilent is why a connection is given up from which nothing came.
var errSilent = errors.New("no sign of life from the server")

// listen keeps a subscription, until ctx ends.
func (b *Bus) listen(ctx context.Context) {
	pause := minPause
	for ctx.Err() == nil {
		began := time.Now()
		err := b.session(ctx)
		b.lose(ctx, err)
		if time.Since(began) > maxPause {
			pause = minPause
		}
		select {
		case <-ctx.Done():
		case <-time.After(rand.N(pause)):
		}
		pause = min(2*pause, maxPause)
	}
}

// lose marks the bus as lost, once.
func (b *Bus) lose(ctx context.Context, err error) {
	if !b.connected.CompareAndSwap(true, false) || ctx.Err() != nil {
		return
	}
	b.counts.lost.Add(1)
	b.log.WarnContext(ctx, "changes of other processes no longer come in", "error", err)
	if b.cfg.OnLost != nil {
		b.cfg.OnLost()
	}
}

// session is one subscription, from its beginning to its end. The client would mend a broken
// one by itself, and nobody would know of the messages that were missed: so each failure
// ends the session, and the next one has a subscription of its own.
func (b *Bus) session(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	sub := b.client.Subscribe(ctx) // to nothing yet: it doesn't connect
	heard := &signs{from: time.Now()}

	var group sync.WaitGroup
	defer group.Wait()
	defer cancel(nil)
	group.Go(func() { b.watch(ctx, cancel, heard); _ = sub.Close() })
	group.Go(func() { b.ping(ctx, cancel, sub) })

	if err := b.subscribe(ctx, sub); err != nil {
		return err
	}
	for subscribed := false; ; {
		got, err := sub.Receive(ctx)
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				err = cause // the read failed because the connection was given up
			}
			return err
		}
		heard.note()
		switch got := got.(type) {
		case *redis.Message:
			b.receive(ctx, got.Payload)
		case *redis.Subscription:
			if got.Kind != "subscribe" {
				continue
			}
			if subscribed {
				return errors.New("the client has connected anew by itself")
			}
			subscribed = true
			b.regain(ctx)
		}
	}
}

// subscribe connects and sends the subscription. That has a deadline, because a read that
// waits for a greeting is not ended by a context that is cancelled.
func (b *Bus) subscribe(ctx context.Context, sub *redis.PubSub) error {
	ctx, cancel := context.WithTimeout(ctx, b.cfg.Silence)
	defer cancel()
	return sub.Subscribe(ctx, b.channel)
}

// regain tells everybody that changes may have been missed, and from now on are not.
func (b *Bus) regain(ctx context.Context) {
	b.deliverAll()
	if context.Cause(ctx) != nil {
		return
	}
	b.connected.Store(true)
	if context.Cause(ctx) != nil { // given up meanwhile, and lose has found nothing to lose
		b.connected.Store(false)
		return
	}
	b.log.InfoContext(ctx, "changes of other processes come in")
	if b.cfg.OnReconnect != nil {
		b.cfg.OnReconnect()
	}
}

// receive delivers a message.
func (b *Bus) receive(ctx context.Context, text string) {
	c, err := decodeChange(text)
	if err != nil {
		b.counts.malformed.Add(1)
		b.log.DebugContext(ctx, "a message on the bus can't be read", "error", err)
		return
	}
	b.counts.received.Add(1)
	b.deliver(c)
}

// watch gives the session up after a silence, and returns when it has ended.
func (b *Bus) watch(ctx context.Context, giveUp context.CancelCauseFunc, heard *signs) {
	timer := time.NewTimer(b.cfg.Silence)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		rest := b.cfg.Silence - heard.since()
		if rest <= 0 {
			err := fmt.Errorf("%w for %s", errSilent, b.cfg.Silence)
			giveUp(err)
			b.lose(context.WithoutCancel(ctx), err)
			return
		}
		timer.Reset(rest)
	}
}

// ping asks for signs of life, and says what this process could not say before.
func (b *Bus) ping(ctx context.Context, giveUp context.CancelCauseFunc, sub *redis.PubSub) {
	ticker := time.NewTicker(b.cfg.PingEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := b.pingOnce(ctx, sub); err != nil {
			giveUp(err)
			return
		}
		if b.Connected() {
			b.catchUp(ctx)
		}
	}
}

func (b *Bus) pingOnce(ctx context.Context, sub *redis.PubSub) error {
	ctx, cancel := context.WithTimeout(ctx, b.cfg.Silence)
	defer cancel()
	return sub.Ping(ctx)
}

// catchUp publishes that anything may have changed of the kinds of which a change could not
// be published.
func (b *Bus) catchUp(ctx context.Context) {
	b.mu.Lock()
	kinds := make([]resolve.Kind, 0, len(b.unsaid))
	for kind := range b.unsaid {
		kinds = append(kinds, kind)
	}
	clear(b.unsaid)
	b.mu.Unlock()
	for _, kind := range kinds {
		_ = b.Publish(ctx, resolve.Change{Kind: kind}) // what fails is unsaid again
	}
}

// signs is when a sign of life came last.
type signs struct {
	from time.Time
	last atomic.Int64 // ns after from
}

func (s *signs) note()                { s.last.Store(int64(time.Since(s.from))) }
func (s *signs) since() time.Duration { return time.Since(s.from) - time.Duration(s.last.Load()) }
