package tenanttest

import (
	"context"
	"strings"
	"testing"

	"github.com/tenantwall/tenantwall/tenant"
)

// RunStore holds a store to every sentence of the contract of [tenant.Store]. Its tests
// run at the same time, on tenants of their own, and have ended when it returns.
func RunStore(t *testing.T, h Harness) {
	t.Helper()
	if err := h.check(); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		run  func(*testing.T, Harness)
		skip bool
	}{
		{"TenantIsFoundBySlugAndID", testFound, false},
		{"UnknownTenantIsNotFound", testUnknown, false},
		{"ZeroRefIsNotFound", testZeroRef, false},
		{"TextThatIsNoNameIsNotFound", testNoName, false},
		{"RenamedTenantIsFoundByNewSlugAndOldIsGone", testRenamed, false},
		{"SlugOnceGivenUpNeverLeadsToAnotherTenant", testTombstone, false},
		{"SlugOfDeletedTenantNeverLeadsToAnother", testTombstoneOfDeleted, false},
		{"SuspendedTenantIsFoundWithItsStatus", testSuspended, false},
		{"DeletedTenantIsGoneBySlugAndID", testDeleted, false},
		{"PurgedTenantIsStillGone", testPurged, h.Purge == nil},
		{"ProvisioningTenantIsFoundWithItsStatus", testProvisioning, h.Provision == nil},
		{"TenantIsFoundByItsDomains", testDomains, h.AddDomain == nil},
		{"VersionGrowsWithEachChange", testVersions, false},
		{"CancelledLookupTellsNothingOfTheTenant", testCancelled, false},
		{"ConcurrentLookupsFindTheirOwnTenant", testConcurrent, false},
		{"ConcurrentRenameIsSeenWholeOrNotAtAll", testConcurrentRename, false},
	}
	t.Run("Store", func(t *testing.T) {
		for _, test := range tests {
			if test.skip {
				continue
			}
			t.Run(test.name, func(t *testing.T) {
				t.Parallel()
				test.run(t, h)
			})
		}
	})
}

func testFound(t *testing.T, h Harness) {
	want := drawTenant()
	h.do(t, "Create", h.Create(t.Context(), want))
	for _, ref := range []tenant.Ref{tenant.BySlug(want.Slug), tenant.ByID(want.ID)} {
		got := h.find(t, ref)
		if got.ID != want.ID || got.Slug != want.Slug || got.Name != want.Name || got.Plan != want.Plan {
			t.Errorf("Lookup(%q) returned %+v; want the id, slug, name and plan of %+v", ref, got, want)
		}
		if got.Status != tenant.StatusActive {
			t.Errorf("Lookup(%q) returned the status %q; want %q", ref, got.Status, tenant.StatusActive)
		}
		if got.Version < 1 || got.CreatedAt.IsZero() {
			t.Errorf("Lookup(%q) returned version %d, created at %v; want a version from 1 on and a time", ref, got.Version, got.CreatedAt)
		}
	}
}

func testUnknown(t *testing.T, h Harness) {
	for _, ref := range []tenant.Ref{
		tenant.BySlug(drawSlug()),
		tenant.ByID(tenant.NewID()),
		tenant.ByDomain(string(drawSlug()) + ".example"),
	} {
		h.wantError(t, ref, tenant.ErrNotFound)
	}
}

func testZeroRef(t *testing.T, h Harness) {
	h.create(t) // a store that takes the zero Ref for no condition finds this one
	for _, ref := range []tenant.Ref{{}, tenant.ByID(tenant.ID{}), tenant.BySlug(""), tenant.ByDomain("")} {
		h.wantError(t, ref, tenant.ErrNotFound)
	}
}

// testNoName looks up what a request may say and no tenant can be called: the answer is
// known, so it is no fault of the store.
func testNoName(t *testing.T, h Harness) {
	there := h.create(t)
	slug := string(there.Slug)
	for _, text := range []string{
		strings.ToUpper(slug), slug + " ", " " + slug, slug + ".", slug + "\x00", slug + "\xff", slug + "'--",
		"%", strings.Repeat("_", len(slug)), there.ID.String(), strings.Repeat("a", 1<<16),
	} {
		h.wantError(t, tenant.BySlug(tenant.Slug(text)), tenant.ErrNotFound)
		h.wantError(t, tenant.ByDomain(text), tenant.ErrNotFound)
	}
	h.wantError(t, tenant.ByDomain(slug), tenant.ErrNotFound)
}

func testRenamed(t *testing.T, h Harness) {
	before, slug := h.create(t), drawSlug()
	h.wantError(t, tenant.BySlug(slug), tenant.ErrNotFound) // a store that remembers this must forget it
	h.do(t, "Rename", h.Rename(t.Context(), before.ID, slug))

	h.wantError(t, tenant.BySlug(before.Slug), tenant.ErrGone)
	for _, ref := range []tenant.Ref{tenant.BySlug(slug), tenant.ByID(before.ID)} {
		if got := h.find(t, ref); got.ID != before.ID || got.Slug != slug {
			t.Errorf("Lookup(%q) returned tenant %s with slug %q; want %s with slug %q", ref, got.ID, got.Slug, before.ID, slug)
		}
	}
}

func testTombstone(t *testing.T, h Harness) {
	before, other := h.create(t), h.create(t)
	h.do(t, "Rename", h.Rename(t.Context(), before.ID, drawSlug()))
	wantRefused(t, h, before.Slug, other)
	h.wantError(t, tenant.BySlug(before.Slug), tenant.ErrGone)
}

func testTombstoneOfDeleted(t *testing.T, h Harness) {
	deleted, other := h.create(t), h.create(t)
	h.do(t, "Delete", h.Delete(t.Context(), deleted.ID))
	wantRefused(t, h, deleted.Slug, other)
	h.wantError(t, tenant.BySlug(deleted.Slug), tenant.ErrGone)
}

