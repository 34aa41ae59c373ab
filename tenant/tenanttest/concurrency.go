package tenanttest

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/tenantwall/tenantwall/tenant"
)

// testCancelled allows a store that needs not ask anybody to answer.
func testCancelled(t *testing.T, h Harness) {
	there, renamed, deleted := h.create(t), h.create(t), h.create(t)
	h.do(t, "Rename", h.Rename(t.Context(), renamed.ID, drawSlug()))
	h.do(t, "Delete", h.Delete(t.Context(), deleted.ID))
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, ref := range []tenant.Ref{tenant.BySlug(there.Slug), tenant.ByID(there.ID)} {
		switch got, err := h.Store.Lookup(cancelled, ref); {
		case err == nil && got.ID != there.ID:
			t.Errorf("Lookup(%q) in a cancelled context returned tenant %s; want %s or an error", ref, got.ID, there.ID)
		case errors.Is(err, tenant.ErrNotFound), errors.Is(err, tenant.ErrGone):
			t.Errorf("Lookup(%q) in a cancelled context returned %v, as if it could tell; want another error", ref, err)
		}
		h.find(t, ref) // what was cancelled is not remembered
	}
	for _, ref := range []tenant.Ref{tenant.BySlug(renamed.Slug), tenant.ByID(deleted.ID)} {
		if got, err := h.Store.Lookup(cancelled, ref); err == nil || errors.Is(err, tenant.ErrNotFound) {
			t.Errorf("Lookup(%q) in a cancelled context returned tenant %s and %v; want an error other than %q", ref, got.ID, err, tenant.CodeTenantNotFound)
		}
		h.wantError(t, ref, tenant.ErrGone)
	}
}

const (
	concurrentTenants    = 4
	concurrentGoroutines = 8
	concurrentLookups    = 25
)

func testConcurrent(t *testing.T, h Harness) {
	var there [concurrentTenants]tenant.Tenant
	for i := range there {
		there[i] = h.create(t)
	}
	var group sync.WaitGroup
	for i := range concurrentGoroutines {
		group.Go(func() {
			for n := range concurrentLookups {
				want := there[(i+n)%len(there)]
				ref := tenant.BySlug(want.Slug)
				if n%2 == 0 {
					ref = tenant.ByID(want.ID)
				}
				if got, err := h.Store.Lookup(t.Context(), ref); err != nil || got.ID != want.ID {
					t.Errorf("Lookup(%q) among others returned tenant %s and error %v; want tenant %s", ref, got.ID, err, want.ID)
				}
			}
		})
	}
	group.Wait()
}

// testConcurrentRename looks a tenant up while it is renamed: by id there is always one of
// its two states, the old slug leads to it or is gone, the new one leads to it or is unknown.
func testConcurrentRename(t *testing.T, h Harness) {
	before, slug := h.create(t), drawSlug()
	done := make(chan struct{})
	var group sync.WaitGroup
	for range concurrentGoroutines {
		group.Go(func() {
			for last := false; !last; {
				select {
				case <-done:
					last = true
				default:
				}
				checkDuringRename(t, h, before, slug)
			}
		})
	}
	err := h.Rename(t.Context(), before.ID, slug)
	close(done)
	group.Wait()
	h.do(t, "Rename", err)
}

func checkDuringRename(t *testing.T, h Harness, before tenant.Tenant, slug tenant.Slug) {
	t.Helper()
	switch got, err := h.Store.Lookup(t.Context(), tenant.ByID(before.ID)); {
	case err != nil:
		t.Errorf("Lookup by id while the tenant is renamed: %v", err)
	case got.Slug == before.Slug && got.Version == before.Version:
	case got.Slug == slug && got.Version > before.Version:
	default:
		t.Errorf("Lookup by id while the tenant is renamed returned slug %q with version %d; want %q with %d, or %q with a higher one",
			got.Slug, got.Version, before.Slug, before.Version, slug)
	}
	if got, err := h.Store.Lookup(t.Context(), tenant.BySlug(before.Slug)); err == nil && got.ID != before.ID || err != nil && !errors.Is(err, tenant.ErrGone) {
		t.Errorf("Lookup by the old slug during a rename returned tenant %s and error %v; want %s or %q", got.ID, err, before.ID, tenant.CodeTenantGone)
	}
	if got, err := h.Store.Lookup(t.Context(), tenant.BySlug(slug)); err == nil && got.ID != before.ID || err != nil && !errors.Is(err, tenant.ErrNotFound) {
		t.Errorf("Lookup by the new slug during a rename returned tenant %s and error %v; want %s or %q", got.ID, err, before.ID, tenant.CodeTenantNotFound)
	}
}
