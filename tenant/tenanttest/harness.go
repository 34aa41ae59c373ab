package tenanttest

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"github.com/tenantwall/tenantwall/tenant"
)

// Harness is what [RunStore] needs of a store: the store, and functions that do to its
// tenants what Lookup is then to tell of. A look-up that begins after one of them has
// returned must see what it did; a store that caches is told of the change first.
//
// Each function is called by several tests at once. Those that the store has no such
// thing for may be nil where the field says so, which leaves their tests out.
type Harness struct {
	// Store is the store under test. It may hold other tenants already: the suite makes
	// its own, with slugs and ids that it draws by lot.
	Store tenant.Store

	// Create makes an active tenant with the ID, Slug, Name and Plan of t. It returns an
	// error, and makes none, when another tenant has the slug or once had it.
	Create func(ctx context.Context, t tenant.Tenant) error

	// Rename gives a tenant another slug. It returns an error, and changes nothing, when
	// another tenant has the slug or once had it.
	Rename func(ctx context.Context, id tenant.ID, slug tenant.Slug) error

	// Suspend and Resume take an active tenant to StatusSuspended and back.
	Suspend func(ctx context.Context, id tenant.ID) error
	Resume  func(ctx context.Context, id tenant.ID) error

	// Delete marks a tenant as deleted.
	Delete func(ctx context.Context, id tenant.ID) error

	// Purge drops what is left of a deleted tenant, as when its grace period is over. Nil
	// when nothing is ever dropped.
	Purge func(ctx context.Context, id tenant.ID) error

	// Provision begins to create a tenant as Create does, and leaves it in
	// StatusProvisioning. Nil when tenants are never seen in that state.
	Provision func(ctx context.Context, t tenant.Tenant) error

	// AddDomain lets a domain, in the form of tenant.ByDomain, lead to a tenant. Nil when
	// tenants have no domains; the store then finds none by any.
	AddDomain func(ctx context.Context, id tenant.ID, domain string) error
}

// check is an error that tells what the harness lacks.
func (h Harness) check() error {
	for _, need := range []struct {
		name    string
		missing bool
	}{
		{"Store", h.Store == nil},
		{"Create", h.Create == nil},
		{"Rename", h.Rename == nil},
		{"Suspend", h.Suspend == nil},
		{"Resume", h.Resume == nil},
		{"Delete", h.Delete == nil},
	} {
		if need.missing {
			return errors.New("the harness needs a " + need.name)
		}
	}
	return nil
}

// drawSlug is a slug that no other tenant has.
func drawSlug() tenant.Slug { return tenant.Slug("s" + strings.ToLower(rand.Text())) }

// drawTenant is a tenant that no store has.
func drawTenant() tenant.Tenant {
	return tenant.Tenant{ID: tenant.NewID(), Slug: drawSlug(), Name: `Ünïon "Söhne" & Co`, Plan: "pro"}
}

// create makes a tenant, and returns it as it is looked up.
func (h Harness) create(t *testing.T) tenant.Tenant {
	t.Helper()
	want := drawTenant()
	h.do(t, "Create", h.Create(t.Context(), want))
	return h.find(t, tenant.ByID(want.ID))
}

// do stops the test when a function of the harness failed.
func (h Harness) do(t *testing.T, name string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s of the harness: %v", name, err)
	}
}

// find is the tenant that ref names, which there must be.
func (h Harness) find(t *testing.T, ref tenant.Ref) tenant.Tenant {
	t.Helper()
	got, err := h.Store.Lookup(t.Context(), ref)
	if err != nil {
		t.Fatalf("Lookup(%q): %v; want a tenant", ref, err)
	}
	return got
}

// wantError looks ref up and holds the answer to one of the two errors of the contract.
func (h Harness) wantError(t *testing.T, ref tenant.Ref, want *tenant.Error) {
	t.Helper()
	got, err := h.Store.Lookup(t.Context(), ref)
	if !errors.Is(err, want) {
		t.Errorf("Lookup(%q) returned the error %v; want %q", ref, err, want.Code)
	}
	if got != (tenant.Tenant{}) {
		t.Errorf("Lookup(%q) returned tenant %s beside its error; want the zero Tenant", ref, got.ID)
	}
}