// wantRefused tries to give a slug to a new tenant and to other.
func wantRefused(t *testing.T, h Harness, taken tenant.Slug, other tenant.Tenant) {
	t.Helper()
	another := drawTenant()
	another.Slug = taken
	if err := h.Create(t.Context(), another); err == nil {
		t.Errorf("Create of the harness gave the slug %q, which another tenant had, to a new tenant", taken)
	}
	h.wantError(t, tenant.ByID(another.ID), tenant.ErrNotFound)
	if err := h.Rename(t.Context(), other.ID, taken); err == nil {
		t.Errorf("Rename of the harness gave the slug %q to a tenant although another one had it", taken)
	}
	if got := h.find(t, tenant.BySlug(other.Slug)); got.ID != other.ID {
		t.Errorf("after a Rename that was refused, slug %q leads to %s; want %s", other.Slug, got.ID, other.ID)
	}
}

func testSuspended(t *testing.T, h Harness) {
	there := h.create(t)
	for _, step := range []struct {
		name string
		do   func(context.Context, tenant.ID) error
		want tenant.Status
	}{
		{"Suspend", h.Suspend, tenant.StatusSuspended},
		{"Resume", h.Resume, tenant.StatusActive},
	} {
		h.do(t, step.name, step.do(t.Context(), there.ID))
		for _, ref := range []tenant.Ref{tenant.BySlug(there.Slug), tenant.ByID(there.ID)} {
			if got := h.find(t, ref); got.ID != there.ID || got.Status != step.want {
				t.Errorf("after %s, Lookup(%q) returned tenant %s with status %q; want %s with %q",
					step.name, ref, got.ID, got.Status, there.ID, step.want)
			}
		}
	}
}

func testDeleted(t *testing.T, h Harness) {
	first := h.create(t)
	h.do(t, "Rename", h.Rename(t.Context(), first.ID, drawSlug()))
	there := h.find(t, tenant.ByID(first.ID))
	h.find(t, tenant.BySlug(there.Slug)) // a store that remembers this must forget it
	h.do(t, "Delete", h.Delete(t.Context(), there.ID))
	wantGone(t, h, there, first)
}

func testPurged(t *testing.T, h Harness) {
	first := h.create(t)
	h.do(t, "Rename", h.Rename(t.Context(), first.ID, drawSlug()))
	there := h.find(t, tenant.ByID(first.ID))
	h.do(t, "Delete", h.Delete(t.Context(), there.ID))
	h.do(t, "Purge", h.Purge(t.Context(), there.ID))
	wantGone(t, h, there, first)
	wantRefused(t, h, there.Slug, h.create(t))
}

// wantGone looks a deleted tenant up by its id, by its last slug and by its first.
func wantGone(t *testing.T, h Harness, last, first tenant.Tenant) {
	t.Helper()
	h.wantError(t, tenant.ByID(last.ID), tenant.ErrGone)
	h.wantError(t, tenant.BySlug(last.Slug), tenant.ErrGone)
	h.wantError(t, tenant.BySlug(first.Slug), tenant.ErrGone)
}

func testProvisioning(t *testing.T, h Harness) {
	want := drawTenant()
	h.do(t, "Provision", h.Provision(t.Context(), want))
	for _, ref := range []tenant.Ref{tenant.BySlug(want.Slug), tenant.ByID(want.ID)} {
		if got := h.find(t, ref); got.ID != want.ID || got.Status != tenant.StatusProvisioning {
			t.Errorf("Lookup(%q) returned tenant %s with status %q; want %s with %q", ref, got.ID, got.Status, want.ID, tenant.StatusProvisioning)
		}
	}
}

func testDomains(t *testing.T, h Harness) {
	there, other := h.create(t), h.create(t)
	first, second := string(drawSlug())+".example", string(drawSlug())+".example"
	h.do(t, "AddDomain", h.AddDomain(t.Context(), there.ID, first))
	h.do(t, "AddDomain", h.AddDomain(t.Context(), there.ID, second))
	h.do(t, "AddDomain", h.AddDomain(t.Context(), other.ID, string(drawSlug())+".example"))
	for _, domain := range []string{first, second} {
		if got := h.find(t, tenant.ByDomain(domain)); got.ID != there.ID {
			t.Errorf("domain %q leads to tenant %s; want %s", domain, got.ID, there.ID)
		}
	}
	h.wantError(t, tenant.ByDomain("www."+first), tenant.ErrNotFound)
	h.wantError(t, tenant.BySlug(tenant.Slug(first)), tenant.ErrNotFound)
	h.do(t, "Delete", h.Delete(t.Context(), there.ID))
	h.wantError(t, tenant.ByDomain(first), tenant.ErrGone)
}

func testVersions(t *testing.T, h Harness) {
	last := h.create(t)
	for _, change := range []struct {
		name string
		do   func(context.Context, tenant.ID) error
	}{
		{"Rename", func(ctx context.Context, id tenant.ID) error { return h.Rename(ctx, id, drawSlug()) }},
		{"Suspend", h.Suspend},
		{"Resume", h.Resume},
	} {
		h.do(t, change.name, change.do(t.Context(), last.ID))
		got := h.find(t, tenant.ByID(last.ID))
		if got.Version <= last.Version {
			t.Errorf("%s took the version from %d to %d; want a higher one", change.name, last.Version, got.Version)
		}
		if !got.CreatedAt.Equal(last.CreatedAt) {
			t.Errorf("%s changed the time of creation from %v to %v", change.name, last.CreatedAt, got.CreatedAt)
		}
		last = got
	}
}
