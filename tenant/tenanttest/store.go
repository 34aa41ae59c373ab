package tenanttest

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/tenantwall/tenantwall/tenant"
)

// Store is a [tenant.Store] in memory, with what it takes to change its tenants. It
// forgets nothing: a slug that was given up and a tenant that was deleted are gone, not
// unknown, as on a real store.
//
// The zero Store is empty and ready for use. It may be used by several goroutines at
// once, and must not be copied after the first use.
type Store struct {
	mu      sync.RWMutex
	tenants map[tenant.ID]tenant.Tenant // the deleted ones too
	slugs   map[tenant.Slug]tenant.ID   // those given up too
	domains map[string]tenant.ID
}

// NewStore returns a store that holds tenants, each completed as by [Store.Put]. It
// panics when Put refuses one, because they stand in the source of a test.
func NewStore(tenants ...tenant.Tenant) *Store {
	s := new(Store)
	for _, t := range tenants {
		if _, err := s.Put(t); err != nil {
			panic(fmt.Sprintf("tenanttest.NewStore: %v", err))
		}
	}
	return s
}

// Lookup implements [tenant.Store].
func (s *Store) Lookup(ctx context.Context, ref tenant.Ref) (tenant.Tenant, error) {
	if err := ctx.Err(); err != nil {
		return tenant.Tenant{}, fmt.Errorf("look up tenant: %w", err)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	t, ok := s.named(ref)
	switch {
	case !ok:
		return tenant.Tenant{}, tenant.ErrNotFound
	case t.Status == tenant.StatusDeleted, ref.Kind() == tenant.RefSlug && ref.Slug() != t.Slug:
		return tenant.Tenant{}, tenant.ErrGone
	}
	return t, nil
}

// named is the tenant that ref names or once named.
func (s *Store) named(ref tenant.Ref) (tenant.Tenant, bool) {
	id := ref.ID()
	switch ref.Kind() {
	case tenant.RefSlug:
		id = s.slugs[ref.Slug()]
	case tenant.RefDomain:
		id = s.domains[ref.Domain()]
	}
	t, ok := s.tenants[id]
	return t, ok
}

// Put adds a tenant, and returns it as the store holds it: with a new ID when t has none,
// active when it has no status, created now when it doesn't say when, and with Version 1.
//
// It returns [tenant.ErrBadSlug] for a slug that breaks the rule, [tenant.ErrSlugTaken]
// for one that another tenant has or had, and an error for an ID that is there already.
func (s *Store) Put(t tenant.Tenant) (tenant.Tenant, error) {
	if _, err := tenant.ParseSlug(string(t.Slug)); err != nil {
		return tenant.Tenant{}, fmt.Errorf("put tenant %q: %w", t.Slug, err)
	}
	if t.ID.IsZero() {
		t.ID = tenant.NewID()
	}
	if t.CreatedAt.IsZero() {
		t.CreatedAt = time.Now().UTC()
	}
	t.Status = cmp.Or(t.Status, tenant.StatusActive)
	t.Version = 1

	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := s.tenants[t.ID]; there {
		return tenant.Tenant{}, fmt.Errorf("put tenant %q: there is a tenant %s already", t.Slug, t.ID)
	}
	if err := s.claim(t.Slug, t.ID); err != nil {
		return tenant.Tenant{}, fmt.Errorf("put tenant %q: %w", t.Slug, err)
	}
	s.set(t)
	return t, nil
}

// Rename gives a tenant another slug, and returns its new state. The old slug leads to
// [tenant.ErrGone] from now on; the tenant alone may take it back.
//
// The errors are those of [Store.Put] for the slug, and [tenant.ErrNotFound] and
// [tenant.ErrGone] for the tenant.
func (s *Store) Rename(id tenant.ID, slug tenant.Slug) (tenant.Tenant, error) {
	if _, err := tenant.ParseSlug(string(slug)); err != nil {
		return tenant.Tenant{}, fmt.Errorf("rename tenant: %w", err)
	}
	return s.change(id, func(t *tenant.Tenant) error {
		t.Slug = slug
		return s.claim(slug, id)
	})
}

// SetStatus gives a tenant another status, and returns its new state. With
// [tenant.StatusDeleted] it is [Store.Delete]. The error is [tenant.ErrNotFound] or
// [tenant.ErrGone].
func (s *Store) SetStatus(id tenant.ID, status tenant.Status) (tenant.Tenant, error) {
	return s.change(id, func(t *tenant.Tenant) error {
		t.Status = status
		return nil
	})
}

// Delete makes a tenant gone for good, under each of its names. The error is
// [tenant.ErrNotFound], or [tenant.ErrGone] when it is deleted already.
func (s *Store) Delete(id tenant.ID) error {
	_, err := s.SetStatus(id, tenant.StatusDeleted)
	return err
}

// AddDomain lets a domain, in the form of [tenant.ByDomain], lead to a tenant. The error
// is [tenant.ErrNotFound] or [tenant.ErrGone] for the tenant; a domain that leads to
// another one is refused.
func (s *Store) AddDomain(id tenant.ID, domain string) error {
	_, err := s.change(id, func(*tenant.Tenant) error {
		if owner, there := s.domains[domain]; there && owner != id {
			return fmt.Errorf("domain %q belongs to another tenant", domain)
		}
		if s.domains == nil {
			s.domains = make(map[string]tenant.ID)
		}
		s.domains[domain] = id
		return nil
	})
	return err
}

// change replaces a tenant by a later version of it, unless do fails.
func (s *Store) change(id tenant.ID, do func(*tenant.Tenant) error) (tenant.Tenant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.tenants[id]
	switch {
	case !ok:
		return tenant.Tenant{}, tenant.ErrNotFound
	case t.Status == tenant.StatusDeleted:
		return tenant.Tenant{}, tenant.ErrGone
	}
	if err := do(&t); err != nil {
		return tenant.Tenant{}, err
	}
	t.Version++
	s.set(t)
	return t, nil
}

// claim gives a slug to a tenant for good.
func (s *Store) claim(slug tenant.Slug, id tenant.ID) error {
	if owner, there := s.slugs[slug]; there && owner != id {
		return tenant.ErrSlugTaken
	}
	if s.slugs == nil {
		s.slugs = make(map[tenant.Slug]tenant.ID)
	}
	s.slugs[slug] = id
	return nil
}

func (s *Store) set(t tenant.Tenant) {
	if s.tenants == nil {
		s.tenants = make(map[tenant.ID]tenant.Tenant)
	}
	s.tenants[t.ID] = t
}
