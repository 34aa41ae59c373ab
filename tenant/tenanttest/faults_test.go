package tenanttest_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/tenanttest"
)

// lookup is a store made of a function.
type lookup func(context.Context, tenant.Ref) (tenant.Tenant, error)

func (l lookup) Lookup(ctx context.Context, ref tenant.Ref) (tenant.Tenant, error) {
	return l(ctx, ref)
}

// fault breaks a harness, and names the test of the suite that must fail for it.
type fault struct {
	caught string
	breaks func(*tenanttest.Harness, *tenanttest.Store)
}

// faults are what stores get wrong.
var faults = map[string]fault{
	"an unknown tenant is gone": {"UnknownTenantIsNotFound", answer(func(_ context.Context, _ tenant.Ref, t tenant.Tenant, err error) (tenant.Tenant, error) {
		if errors.Is(err, tenant.ErrNotFound) {
			return t, tenant.ErrGone
		}
		return t, err
	})},
	"an unknown tenant is a fault": {"UnknownTenantIsNotFound", answer(func(_ context.Context, _ tenant.Ref, t tenant.Tenant, err error) (tenant.Tenant, error) {
		if errors.Is(err, tenant.ErrNotFound) {
			return t, errors.New("no rows in result set")
		}
		return t, err
	})},
	"the zero ref is the first tenant": {"ZeroRefIsNotFound", answer(func(_ context.Context, ref tenant.Ref, t tenant.Tenant, err error) (tenant.Tenant, error) {
		if ref.IsZero() {
			return tenant.Tenant{ID: tenant.NewID()}, nil
		}
		return t, err
	})},
	"a tenant beside its error": {"DeletedTenantIsGoneBySlugAndID", answer(func(_ context.Context, ref tenant.Ref, t tenant.Tenant, err error) (tenant.Tenant, error) {
		if errors.Is(err, tenant.ErrGone) {
			return tenant.Tenant{ID: ref.ID(), Slug: "gone"}, err
		}
		return t, err
	})},
	"upper case is folded": {"TextThatIsNoNameIsNotFound", ask(func(s *tenanttest.Store, ctx context.Context, ref tenant.Ref) (tenant.Tenant, error) {
		if ref.Kind() == tenant.RefSlug {
			ref = tenant.BySlug(tenant.Slug(strings.ToLower(string(ref.Slug()))))
		}
		return s.Lookup(ctx, ref)
	})},
	"text that the database refuses is a fault": {"TextThatIsNoNameIsNotFound", ask(func(s *tenanttest.Store, ctx context.Context, ref tenant.Ref) (tenant.Tenant, error) {
		if strings.ContainsRune(string(ref.Slug()), 0) {
			return tenant.Tenant{}, errors.New("invalid byte sequence for encoding")
		}
		return s.Lookup(ctx, ref)
	})},
	"a domain is taken for a slug": {"TextThatIsNoNameIsNotFound", ask(func(s *tenanttest.Store, ctx context.Context, ref tenant.Ref) (tenant.Tenant, error) {
		if t, err := s.Lookup(ctx, tenant.BySlug(tenant.Slug(ref.Domain()))); err == nil {
			return t, nil
		}
		return s.Lookup(ctx, ref)
	})},
	"an id is not looked for": {"TenantIsFoundBySlugAndID", ask(func(s *tenanttest.Store, ctx context.Context, ref tenant.Ref) (tenant.Tenant, error) {
		if ref.Kind() == tenant.RefID {
			return tenant.Tenant{}, tenant.ErrNotFound
		}
		return s.Lookup(ctx, ref)
	})},
	"the name is lost": {"TenantIsFoundBySlugAndID", answer(func(_ context.Context, _ tenant.Ref, t tenant.Tenant, err error) (tenant.Tenant, error) {
		t.Name = ""
		return t, err
	})},
	"what was found is remembered for good": {"RenamedTenantIsFoundByNewSlugAndOldIsGone", remember(func(error) bool { return true })},
	"an unknown slug is remembered for good": {"RenamedTenantIsFoundByNewSlugAndOldIsGone", remember(func(err error) bool {
		return errors.Is(err, tenant.ErrNotFound)
	})},
	"a fault is remembered": {"CancelledLookupTellsNothingOfTheTenant", remember(func(err error) bool {
		return errors.Is(err, context.Canceled)
	})},
	"an old slug is unknown": {"RenamedTenantIsFoundByNewSlugAndOldIsGone", answer(func(_ context.Context, ref tenant.Ref, t tenant.Tenant, err error) (tenant.Tenant, error) {
		if errors.Is(err, tenant.ErrGone) && ref.Kind() == tenant.RefSlug {
			return t, tenant.ErrNotFound
		}
		return t, err
	})},
	"a slug is taken over": {"SlugOnceGivenUpNeverLeadsToAnotherTenant", func(h *tenanttest.Harness, s *tenanttest.Store) {
		heirs := make(map[tenant.Ref]tenant.Tenant)
		var mu sync.Mutex
		create := h.Create
		h.Create = func(ctx context.Context, t tenant.Tenant) error {
			err := create(ctx, t)
			if errors.Is(err, tenant.ErrSlugTaken) {
				mu.Lock()
				defer mu.Unlock()
				heirs[tenant.BySlug(t.Slug)] = t
				return nil
			}
			return err
		}
		h.Store = lookup(func(ctx context.Context, ref tenant.Ref) (tenant.Tenant, error) {
			mu.Lock()
			defer mu.Unlock()
			if t, there := heirs[ref]; there {
				return t, nil
			}
			return s.Lookup(ctx, ref)
		})
	}},
	"a refused slug is kept from nobody": {"SlugOfDeletedTenantNeverLeadsToAnother", func(h *tenanttest.Harness, _ *tenanttest.Store) {
		rename := h.Rename
		h.Rename = func(ctx context.Context, id tenant.ID, slug tenant.Slug) error {
			_ = rename(ctx, id, slug)
			return nil
		}
	}},
	"a suspended tenant is an error": {"SuspendedTenantIsFoundWithItsStatus", answer(func(_ context.Context, _ tenant.Ref, t tenant.Tenant, err error) (tenant.Tenant, error) {
		if t.Status == tenant.StatusSuspended {
			return tenant.Tenant{}, tenant.ErrSuspended
		}
		return t, err
	})},
	"a provisioning tenant is unknown": {"ProvisioningTenantIsFoundWithItsStatus", answer(func(_ context.Context, _ tenant.Ref, t tenant.Tenant, err error) (tenant.Tenant, error) {
		if t.Status == tenant.StatusProvisioning {
			return tenant.Tenant{}, tenant.ErrNotFound
		}
		return t, err
	})},
	"a deleted tenant is found": {"DeletedTenantIsGoneBySlugAndID", answer(func(_ context.Context, ref tenant.Ref, t tenant.Tenant, err error) (tenant.Tenant, error) {
		if errors.Is(err, tenant.ErrGone) && ref.Kind() == tenant.RefID {
			return tenant.Tenant{ID: ref.ID(), Status: tenant.StatusDeleted}, nil
		}
		return t, err
	})},
	"a purged tenant is unknown": {"PurgedTenantIsStillGone", func(h *tenanttest.Harness, s *tenanttest.Store) {
		var purged sync.Map
		h.Purge = func(_ context.Context, id tenant.ID) error {
			purged.Store(tenant.ByID(id), true)
			return nil
		}
		h.Store = lookup(func(ctx context.Context, ref tenant.Ref) (tenant.Tenant, error) {
			if _, there := purged.Load(ref); there {
				return tenant.Tenant{}, tenant.ErrNotFound
			}
			return s.Lookup(ctx, ref)
		})
	}},
	"a domain leads nowhere": {"TenantIsFoundByItsDomains", ask(func(s *tenanttest.Store, ctx context.Context, ref tenant.Ref) (tenant.Tenant, error) {
		if ref.Kind() == tenant.RefDomain {
			return tenant.Tenant{}, tenant.ErrNotFound
		}
		return s.Lookup(ctx, ref)
	})},
	"the version stands still": {"VersionGrowsWithEachChange", answer(func(_ context.Context, _ tenant.Ref, t tenant.Tenant, err error) (tenant.Tenant, error) {
		t.Version = min(t.Version, 1)
		return t, err
	})},
	"a cancelled look-up finds nothing": {"CancelledLookupTellsNothingOfTheTenant", answer(func(ctx context.Context, _ tenant.Ref, t tenant.Tenant, err error) (tenant.Tenant, error) {
		if ctx.Err() != nil {
			return t, tenant.ErrNotFound
		}
		return t, err
	})},
	"look-ups at the same time get each other's tenant": {"ConcurrentLookupsFindTheirOwnTenant", func(h *tenanttest.Harness, s *tenanttest.Store) {
		var mu sync.Mutex
		var last tenant.Tenant
		h.Store = lookup(func(ctx context.Context, ref tenant.Ref) (tenant.Tenant, error) {
			t, err := s.Lookup(ctx, ref)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				last, t = t, last
			}
			return t, err
		})
	}},
	"a rename is seen half done": {"ConcurrentRenameIsSeenWholeOrNotAtAll", func(h *tenanttest.Harness, s *tenanttest.Store) {
		var half sync.Map // by id, closed when a look-up has come in between
		rename := h.Rename
		h.Rename = func(ctx context.Context, id tenant.ID, slug tenant.Slug) error {
			seen := make(chan struct{})
			half.Store(tenant.ByID(id), sync.OnceFunc(func() { close(seen) }))
			select {
			case <-seen:
			case <-time.After(50 * time.Millisecond): // in the tests that do one thing at a time
			}
			half.Delete(tenant.ByID(id))
			return rename(ctx, id, slug)
		}
		h.Store = lookup(func(ctx context.Context, ref tenant.Ref) (tenant.Tenant, error) {
			t, err := s.Lookup(ctx, ref)
			if seen, there := half.Load(ref); there {
				seen.(func())()
				t.Slug = ""
			}
			return t, err
		})
	}},
}

