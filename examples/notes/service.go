package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantwall/tenantwall/examples/internal/devstack"
	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/resolve"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// tenantMigrations make the tables that each tenant has of its own.
//
//go:embed migrations
var tenantMigrations embed.FS

// shutdownTimeout is what requests have left once the service is told to stop. With what
// PostgreSQL may take after that it stays below 10 s.
const shutdownTimeout = 2 * time.Second

// service is the running program: the HTTP server and all that it needs.
type service struct {
	url     string
	server  *server
	failed  chan error // gets an error if the HTTP server ends by itself
	closers []func() error
}

// startService starts everything. What it tells on the way goes to out, a line for each
// part. ctx bounds the start alone.
func startService(ctx context.Context, cfg config, log *slog.Logger, out io.Writer) (_ *service, err error) {
	svc := &service{failed: make(chan error, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, svc.close())
		}
	}()

	pg, err := devstack.StartPostgres(ctx, devstack.PostgresConfig{Dir: cfg.data, URL: cfg.databaseURL})
	if err != nil {
		return nil, err
	}
	svc.onClose(pg.Close)
	fmt.Fprintln(out, "PostgreSQL:", pg)

	if svc.server, err = newServer(ctx, cfg, log, pg); err != nil {
		return nil, err
	}
	if cfg.demo {
		if err := svc.server.seed(ctx); err != nil {
			return nil, fmt.Errorf("demo data: %w", err)
		}
	}
	return svc, svc.listen(ctx, cfg.addr, svc.server.handler(), log)
}

// newServer opens the packages of the library on a database, and puts the server together.
func newServer(ctx context.Context, cfg config, log *slog.Logger, pg *devstack.Postgres) (*server, error) {
	s := &server{gateway: pg.Gateway(), control: pg.Control(), operatorToken: cfg.operatorToken, demo: cfg.demo, log: log}
	db, err := tenantdb.Open(ctx, pg.Gateway(), tenantdb.WithLogger(log))
	if err != nil {
		return nil, err
	}
	s.notes = noteStore{db}
	if err := s.openControl(ctx, pg.Control()); err != nil {
		return nil, err
	}
	return s, s.openResolvers(cfg.baseDomain)
}

// openControl opens what is kept beside the tenants' schemas: the catalog first, because
// the tables of the others refer to its own.
func (s *server) openControl(ctx context.Context, control *pgxpool.Pool) (err error) {
	tenants, err := fs.Sub(tenantMigrations, "migrations")
	if err != nil {
		return err
	}
	s.catalog, err = tenantdb.OpenCatalog(ctx, control, tenantdb.CatalogConfig{Migrations: tenants, Logger: s.log})
	if err != nil {
		return err
	}
	if s.members, err = invite.Open(ctx, control, invite.Config{}); err != nil {
		return err
	}
	own, err := fs.Sub(controlMigrations, "control")
	if err != nil {
		return err
	}
	if err := tenantdb.MigrateControl(ctx, control, "notes", own); err != nil {
		return err
	}
	s.users = userStore{control}
	return s.openSignatures(ctx, control)
}

// openSignatures makes what signs tokens and cursors.
func (s *server) openSignatures(ctx context.Context, control *pgxpool.Pool) error {
	signing, err := loadSecret(ctx, control)
	if err != nil {
		return err
	}
	s.tokens.now = time.Now
	if s.tokens.key, err = signing.key("access tokens"); err != nil {
		return err
	}
	s.cursors.key, err = signing.key("cursors")
	return err
}

// openResolvers makes what finds out which tenant a request is for.
func (s *server) openResolvers(baseDomain string) error {
	sources := []resolve.Source{resolve.Header(), resolve.Subdomain(baseDomain), resolve.Path(), resolve.FromPrincipal()}
	required, err := resolve.New(s.catalog, resolve.Config{Sources: sources})
	if err != nil {
		return err
	}
	optional, err := resolve.New(s.catalog, resolve.Config{Sources: sources, Optional: true})
	if err != nil {
		return err
	}
	s.resolve, s.resolveOptional = required.Middleware, optional.Middleware
	return nil
}

// listen starts to serve on an address.
func (svc *service) listen(ctx context.Context, addr string, h http.Handler, log *slog.Logger) error {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	svc.url = "http://" + reachable(listener.Addr().(*net.TCPAddr))
	life, end := context.WithCancel(context.Background())
	web := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return life },
	}
	go func() {
		if err := web.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			svc.failed <- err
		}
	}()
	svc.onClose(func() error {
		defer end() // what still runs then is told to stop
		ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
		defer cancel()
		if err := web.Shutdown(ctx); err != nil {
			return web.Close()
		}
		return nil
	})
	return nil
}

// reachable is an address as a client on this machine may use it.
func reachable(addr *net.TCPAddr) string {
	if addr.IP.IsUnspecified() {
		return fmt.Sprintf("127.0.0.1:%d", addr.Port)
	}
	return addr.String()
}

func (svc *service) onClose(f func() error) { svc.closers = append(svc.closers, f) }

// close ends everything in the reverse order of its start. It takes up to 10 s.
func (svc *service) close() error {
	var errs []error
	for _, f := range slices.Backward(svc.closers) {
		errs = append(errs, f())
	}
	svc.closers = nil
	return errors.Join(errs...)
}
