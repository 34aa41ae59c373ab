package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"golang.org/x/sync/errgroup"

	"github.com/tenantwall/tenantwall/examples/internal/devstack"
	"github.com/tenantwall/tenantwall/examples/internal/temporalserver"
)

// servers are what the service stands on: its own, or those that the configuration names.
type servers struct {
	telemetry telemetry // what they do for the service

	postgres *devstack.Postgres
	redis    *devstack.Redis
	temporal *devstack.Temporal // nil in a program that was built without it, and is told of none
}

// startServers starts or finds all of them at the same time. What has been started is there
// also when the others have failed, to be closed.
func startServers(ctx context.Context, cfg config, log *slog.Logger) (s servers, err error) {
	if s.telemetry, err = openTelemetry(ctx, cfg); err != nil {
		return s, err
	}
	var starting errgroup.Group
	starting.Go(func() (err error) {
		s.postgres, err = devstack.StartPostgres(ctx, devstack.PostgresConfig{
			Dir: cfg.data, URL: cfg.databaseURL, GatewayTracer: s.telemetry.sessions(), ControlTracer: s.telemetry.statements(),
		})
		return of("PostgreSQL", err)
	})
	starting.Go(func() (err error) {
		if s.redis, err = devstack.StartRedis(ctx, devstack.RedisConfig{URL: cfg.redisURL}); err != nil {
			return of("Redis", err)
		}
		return s.telemetry.commands(s.redis.Client())
	})
	starting.Go(func() (err error) {
		s.temporal, err = devstack.StartTemporal(ctx, devstack.TemporalConfig{
			Address: cfg.temporal.address, Namespace: cfg.temporal.namespace, Dir: cfg.data, Log: log,
		})
		if errors.Is(err, temporalserver.ErrLeftOut) {
			return nil
		}
		return of("Temporal", err)
	})
	return s, starting.Wait()
}

// of says which server an error is about, for whoever reads no more than that line.
func of(server string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", server, err)
}

// tell says where each of them is.
func (s servers) tell(out io.Writer) {
	fmt.Fprintln(out, "PostgreSQL:", s.postgres)
	fmt.Fprintln(out, "Redis:", s.redis)
	if s.temporal == nil {
		fmt.Fprintln(out, "Temporal: none; this program was built without it, and TEMPORAL_ADDRESS is not set")
		return
	}
	fmt.Fprintln(out, "Temporal:", s.temporal)
}

// close stops those that were started, at the same time, and sends what they have told.
func (s servers) close() error {
	var stopping errgroup.Group
	stopping.Go(s.telemetry.close)
	if s.postgres != nil {
		stopping.Go(s.postgres.Close)
	}
	if s.redis != nil {
		stopping.Go(s.redis.Close)
	}
	if s.temporal != nil {
		stopping.Go(s.temporal.Close)
	}
	return stopping.Wait()
}