// ask puts a function between the suite and the store.
func ask(between func(*tenanttest.Store, context.Context, tenant.Ref) (tenant.Tenant, error)) func(*tenanttest.Harness, *tenanttest.Store) {
	return func(h *tenanttest.Harness, s *tenanttest.Store) {
		h.Store = lookup(func(ctx context.Context, ref tenant.Ref) (tenant.Tenant, error) { return between(s, ctx, ref) })
	}
}

// answer changes what the store answers.
func answer(change func(context.Context, tenant.Ref, tenant.Tenant, error) (tenant.Tenant, error)) func(*tenanttest.Harness, *tenanttest.Store) {
	return ask(func(s *tenanttest.Store, ctx context.Context, ref tenant.Ref) (tenant.Tenant, error) {
		t, err := s.Lookup(ctx, ref)
		return change(ctx, ref, t, err)
	})
}

// remember is a cache that nobody tells of changes.
func remember(which func(error) bool) func(*tenanttest.Harness, *tenanttest.Store) {
	type known struct {
		t   tenant.Tenant
		err error
	}
	var cache sync.Map
	return ask(func(s *tenanttest.Store, ctx context.Context, ref tenant.Ref) (tenant.Tenant, error) {
		if k, there := cache.Load(ref); there {
			return k.(known).t, k.(known).err
		}
		t, err := s.Lookup(ctx, ref)
		if which(err) {
			cache.Store(ref, known{t, err})
		}
		return t, err
	})
}
