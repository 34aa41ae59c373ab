package tenantdb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tenantwall/tenantwall/tenant"
)

// CatalogConfig says how [OpenCatalog] works. The zero value makes tenants without tables,
// for the gateway of the default name.
type CatalogConfig struct {
	// Migrations are the files that make a tenant's tables, see [ParseMigrations]. Nil
	// means none.
	Migrations fs.FS

	// Gateways are the logins whose sessions may become a tenant; nil means
	// [DefaultGateway]. A tenant with a login of its own (see [Catalog.GiveLogin]) is kept
	// from them.
	Gateways []string

	// GatewaysOf chooses the gateways of each tenant from Gateways, where they are too many
	// for one: before PostgreSQL 18 a login with more than some thousand tenants is slow to
	// connect. Nil means all for every tenant. After a change of the choice call
	// [Catalog.SyncGateways].
	GatewaysOf func(tenant.ID) []string

	// WithoutRoles makes no role for a tenant, only its schema, for a [DB] that was opened
	// with the option of this name. Gateways is to be empty then, and Setup is not needed.
	WithoutRoles bool

	// GracePeriod is how long the data of a deleted tenant are kept; 0 means 30 days.
	GracePeriod time.Duration

	// ReservationPeriod is how long a creation that was broken off, by a crash, keeps its
	// slug from other tenants; 0 means 15 minutes.
	ReservationPeriod time.Duration

	// LockTimeout bounds how long a change waits for a lock that another session has on a
	// tenant or its tables; 0 means 5 seconds.
	LockTimeout time.Duration

	// ReservedSlugs are names that no tenant may take, besides [tenant.ReservedSlugs].
	ReservedSlugs []string

	// Domains says how tenants get domains of their own; the zero value is for none.
	Domains DomainConfig

	// OnPurge, when not nil, runs in the transaction that removes a deleted tenant's
	// schema, to remove what else is kept of it: memberships, invitations. It may run more
	// than once for a tenant, when the transaction fails.
	OnPurge func(ctx context.Context, tx pgx.Tx, id tenant.ID) error

	// OnChange, when not nil, is told of each tenant that this Catalog has changed, after the
	// commit and before the change returns, with the tenant as it is then: created, renamed,
	// suspended, deleted, purged, given a login or a domain or rid of one. A cache forgets
	// it so, here and by a message to other processes. Reservations are not told, for a
	// tenant begins when it is created. Calls for one tenant may come from several goroutines, and in another
	// order than that of the commits: the higher Version is the newer.
	//
	// It can't undo the change: it has no error, a panic is logged, and its ctx is not over
	// when the caller's is but after 5 seconds, for which the caller may have to wait. It is
	// not called when the process or the connection dies around the commit; [Catalog.Follow]
	// makes up for that.
	OnChange func(ctx context.Context, t tenant.Tenant)

	// Now is the clock; nil means [time.Now].
	Now func() time.Time

	// Logger is told what an operator should know and no caller is told. Nil means nobody.
	Logger *slog.Logger
}

const (
	defaultGracePeriod       = 30 * 24 * time.Hour
	defaultReservationPeriod = 15 * time.Minute
	defaultLockTimeout       = 5 * time.Second
)

// complete checks the configuration and fills in the defaults.
func (cfg CatalogConfig) complete() (CatalogConfig, error) {
	var problems []error
	for _, d := range []struct {
		name     string
		value    *time.Duration
		standard time.Duration
		least    time.Duration
	}{
		{"GracePeriod", &cfg.GracePeriod, defaultGracePeriod, 0},
		{"ReservationPeriod", &cfg.ReservationPeriod, defaultReservationPeriod, 0},
		{"LockTimeout", &cfg.LockTimeout, defaultLockTimeout, time.Millisecond},
	} {
		switch {
		case *d.value == 0:
			*d.value = d.standard
		case *d.value < d.least:
			problems = append(problems, fmt.Errorf("CatalogConfig.%s is %s, below %s", d.name, *d.value, d.least))
		}
	}
	var err error
	if cfg.Domains, err = cfg.Domains.complete(); err != nil {
		problems = append(problems, err)
	}
	cfg.Gateways = slices.Clone(cfg.Gateways)
	cfg.ReservedSlugs = slices.Clone(cfg.ReservedSlugs)
	switch {
	case cfg.WithoutRoles && (len(cfg.Gateways) > 0 || cfg.GatewaysOf != nil):
		problems = append(problems, errors.New("CatalogConfig.WithoutRoles makes no role for a tenant, and so no gateway can take it: leave Gateways and GatewaysOf empty"))
	case !cfg.WithoutRoles && len(cfg.Gateways) == 0:
		cfg.Gateways = []string{DefaultGateway}
	}
	for _, name := range cfg.Gateways {
		if err := checkRoleName(name); err != nil {
			problems = append(problems, fmt.Errorf("CatalogConfig.Gateways: %w", err))
		}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return cfg, errors.Join(problems...)
}

// checkLogin finds out whether the pool's user can do what a catalog does.
func (c *Catalog) checkLogin(ctx context.Context) error {
	var login struct {
		name, database, owner string
		super, createrole     bool
		create                bool
		missing, strong       []string
	}
	err := c.pool.QueryRow(ctx, sqlCatalogLogin, c.cfg.Gateways, ControlSchema).Scan(
		&login.name, &login.database, &login.owner, &login.super, &login.createrole, &login.create, &login.missing, &login.strong)
	if err != nil {
		return err
	}
	var problems []error
	add := func(broken bool, format string, args ...any) {
		if broken {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	me, database := quote(login.name), quote(login.database)
	add(slices.Contains(c.cfg.Gateways, login.name), "the pool's user %s is a gateway: it needs the control role that Setup makes", me)
	add(!login.create, "the role %s may not make schemas: call Setup, or run GRANT CREATE ON DATABASE %s TO %s", me, database, me)
	if !c.cfg.WithoutRoles {
		add(login.owner == "", "there is no schema %s: call Setup first", ControlSchema)
		add(login.owner != "" && login.owner != login.name, "the schema %s belongs to %s, but the pool's user is %s: sign in as the former", ControlSchema, quote(login.owner), me)
		add(!login.createrole && !login.super, "the role %s may not make roles: call Setup, or run ALTER ROLE %s CREATEROLE", me, me)
	}
	add(len(login.missing) > 0, "there is no role %s for CatalogConfig.Gateways: call Setup with it as Roles.Gateway", strings.Join(login.missing, ", "))
	add(len(login.strong) > 0, "a superuser can't be one of CatalogConfig.Gateways: %s", strings.Join(login.strong, ", "))
	return errors.Join(problems...)
}
