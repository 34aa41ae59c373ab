package invite

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantwall/tenantwall/internal/setting"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// Config says how [Members] works. The zero value is for users who belong to as many
// tenants as they like, in [DefaultRoles], without a limit of seats, and who are added by
// the program: invitations need a Sender.
type Config struct {
	// Roles are the product's; nil means [DefaultRoles].
	Roles *Roles

	// OneTenantPerUser refuses a user who belongs to another tenant. Those who do so
	// already stay. A tenant that is deleted does not count.
	OneTenantPerUser bool

	// Seats say how many members a tenant may have; nil means no limit.
	Seats Seats

	// Sender sends the mails of invitations. Without one, nobody is invited.
	Sender Sender

	// Link is the address of the page on which an invitation is accepted, to which the
	// secret is added as #token=…: an absolute https URL without query and fragment, or
	// http on the own machine. It never comes from a request, whose Host anybody can choose.
	// Empty leaves the link to the Sender.
	Link string

	// Expiry is how long an invitation can be accepted, from MinExpiry to MaxExpiry; 0
	// means DefaultExpiry.
	Expiry time.Duration

	// SendTimeout bounds a Sender's call, up to a minute; 0 means 10 seconds.
	SendTimeout time.Duration

	// LockTimeout bounds how long a change waits for others of the same tenant, up to a
	// minute; 0 means 5 seconds.
	LockTimeout time.Duration

	// Cache says how [Members.Cache] works.
	Cache CacheConfig

	// OnChange, when not nil, is told of each membership that was changed or removed, after
	// it is committed, so that it can tell the [Cache] of other processes to forget it; also
	// of one that may have been, because the answer to the commit was lost. It is not told of
	// what [Members.Add] does in a transaction of the caller's.
	OnChange func(in tenant.ID, userID string)

	// Now is the clock; nil means [time.Now].
	Now func() time.Time

	// Random is where secrets come from, and is read by several goroutines at once; nil means
	// [rand.Reader].
	Random io.Reader
}

// The bounds of [Config.Expiry].
const (
	MinExpiry     = time.Minute
	DefaultExpiry = 7 * 24 * time.Hour
	MaxExpiry     = 90 * 24 * time.Hour
)

const maxTimeout = time.Minute

//go:embed control/*.sql
var controlFiles embed.FS

// Open makes or migrates this package's tables and returns what works on them. The pool
// is one that is signed in as the control role, see [tenantdb.Setup], and its catalog is
// to be opened first, see [tenantdb.OpenCatalog]: the tables refer to its own. The pool
// stays the caller's to close.
func Open(ctx context.Context, pool *pgxpool.Pool, cfg Config) (*Members, error) {
	if pool == nil {
		return nil, errors.New("invite: pool is nil: it needs a pool signed in as the control role")
	}
	cfg, err := cfg.complete()
	if err != nil {
		return nil, fmt.Errorf("invite: %w", err)
	}
	m := &Members{pool: pool, cfg: cfg}
	if m.cache, err = NewCache(m, cfg.Cache); err != nil {
		return nil, err
	}
	files, err := fs.Sub(controlFiles, "control")
	if err != nil {
		return nil, fmt.Errorf("invite: %w", err)
	}
	if err := tenantdb.MigrateControl(ctx, pool, "invite", files); err != nil {
		return nil, fmt.Errorf("invite: %w", err)
	}
	return m, nil
}

// complete checks the configuration and fills in the defaults.
func (cfg Config) complete() (Config, error) {
	problems := []error{
		setting.Complete("the setting Expiry", &cfg.Expiry, DefaultExpiry, MinExpiry, MaxExpiry),
		setting.Complete("the setting SendTimeout", &cfg.SendTimeout, 10*time.Second, time.Millisecond, maxTimeout),
		setting.Complete("the setting LockTimeout", &cfg.LockTimeout, 5*time.Second, time.Millisecond, maxTimeout),
	}
	if err := checkLink(cfg.Link); err != nil {
		problems = append(problems, fmt.Errorf("the setting Link: %w", err))
	}
	if cfg.Roles == nil {
		cfg.Roles = DefaultRoles()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Random == nil {
		cfg.Random = rand.Reader
	}
	return cfg, errors.Join(problems...)
}

// checkLink says what is wrong with [Config.Link].
func checkLink(link string) error {
	if link == "" {
		return nil
	}
	u, err := url.Parse(link)
	switch {
	case err != nil:
		return errors.New("it is no URL")
	case u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(link, "#") || u.Opaque != "":
		return errors.New("it is to be an absolute URL with a host, and without user, query and fragment")
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && isOwnMachine(u.Hostname()):
		return nil
	}
	return errors.New("the secret needs https, but for the own machine")
}

func isOwnMachine(host string) bool {
	return host == "localhost" || host == "127.0.0.1" || host == "::1"
}
