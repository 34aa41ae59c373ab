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

	"github.com/tenantwall/tenantwall/apikey"
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

	parts, err := startServers(ctx, cfg, log)
	svc.onClose(parts.close)
	if err != nil {
		return nil, err
	}
	parts.tell(out)

	// What the links of mails lead to never comes from a request, whose Host anybody can choose.
	port := listener.Addr().(*net.TCPAddr).Port
	cfg.baseURL = cmp.Or(cfg.baseURL, fmt.Sprintf("http://localhost:%d", port))
	if svc.server, err = newServer(ctx, cfg, log, parts); err != nil {
		return nil, err
	}
	svc.onClose(svc.server.close)
	if parts.temporal != nil {
		svc.server.runWorker()
		svc.onClose(svc.server.jobs.close)
	}
	if cfg.demo {
		if err := svc.server.seed(ctx); err != nil {
			return nil, fmt.Errorf("demo data: %w", err)
		}
	}
	whole, err := svc.server.handler()
	if err != nil {
		return nil, err
	}
	svc.serve(listener, whole, log)
	return svc, nil
}

// newServer opens the packages of the library on a database, and puts the server together.
func newServer(ctx context.Context, cfg config, log *slog.Logger, parts servers) (_ *server, err error) {
	s := &server{
		gateway: parts.postgres.Gateway(), control: parts.postgres.Control(), operatorToken: cfg.operatorToken, demo: cfg.demo, log: log,
		baseDomain: cfg.baseDomain, baseURL: cfg.baseURL, telemetry: parts.telemetry,
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if err := s.openMail(cfg); err != nil {
		return nil, err
	}
	db, err := tenantdb.Open(ctx, s.gateway, tenantdb.WithLogger(log))
	if err != nil {
		return nil, err
	}
	s.notes, s.exports = noteStore{db}, exportStore{db}
	if err := s.openControl(ctx, cfg); err != nil {
		return nil, err
	}
	own, err := loadSecret(ctx, s.control)
	if err != nil {
		return nil, err
	}
	if err := s.openShared(parts.redis, own); err != nil {
		return nil, err
	}
	if err := s.openKeys(ctx, cfg); err != nil {
		return nil, err
	}
	if err := s.followChanges(ctx); err != nil {
		return nil, err
	}
	if err := s.openSignatures(ctx, cfg, own); err != nil {
		return nil, err
	}
	if err := s.openResolvers(cfg.baseDomain); err != nil {
		return nil, err
	}
	if parts.temporal != nil {
		if err := s.openJobs(parts.temporal, own); err != nil {
			return nil, err
		}
	}
	return s, s.telemetry.observe(s)
}

// openShared opens what the processes of one database have in common on Redis.
func (s *server) openShared(rd *devstack.Redis, own secret) error {
	prefix, err := redisPrefix(own)
	if err != nil {
		return err
	}
	if err := s.openCaches(rd.Client(), prefix); err != nil {
		return err
	}
	return s.quotas.openLimiter(rd, prefix, s.telemetry, s.log)
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
func (s *server) openControl(ctx context.Context, cfg config) (err error) {
	tenants, err := fs.Sub(tenantMigrations, "migrations")
	if err != nil {
		return err
	}
	s.catalog, err = tenantdb.OpenCatalog(ctx, s.control, tenantdb.CatalogConfig{
		Migrations: tenants,
		OnPurge:    forgetTenant,
		OnChange:   s.caches.tenantChanged,
		Logger:     s.log,
	})
	if err != nil {
		return err
	}
	// Tenants of an earlier version get the tables of this one.
	if _, err := s.catalog.Migrate(ctx, tenantdb.MigrateOptions{}); err != nil {
		return err
	}
	if err := s.quotas.openBook(ctx, s.control, cfg.plans, s.log); err != nil {
		return err
	}
	if err := s.openMembers(ctx, cfg); err != nil {
		return err
	}
	own, err := fs.Sub(controlMigrations, "control")
	if err != nil {
		return err
	}
	if err := tenantdb.MigrateControl(ctx, s.control, "notes", own); err != nil {
		return err
	}
	s.users = userStore{s.control}
	return nil
}

// openMembers opens what knows who belongs to which tenant, and makes the guard of the
// tenants' routes.
func (s *server) openMembers(ctx context.Context, cfg config) (err error) {
	s.members, err = invite.Open(ctx, s.control, invite.Config{
		Seats:  s.quotas.book,
		Sender: s.mail,
		Link:   strings.TrimSuffix(cfg.baseURL, "/") + "/",

		OnChange: s.caches.memberChanged,
	})
	if err != nil {
		return fmt.Errorf("members, whose invitations lead to the base URL %q: %w", cfg.baseURL, err)
	}
	s.guard, err = invite.NewGuard(s.members.Cache(), s.members.Roles())
	return err
}

// openSignatures makes what signs tokens and cursors, and what asks for tokens.
func (s *server) openSignatures(ctx context.Context, cfg config, own secret) (err error) {
	if s.cursors.key, err = own.key("cursors"); err != nil {
		return err
	}
	if s.pageKey, err = own.key("page sessions"); err != nil {
		return err
	}
	signing, err := loadTokenKey(ctx, s.control)
	if err != nil {
		return err
	}
	if s.tokens, err = newTokens(signing, "https://"+cfg.baseDomain); err != nil {
		return err
	}
	users := accesstoken.Authenticate(s.tokens.verifier, accesstoken.AuthenticateConfig{
		Members:  s.members.Cache(),
		Foreign:  s.keys.Format().LooksLikeKey,
		Required: true,
	})
	services := apikey.Authenticate(s.keys, apikey.AuthenticateConfig{})
	s.authenticate = func(next http.Handler) http.Handler { return services(users(next)) }
	return nil
}

// openResolvers makes what finds out which tenant a request is for.
func (s *server) openResolvers(baseDomain string) error {
	sources := []resolve.Source{resolve.Header(), resolve.Subdomain(baseDomain), resolve.Path(), resolve.FromPrincipal()}
	required, err := resolve.New(s.caches.tenants, resolve.Config{Sources: sources})
	if err != nil {
		return err
	}
	optional, err := resolve.New(s.caches.tenants, resolve.Config{Sources: sources, Optional: true})
	if err != nil {
		return err
	}
	s.resolve, s.resolveOptional = s.telemetry.inTenant(required.Middleware), s.telemetry.inTenant(optional.Middleware)
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

		DisableGeneralOptionsHandler: true, // the router answers OPTIONS * as it answers all else
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
