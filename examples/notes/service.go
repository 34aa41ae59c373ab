package main

import (
	"cmp"
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
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantwall/tenantwall/examples/internal/devstack"
	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/resolve"
	"github.com/tenantwall/tenantwall/tenant/accesstoken"
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

	// The address is taken first, because mails name it; requests wait until all is there.
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", cfg.addr)
	if err != nil {
		return nil, err
	}
	svc.onClose(func() error { return ignoreClosed(listener.Close()) })
	svc.url = "http://" + reachable(listener.Addr().(*net.TCPAddr))

	pg, err := devstack.StartPostgres(ctx, devstack.PostgresConfig{Dir: cfg.data, URL: cfg.databaseURL})
	if err != nil {
		return nil, err
	}
	svc.onClose(pg.Close)
	fmt.Fprintln(out, "PostgreSQL:", pg)

	// What the links of mails lead to never comes from a request, whose Host anybody can choose.
	port := listener.Addr().(*net.TCPAddr).Port
	cfg.baseURL = cmp.Or(cfg.baseURL, fmt.Sprintf("http://localhost:%d", port))
	if svc.server, err = newServer(ctx, cfg, log, pg); err != nil {
		return nil, err
	}
	if cfg.demo {
		if err := svc.server.seed(ctx); err != nil {
			return nil, fmt.Errorf("demo data: %w", err)
		}
	}
	svc.serve(listener, svc.server.handler(), log)
	return svc, nil
}

// newServer opens the packages of the library on a database, and puts the server together.
func newServer(ctx context.Context, cfg config, log *slog.Logger, pg *devstack.Postgres) (*server, error) {
	s := &server{gateway: pg.Gateway(), control: pg.Control(), operatorToken: cfg.operatorToken, demo: cfg.demo, log: log}
	if err := s.openMail(cfg); err != nil {
		return nil, err
	}
	db, err := tenantdb.Open(ctx, pg.Gateway(), tenantdb.WithLogger(log))
	if err != nil {
		return nil, err
	}
	s.notes = noteStore{db}
	if err := s.openControl(ctx, cfg, pg.Control()); err != nil {
		return nil, err
	}
	return s, s.openResolvers(cfg.baseDomain)
}

// openMail makes what sends mails.
func (s *server) openMail(cfg config) (err error) {
	if cfg.demo {
		s.mail.outbox = &outbox{}
	}
	if s.mail.smtp, err = newSMTPSender(cfg.smtp); err != nil {
		return err
	}
	if !s.mail.works() {
		s.log.Warn("SMTP_ADDR is not set: nobody can be invited")
	}
	return nil
}

// openControl opens what is kept beside the tenants' schemas: the catalog first, because
// the tables of the others refer to its own.
func (s *server) openControl(ctx context.Context, cfg config, control *pgxpool.Pool) (err error) {
	tenants, err := fs.Sub(tenantMigrations, "migrations")
	if err != nil {
		return err
	}
	s.catalog, err = tenantdb.OpenCatalog(ctx, control, tenantdb.CatalogConfig{Migrations: tenants, OnPurge: invite.Forget, Logger: s.log})
	if err != nil {
		return err
	}
	if err := s.openMembers(ctx, cfg, control); err != nil {
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
	return s.openSignatures(ctx, cfg, control)
}

// openMembers opens what knows who belongs to which tenant, and makes the guard of the
// tenants' routes.
func (s *server) openMembers(ctx context.Context, cfg config, control *pgxpool.Pool) (err error) {
	s.members, err = invite.Open(ctx, control, invite.Config{
		Seats:  invite.SeatsFunc(seatLimit),
		Sender: s.mail,
		Link:   strings.TrimSuffix(cfg.baseURL, "/") + "/",
	})
	if err != nil {
		return fmt.Errorf("members, whose invitations lead to the base URL %q: %w", cfg.baseURL, err)
	}
	s.guard, err = invite.NewGuard(s.members.Cache(), s.members.Roles())
	return err
}

// openSignatures makes what signs tokens and cursors, and what asks for tokens.
func (s *server) openSignatures(ctx context.Context, cfg config, control *pgxpool.Pool) error {
	own, err := loadSecret(ctx, control)
	if err != nil {
		return err
	}
	if s.cursors.key, err = own.key("cursors"); err != nil {
		return err
	}
	signing, err := loadTokenKey(ctx, control)
	if err != nil {
		return err
	}
	if s.tokens, err = newTokens(signing, "https://"+cfg.baseDomain); err != nil {
		return err
	}
	s.authenticate = accesstoken.Authenticate(s.tokens.verifier, accesstoken.AuthenticateConfig{
		Members:  s.members.Cache(),
		Required: true,
	})
	return nil
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

// serve starts to answer requests.
func (svc *service) serve(listener net.Listener, h http.Handler, log *slog.Logger) {
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
}

// ignoreClosed is err, unless it says that the server has closed the listener already.
func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
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
