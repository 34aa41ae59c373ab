package devstack

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/tenantwall/tenantwall/internal/localserver"
)

// redisDialTimeout bounds an attempt to connect: what Redis does for the examples they can
// do without for a moment.
const redisDialTimeout = time.Second

// RedisConfig says which Redis to use. The zero value is an embedded one that keeps nothing.
type RedisConfig struct {
	// URL is that of a server that exists, as [redis.ParseURL] takes it. Empty, a server is
	// started.
	URL string
}

// Redis is a client, and the server behind it if it was started. Its methods may be called
// from several goroutines at once.
type Redis struct {
	client *redis.Client
	url    string
	stop   func() error // nil with a URL
	where  string
}

// StartRedis starts a server, or takes the one of the URL, which needs not be there yet.
// Where no Redis is installed, an imitation runs inside this process: that is enough to see
// the examples work, and joins no other process. ctx bounds the start alone. The caller must
// Close what is returned.
func StartRedis(ctx context.Context, cfg RedisConfig) (*Redis, error) {
	r, url := &Redis{}, cfg.URL
	var err error
	if url == "" {
		if url, err = r.start(ctx); err != nil {
			return nil, err
		}
	}
	r.url = url
	if r.client, err = r.NewClient(nil); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	if r.where == "" {
		r.where = "at " + r.client.Options().Addr
	}
	return r, nil
}

// NewClient is a further client of the server, with options that change has changed; nil
// changes none. The caller must Close it.
func (r *Redis) NewClient(change func(*redis.Options)) (*redis.Client, error) {
	options, err := redis.ParseURL(r.url)
	if err != nil { // it may quote the password
		return nil, errors.New("REDIS_URL is no URL of a Redis server: redis://user:password@host:port/0")
	}
	options.ContextTimeoutEnabled = true
	options.DialTimeout, options.DialerRetries = redisDialTimeout, 1
	if change != nil {
		change(options)
	}
	return redis.NewClient(options), nil
}

// start starts what there is, and returns its URL.
func (r *Redis) start(ctx context.Context) (string, error) {
	server, err := localserver.StartRedis(ctx, localserver.RedisConfig{})
	if err == nil {
		r.stop, r.where = server.Close, "embedded, at "+server.Addr()
		return server.URL(), nil
	}
	if !errors.Is(err, localserver.ErrMissing) {
		return "", err
	}
	return r.imitate()
}

// imitate starts what is enough of a Redis for one process.
func (r *Redis) imitate() (string, error) {
	imitation := miniredis.NewMiniRedis()
	if err := imitation.Start(); err != nil {
		return "", fmt.Errorf("start miniredis: %w", err)
	}
	r.stop = func() error { imitation.Close(); return nil }
	r.where = "no redis-server is installed, so an imitation runs in this process, at " + imitation.Addr()
	return "redis://" + imitation.Addr(), nil
}

// Client is a client of the server. It is closed by Close.
func (r *Redis) Client() *redis.Client { return r.client }

// String says where the server runs.
func (r *Redis) String() string { return r.where }

// Close disconnects, and stops the server if it was started. It takes up to 2 s.
func (r *Redis) Close() error {
	var errs []error
	if r.client != nil {
		errs = append(errs, r.client.Close())
	}
	if r.stop != nil {
		errs = append(errs, r.stop())
	}
	return errors.Join(errs...)
}
