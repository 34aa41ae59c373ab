package resolve_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/resolve"
	"github.com/tenantwall/tenantwall/tenant"
)

const someID = "01890a5d-ac96-774b-bcce-b302099a8057"

func TestHeaderClaims(t *testing.T) {
	t.Parallel()
	id, err := tenant.ParseID(someID)
	require.NoError(t, err)
	for _, c := range []struct {
		name   string
		fields []string
		want   resolve.Claim
	}{
		{"none", nil, resolve.Claim{}},
		{"a slug", []string{"X-Tenant-Slug", "acme-corp"}, resolve.Claim{Slug: "acme-corp"}},
		{"an id", []string{"X-Tenant-ID", someID}, resolve.Claim{ID: id}},
		{"names in other case", []string{"x-tenant-slug", "acme-corp", "X-TENANT-ID", someID}, resolve.Claim{Slug: "acme-corp", ID: id}},
		{"a line that is repeated", []string{"X-Tenant-Slug", "acme-corp", "X-Tenant-Slug", "acme-corp"}, resolve.Claim{Slug: "acme-corp"}},
		{"other people's fields", []string{"X-Tenant", "acme-corp", "Tenant-ID", someID, "Origin", "https://acme-corp.example.com"}, resolve.Claim{}},
	} {
		got, err := resolve.Header().Tenant(get("/?tenant=acme-corp", c.fields...))
		require.NoError(t, err, c.name)
		assert.Equal(t, c.want, got, c.name)
	}
}

func TestRow16_HeaderThatIsMalformedIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, fields := range map[string][]string{
		"an empty slug":             {"X-Tenant-Slug", ""},
		"an empty id":               {"X-Tenant-ID", ""},
		"a schema":                  {"X-Tenant-Slug", "pg_catalog"},
		"a reserved slug":           {"X-Tenant-Slug", "www"},
		"upper case":                {"X-Tenant-Slug", "Acme-Corp"},
		"an id for a slug":          {"X-Tenant-Slug", someID},
		"a slug for an id":          {"X-Tenant-ID", "acme-corp"},
		"an id in upper case":       {"X-Tenant-ID", strings.ToUpper(someID)},
		"the zero id":               {"X-Tenant-ID", tenant.ID{}.String()},
		"a list":                    {"X-Tenant-Slug", "acme-corp, beta-industries"},
		"a list of the same":        {"X-Tenant-Slug", "acme-corp, acme-corp"},
		"two lines":                 {"X-Tenant-Slug", "acme-corp", "X-Tenant-Slug", "beta-industries"},
		"two lines, the other way":  {"X-Tenant-Slug", "beta-industries", "X-Tenant-Slug", "acme-corp"},
		"a second line that is bad": {"X-Tenant-Slug", "acme-corp", "X-Tenant-Slug", ""},
		"two ids":                   {"X-Tenant-ID", someID, "X-Tenant-ID", tenant.NewID().String()},
		"quotes":                    {"X-Tenant-Slug", `"acme-corp"`},
		"an escape":                 {"X-Tenant-Slug", "acme%2Dcorp"},
		"a slug and a bad id":       {"X-Tenant-Slug", "acme-corp", "X-Tenant-ID", "1"},
		"too long":                  {"X-Tenant-Slug", strings.Repeat("a", 1<<20)},
		"IDN":                       {"X-Tenant-Slug", "аcme-corp"}, // the first letter is Cyrillic
		"punycode":                  {"X-Tenant-Slug", "xn--cme-corp-12g"},
		"NUL":                       {"X-Tenant-Slug", "acme\x00corp"},
		"a path":                    {"X-Tenant-Slug", "../acme-corp"},
	} {
		r := get("/", fields...)
		_, err := w.resolver(t).Resolve(r)
		require.ErrorIs(t, err, resolve.ErrInvalid, name)
		status, reached := serve(t, w.resolver(t), r)
		assert.Equal(t, http.StatusBadRequest, status, name)
		assert.Nil(t, reached, name)

		told, _ := err.(*tenant.Error) //nolint:errorlint // it is what goes out
		assert.Contains(t, told.Detail, "header X-Tenant-", name)
		assert.Less(t, len(told.Detail), 200, name)
	}
	assert.Empty(t, w.store.asked())
}
