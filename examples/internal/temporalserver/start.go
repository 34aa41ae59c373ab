//go:build !notes_lean

package temporalserver

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/temporal"
)

const (
	// defaultTimeout bounds a start or a stop whose context has no deadline. On an idle
	// machine a start takes half a second, and a stop two.
	defaultTimeout = 60 * time.Second

	// closeTimeout bounds Close. The server's own limit is five minutes.
	closeTimeout = 3 * time.Second

	// portAttempts is how often a start is tried with other ports, when another process
	// has taken one between the moment it was found free and its use.
	portAttempts = 3
)

// Server is a running server. Its methods may be called from several goroutines at once.
type Server struct {
	cfg  Config
	addr string
	name string // of the database, so that a restart finds it

	mu      sync.Mutex
	running temporal.Server // nil when it was told to stop
	ended   chan error      // what is told to stop, until its end was seen
}

// Start starts a server and returns once it answers, after half a second.
//
// ctx bounds the start alone, not the server's life; without a deadline the limit is 60 s.
// The caller must Close the server.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	cfg.Namespace = cmp.Or(cfg.Namespace, DefaultNamespace)
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{cfg: cfg, name: "tenantwall-" + rand.Text()}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.start(ctx); err != nil {
		return nil, fmt.Errorf("temporalserver: %w", err)
	}
	return s, nil
}

// Restart stops the server as Stop does and starts it again, with the same address and the
// same data, those in memory too. Clients connect again by themselves. When it fails the
// server is closed. ctx bounds both; without a deadline the limit is 60 s for each.
func (s *Server) Restart(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.stop(ctx)
	if err == nil {
		err = s.start(ctx)
	}
	if err != nil {
		return fmt.Errorf("temporalserver: restart: %w", err)
	}
	return nil
}

// Stop stops the server and waits for its end for as long as ctx allows, which is
// [ErrNotStopped] then: the server goes on stopping, and Stop, Close or Restart may be called
// again to wait for it. Without a deadline the limit is 60 s.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.stop(ctx); err != nil {
		return fmt.Errorf("temporalserver: %w", err)
	}
	return nil
}

// Close is Stop for who is about to end: it waits for up to 3 s. It is safe to call it again.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	return s.Stop(ctx)
}

// start starts the server at s.addr, or where there is room and sets s.addr.
func (s *Server) start(ctx context.Context) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	store, err := openStore(ctx, s.cfg, s.name)
	if err != nil {
		return err
	}
	for attempt := 1; ; attempt++ {
		ports, err := freePorts(ctx, s.port())
		if err != nil {
			return err
		}
		err = s.run(ctx, serverConfig(store, ports))
		if errors.Is(err, errFatal) && s.port() == 0 && attempt < portAttempts {
			continue
		}
		return err
	}
}

// port is the port to use, 0 for any.
func (s *Server) port() int {
	if s.addr == "" {
		return s.cfg.Port
	}
	_, port, _ := net.SplitHostPort(s.addr)
	n, _ := strconv.Atoi(port) // it is one of freePorts
	return n
}

// run starts the server with this configuration, and waits until it answers.
func (s *Server) run(ctx context.Context, cfg *config.Config) error {
	log := newLogger(s.cfg.Log)
	running, err := build(log,
		temporal.WithConfig(cfg),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithLogger(log),
		temporal.WithDynamicConfigClient(settings(s.cfg)),
		temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper { return authorization.NewNoopClaimMapper() }),
	)
	if err != nil {
		return err
	}
	started := make(chan error, 1)
	go func() { started <- running.Start() }() // it may end by log.Fatal, and then sends nothing
	select {
	case err = <-started:
	case err = <-log.fatal:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	addr := cfg.PublicClient.HostPort
	if err == nil {
		err = answers(ctx, addr)
	}
	if err != nil {
		s.running = running
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		return errors.Join(err, s.stop(ctx))
	}
	s.addr, s.running = addr, running
	return nil
}

// build makes a server in a goroutine of its own, because log.Fatal may end that: services
// take their ports as they are made, and one may be gone by then.
func build(log *logger, options ...temporal.ServerOption) (running temporal.Server, err error) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err = errFatal // unless it gets to its end
		defer func() {
			cause := recover() // of what the server makes of a goroutine that ends
			select {
			case err = <-log.fatal:
			default:
				if cause != nil {
					err = fmt.Errorf("%w: %v", errFatal, cause)
				}
			}
		}()
		running, err = temporal.NewServer(options...)
	}()
	<-ended
	return running, err
}

// answers waits until a client is served.
func answers(ctx context.Context, addr string) error {
	c, err := client.DialContext(ctx, client.Options{HostPort: addr, Logger: quietSDK()})
	if err != nil {
		return err
	}
	c.Close()
	return nil
}

// stop tells the server to end, and waits until it has.
func (s *Server) stop(ctx context.Context) error {
	if s.running != nil {
		running, ended := s.running, make(chan error, 1)
		s.running, s.ended = nil, ended
		go func() { ended <- running.Stop() }()
	}
	if s.ended == nil {
		return nil
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	select {
	case err := <-s.ended:
		s.ended = nil
		return err
	case <-ctx.Done():
		return ErrNotStopped
	}
}

// bounded is ctx with a deadline, which is its own if it has one.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, defaultTimeout)
}
