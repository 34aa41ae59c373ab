package tenanttest_test

import (
	"context"
	"testing"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/tenanttest"
)

func TestStoreConforms(t *testing.T) {
	t.Parallel()
	tenanttest.RunStore(t, harness(new(tenanttest.Store)))
}

func harness(s *tenanttest.Store) tenanttest.Harness {
	setStatus := func(status tenant.Status) func(context.Context, tenant.ID) error {
		return func(_ context.Context, id tenant.ID) error {
			_, err := s.SetStatus(id, status)
			return err
		}
	}
	return tenanttest.Harness{
		Store: s,
		Create: func(_ context.Context, t tenant.Tenant) error {
			_, err := s.Put(t)
			return err
		},
		Rename: func(_ context.Context, id tenant.ID, slug tenant.Slug) error {
			_, err := s.Rename(id, slug)
			return err
		},
		Suspend: setStatus(tenant.StatusSuspended),
		Resume:  setStatus(tenant.StatusActive),
		Delete:  func(_ context.Context, id tenant.ID) error { return s.Delete(id) },
		Purge:   func(context.Context, tenant.ID) error { return nil },
		Provision: func(_ context.Context, t tenant.Tenant) error {
			t.Status = tenant.StatusProvisioning
			_, err := s.Put(t)
			return err
		},
		AddDomain: func(_ context.Context, id tenant.ID, domain string) error { return s.AddDomain(id, domain) },
	}
}
