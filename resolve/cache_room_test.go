package resolve

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
)

// oneOfMany is a store of which each name is another tenant's.
type oneOfMany struct{}

func (oneOfMany) Lookup(_ context.Context, ref tenant.Ref) (tenant.Tenant, error) {
	t := tenant.Tenant{ID: tenant.NewID(), Slug: ref.Slug(), Status: tenant.StatusActive, Version: 1}
	if t.Slug == "" {
		t.Slug = "acme-corp"
	}
	return t, nil
}

// Rows 23 and 25. What leads to tenants is bounded as they are, however many names there are.
func TestRow23_NamesOfTenantsAreBoundedToo(t *testing.T) {
	t.Parallel()
	const size = 50
	c, err := NewCache(oneOfMany{}, CacheConfig{Size: size})
	require.NoError(t, err)
	defer c.Close()
	for i := range 20 * size * namesPerTenant {
		for _, ref := range []tenant.Ref{tenant.BySlug(tenant.Slug(fmt.Sprintf("tenant-%d", i))), tenant.ByDomain(fmt.Sprintf("notes-%d.example", i))} {
			_, err := c.Lookup(t.Context(), ref)
			require.NoError(t, err)
		}
	}
	// What is too much is thrown out in the background.
	assert.Eventually(t, func() bool {
		return c.slugs.EstimatedSize() <= size*namesPerTenant && c.domains.EstimatedSize() <= size*namesPerTenant
	}, 30*time.Second, time.Millisecond)
	assert.Positive(t, c.slugs.EstimatedSize())
	assert.Positive(t, c.domains.EstimatedSize())
}
