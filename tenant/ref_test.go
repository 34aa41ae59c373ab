package tenant_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
)

func TestRefNamesATenantInOneWay(t *testing.T) {
	t.Parallel()
	id, err := tenant.ParseID(idText)
	require.NoError(t, err)
	for _, test := range []struct {
		name   string
		ref    tenant.Ref
		kind   tenant.RefKind
		slug   tenant.Slug
		id     tenant.ID
		domain string
		text   string
	}{
		{"zero", tenant.Ref{}, tenant.RefNone, "", tenant.ID{}, "", "none"},
		{"by slug", tenant.BySlug("acme-corp"), tenant.RefSlug, "acme-corp", tenant.ID{}, "", "slug:acme-corp"},
		{"by id", tenant.ByID(id), tenant.RefID, "", id, "", "id:" + idText},
		{"by domain", tenant.ByDomain("notes.acme.example"), tenant.RefDomain, "", tenant.ID{}, "notes.acme.example", "domain:notes.acme.example"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, test.kind, test.ref.Kind())
			assert.Equal(t, test.slug, test.ref.Slug())
			assert.Equal(t, test.id, test.ref.ID())
			assert.Equal(t, test.domain, test.ref.Domain())
			assert.Equal(t, test.text, test.ref.String())
			assert.Equal(t, test.kind == tenant.RefNone, test.ref.IsZero())
		})
	}
}

func TestRefOfNothingIsZero(t *testing.T) {
	t.Parallel()
	for name, ref := range map[string]tenant.Ref{
		"the empty slug": tenant.BySlug(""), "the zero id": tenant.ByID(tenant.ID{}), "the empty domain": tenant.ByDomain(""),
	} {
		assert.Equal(t, tenant.Ref{}, ref, name)
		assert.True(t, ref.IsZero(), name)
	}
}

func TestRefsAreComparedByWayAndName(t *testing.T) {
	t.Parallel()
	id := tenant.NewID()
	refs := map[tenant.Ref]string{tenant.BySlug("acme"): "slug", tenant.ByDomain("acme"): "domain", tenant.ByID(id): "id"}
	assert.Len(t, refs, 3, "a domain is no slug, even of the same text")
	assert.Equal(t, "slug", refs[tenant.BySlug("acme")])
	assert.Equal(t, "domain", refs[tenant.ByDomain("acme")])
	assert.Equal(t, "id", refs[tenant.ByID(id)])
	assert.Empty(t, refs[tenant.BySlug("beta")])
}

func TestRefTellsWhetherItNamesATenant(t *testing.T) {
	t.Parallel()
	acme := tenant.Tenant{ID: tenant.NewID(), Slug: "acme"}
	assert.True(t, tenant.BySlug("acme").Names(acme))
	assert.True(t, tenant.ByID(acme.ID).Names(acme))
	assert.False(t, tenant.BySlug("beta").Names(acme))
	assert.False(t, tenant.ByID(tenant.NewID()).Names(acme))
	assert.False(t, tenant.ByDomain("acme").Names(acme), "a tenant does not know its domains")
	assert.False(t, tenant.Ref{}.Names(tenant.Tenant{}), "no ref names no tenant")
}

func TestParseRefTellsIDsFromSlugs(t *testing.T) {
	t.Parallel()
	const likeAnID = "ghijklmn-opqr-4stu-8vwx-yzghijklmnop" // a slug in the form of an id
	slug, err := tenant.ParseRef(likeAnID)
	require.NoError(t, err)
	assert.Equal(t, tenant.BySlug(likeAnID), slug)

	const lettersOnly = "abcdefab-cdef-4abc-8def-abcdefabcdef" // an id that begins like a slug
	id, err := tenant.ParseRef(lettersOnly)
	require.NoError(t, err)
	assert.Equal(t, lettersOnly, id.ID().String())
}

func TestParseRefSaysWhatWasWrong(t *testing.T) {
	t.Parallel()
	for name, text := range badSlugs {
		if name == "an id" {
			continue
		}
		ref, err := tenant.ParseRef(text)
		require.ErrorIs(t, err, tenant.ErrBadSlug, name)
		assert.True(t, ref.IsZero(), name)
	}
	for _, text := range []string{strings.ToUpper(idText), zeroText, "01890a5d-ac96-774b-bcce-b302099a805g"} {
		ref, err := tenant.ParseRef(text)
		require.ErrorIs(t, err, tenant.ErrBadID, text)
		assert.True(t, ref.IsZero(), text)
	}
	_, err := tenant.ParseRef("www")
	require.ErrorIs(t, err, tenant.ErrReservedSlug)
}

func FuzzParseRef(f *testing.F) {
	for _, text := range goodSlugs {
		f.Add(text)
	}
	for _, text := range badSlugs {
		f.Add(text)
	}
	f.Add(idText)
	for _, text := range badIDs {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ref, err := tenant.ParseRef(text)
		id, badID := tenant.ParseID(text)
		slug, badSlug := tenant.ParseSlug(text)
		require.False(t, badID == nil && badSlug == nil, "%q is both an id and a slug", text)
		switch {
		case badID == nil:
			require.Equal(t, tenant.ByID(id), ref)
		case badSlug == nil:
			require.Equal(t, tenant.BySlug(slug), ref)
		default:
			require.Error(t, err)
			require.True(t, ref.IsZero())
			return
		}
		require.NoError(t, err)
		require.Regexp(t, `^(slug|id):[a-z0-9-]+$`, ref.String(), "a parsed ref is safe in a log")
	})
}
