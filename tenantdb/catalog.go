package tenantdb

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenantwall/tenantwall/internal/dnsname"
	"github.com/tenantwall/tenantwall/tenant"
)

// Catalog is the list of tenants and their lives: it creates, renames, suspends, resumes,
// deletes and purges them, and is the [tenant.Store] on PostgreSQL. Make one with
// [OpenCatalog]. It is safe for concurrent use, and several processes may each have one.
//
// Every change raises the tenant's version and writes an [Event], in one transaction.
//
// An error that an API client may see is a [*tenant.Error]: [tenant.ErrNotFound],
// [tenant.ErrGone] for a deleted tenant, [tenant.ErrUnavailable] for one whose creation is
// not finished, [tenant.ErrSlugTaken], or one of the code
// [tenant.CodeValidationFailed] with the fields that are not valid.
type Catalog struct {
	pool       *pgxpool.Pool
	cfg        CatalogConfig
	migrations *Migrations
}

var _ tenant.Store = (*Catalog)(nil)

//go:embed control/*.sql
var controlFiles embed.FS

// controlComponent is the component that the catalog's tables are.
const controlComponent = "tenantdb"

// OpenCatalog makes a Catalog of a pool whose user is the control role that [Setup] has
// made, and brings the catalog's own tables up to date. An error says all that is missing
// of roles and rights. The pool stays the caller's to close.
func OpenCatalog(ctx context.Context, pool *pgxpool.Pool, cfg CatalogConfig) (*Catalog, error) {
	c, err := openCatalog(ctx, pool, cfg)
	if err != nil {
		return nil, fmt.Errorf("tenantdb: open the catalog: %w", err)
	}
	return c, nil
}

func openCatalog(ctx context.Context, pool *pgxpool.Pool, cfg CatalogConfig) (*Catalog, error) {
	if pool == nil {
		return nil, errors.New("pool is nil: it needs a pool as the control role")
	}
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	c := &Catalog{pool: pool, cfg: cfg}
	if c.migrations, err = ParseMigrations(cfg.Migrations); err != nil {
		return nil, err
	}
	if err := c.checkLogin(ctx); err != nil {
		return nil, err
	}
	files, err := fs.Sub(controlFiles, "control")
	if err != nil {
		return nil, err
	}
	if err := MigrateControl(ctx, pool, controlComponent, files); err != nil {
		return nil, err
	}
	return c, nil
}

// Lookup is the tenant that ref names, in whatever status but deleted. It is [tenant.Store]'s:
// [tenant.ErrNotFound], or [tenant.ErrGone] for a tenant that is deleted and for a slug
// that its tenant no longer has. It is one trip, on an index. By a domain it finds the tenant
// that has verified it, see [Catalog.VerifyDomain]; one that was claimed, removed, or has
// lapsed is found by nobody.
func (c *Catalog) Lookup(ctx context.Context, ref tenant.Ref) (tenant.Tenant, error) {
	var row pgx.Row
	switch ref.Kind() {
	case tenant.RefID:
		row = c.pool.QueryRow(ctx, sqlTenantByID, ref.ID())
	case tenant.RefSlug:
		// A name that is reserved today may have been given before it was.
		if _, err := tenant.ParseSlug(string(ref.Slug())); err != nil && !errors.Is(err, tenant.ErrReservedSlug) {
			return tenant.Tenant{}, tenant.ErrNotFound
		}
		row = c.pool.QueryRow(ctx, sqlTenantBySlug, string(ref.Slug()))
	case tenant.RefDomain:
		if !dnsname.IsCanonical(ref.Domain()) {
			return tenant.Tenant{}, tenant.ErrNotFound
		}
		row = c.pool.QueryRow(ctx, sqlTenantByDomain, ref.Domain())
	default:
		return tenant.Tenant{}, tenant.ErrNotFound
	}
	t, err := scanTenant(row)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return tenant.Tenant{}, tenant.ErrNotFound
	case err != nil:
		return tenant.Tenant{}, fmt.Errorf("tenantdb: look up a tenant: %w", err)
	case t.Status == tenant.StatusDeleted, ref.Kind() == tenant.RefSlug && !ref.Names(t):
		return tenant.Tenant{}, tenant.ErrGone
	}
	return t, nil
}

// now is the time for what is stored, in the precision that it is stored with.
func (c *Catalog) now() time.Time { return c.cfg.Now().UTC().Truncate(time.Microsecond) }

// scanTenant reads the columns of tenantColumns.
func scanTenant(row pgx.Row) (tenant.Tenant, error) {
	var t tenant.Tenant
	err := row.Scan(&t.ID, (*string)(&t.Slug), &t.Name, (*string)(&t.Status), &t.Plan, &t.Version, &t.CreatedAt)
	t.CreatedAt = t.CreatedAt.UTC()
	return t, err
}
