package resolve_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/resolve"
	"github.com/tenantwall/tenantwall/tenant"
)

func TestRow18_SourcesThatDisagreeAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	betaID := w.beta.ID.String()
	for name, r := range map[string]*http.Request{
		"host and header":              get("http://acme-corp.example.com/", resolve.HeaderSlug, "beta-industries"),
		"host and id":                  get("http://acme-corp.example.com/", resolve.HeaderID, betaID),
		"host and path":                get("http://acme-corp.example.com/t/beta-industries/"),
		"header and path":              get("/t/acme-corp/", resolve.HeaderSlug, "beta-industries"),
		"id and path":                  get("/t/acme-corp/", resolve.HeaderID, betaID),
		"both headers":                 get("/", resolve.HeaderSlug, "acme-corp", resolve.HeaderID, betaID),
		"one of three":                 get("http://acme-corp.example.com/t/acme-corp/", resolve.HeaderID, betaID),
		"an unknown tenant":            get("/t/acme-corp/", resolve.HeaderSlug, "nobody"),
		"unknown slug and unknown one": get("/t/nobody-a/", resolve.HeaderSlug, "nobody-b"),
		"an unknown id":                get("/t/nobody/", resolve.HeaderID, betaID),
	} {
		_, err := w.resolver(t).Resolve(r)
		require.ErrorIs(t, err, resolve.ErrConflict, name)
		status, reached := serve(t, w.resolver(t), r)
		assert.Equal(t, http.StatusBadRequest, status, name)
		assert.Nil(t, reached, name)
	}
}

func TestTwoSlugsConflictWithoutALookup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.resolver(t).Resolve(get("/t/nobody-a/", resolve.HeaderSlug, "nobody-b"))
	require.ErrorIs(t, err, resolve.ErrConflict)
	assert.Empty(t, w.store.asked())
}

func TestRow18_CredentialOfAnotherTenantIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	requests := map[string]*http.Request{
		"host":         get("http://acme-corp.example.com/"),
		"header":       get("/", resolve.HeaderSlug, "acme-corp"),
		"id":           get("/", resolve.HeaderID, w.acme.ID.String()),
		"path":         get("/t/acme-corp/"),
		"all together": get("http://acme-corp.example.com/t/acme-corp/", resolve.HeaderSlug, "acme-corp", resolve.HeaderID, w.acme.ID.String()),
	}
	withoutPrincipal := newResolver(t, w.store, resolve.Config{
		Sources:  []resolve.Source{resolve.Subdomain("example.com"), resolve.Header(), resolve.Path()},
		Optional: true,
	})
	for name, r := range requests {
		for _, rs := range []*resolve.Resolver{w.resolver(t), withoutPrincipal} {
			status, reached := serve(t, rs, as(r, keyOf(w.beta)))
			assert.Equal(t, http.StatusForbidden, status, name)
			assert.Nil(t, reached, name)
			_, err := rs.Resolve(as(r, keyOf(w.beta)))
			require.ErrorIs(t, err, resolve.ErrMismatch, name)

			status, _ = serve(t, rs, as(r, keyOf(w.acme)))
			assert.Equal(t, http.StatusOK, status, name)
			status, _ = serve(t, rs, as(r, tenant.Principal{Kind: tenant.User, ID: "ada"}))
			assert.Equal(t, http.StatusOK, status, "%s, by a user of no tenant, whom the guard behind looks at", name)
		}
	}
}

func TestRequestThatContradictsItselfConflictsWhateverTheCredential(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, r := range []*http.Request{
		get("/t/acme-corp/", resolve.HeaderSlug, "beta-industries"),
		get("/t/acme-corp/", resolve.HeaderID, w.beta.ID.String()),
	} {
		for _, who := range []tenant.Tenant{w.acme, w.beta} {
			_, err := w.resolver(t).Resolve(as(r, keyOf(who)))
			require.ErrorIs(t, err, resolve.ErrConflict)
		}
	}
}

func TestCredentialLearnsNothingOfOtherTenants(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	put := func(slug tenant.Slug, status tenant.Status) tenant.Tenant {
		other, err := w.store.Put(tenant.Tenant{Slug: slug, Status: status})
		require.NoError(t, err)
		return other
	}
	put("suspended-one", tenant.StatusSuspended)
	put("deleted-one", tenant.StatusDeleted)
	renamed := put("former-name", tenant.StatusActive)
	_, err := w.store.Rename(renamed.ID, "later-name")
	require.NoError(t, err)
	require.NoError(t, w.store.AddDomain(w.beta.ID, "notes.beta.example"))

	rs := newResolver(t, w.store, resolve.Config{Sources: append(w.sources(), resolve.SourceFunc(anyDomain))})
	for _, r := range []*http.Request{
		get("/t/beta-industries/"),
		get("/t/suspended-one/"),
		get("/t/deleted-one/"),
		get("/t/former-name/"),
		get("/t/never-was/"),
		get("/", resolve.HeaderID, w.beta.ID.String()),
		get("/", resolve.HeaderID, tenant.NewID().String()),
		get("/", "Domain", "notes.beta.example"),
		get("/", "Domain", "never.was.example"),
	} {
		_, err := rs.Resolve(as(r, keyOf(w.acme)))
		assert.Equal(t, resolve.ErrMismatch, err, "%s %v", r.URL, r.Header)
	}

	w.store.reset()
	_, err = rs.Resolve(as(get("/t/never-was/"), keyOf(w.acme)))
	require.Error(t, err)
	assert.Equal(t, []tenant.Ref{tenant.ByID(w.acme.ID)}, w.store.asked(), "names that a credential may not use are not looked up")
}

func TestCredentialOfATenantThatIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	require.NoError(t, w.store.Delete(w.acme.ID))
	for _, r := range []*http.Request{get("/"), get("/t/acme-corp/"), get("/t/beta-industries/")} {
		_, err := w.resolver(t).Resolve(as(r, keyOf(w.acme)))
		require.ErrorIs(t, err, tenant.ErrGone)
	}
}

func TestSuspensionIsToldToTheTenantsOwnCredentialAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.store.SetStatus(w.acme.ID, tenant.StatusSuspended)
	require.NoError(t, err)
	_, err = w.resolver(t).Resolve(as(get("/t/acme-corp/"), keyOf(w.acme)))
	require.ErrorIs(t, err, tenant.ErrSuspended)
	_, err = w.resolver(t).Resolve(as(get("/t/acme-corp/"), keyOf(w.beta)))
	require.ErrorIs(t, err, resolve.ErrMismatch)
}

func TestRow18_ResolverFurtherInKeepsTheTenantOfTheOneFurtherOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	byHost := newResolver(t, w.store, resolve.Config{Sources: []resolve.Source{resolve.Subdomain("example.com")}})
	byHeader := newResolver(t, w.store, resolve.Config{Sources: []resolve.Source{resolve.Header()}})
	both := func(r *http.Request) error {
		inside, err := byHost.Resolve(r)
		require.NoError(t, err)
		inside, err = byHeader.Resolve(inside)
		if err == nil {
			got, _ := tenant.FromContext(inside.Context())
			assert.Equal(t, w.acme, got)
		}
		return err
	}
	require.NoError(t, both(get("http://acme-corp.example.com/")))
	require.NoError(t, both(get("http://acme-corp.example.com/", resolve.HeaderSlug, "acme-corp")))
	require.ErrorIs(t, both(get("http://acme-corp.example.com/", resolve.HeaderSlug, "beta-industries")), resolve.ErrConflict)
	require.ErrorIs(t, both(get("http://acme-corp.example.com/", resolve.HeaderID, w.beta.ID.String())), resolve.ErrConflict)
}

func TestDomainIsLookedUpAndHeldAgainstTheRest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	require.NoError(t, w.store.AddDomain(w.acme.ID, "notes.acme.example"))
	rs := newResolver(t, w.store, resolve.Config{Sources: append(w.sources(), resolve.SourceFunc(anyDomain))})
	key := keyOf(w.acme)
	for _, c := range []struct {
		r    *http.Request
		want error
	}{
		{get("/", "Domain", "notes.acme.example"), nil},
		{get("/t/acme-corp/", "Domain", "notes.acme.example", resolve.HeaderID, w.acme.ID.String()), nil},
		{as(get("/", "Domain", "notes.acme.example"), key), nil},
		{get("/", "Domain", "never.was.example"), tenant.ErrNotFound},
		{get("/t/beta-industries/", "Domain", "notes.acme.example"), resolve.ErrConflict},
		{get("/", "Domain", "notes.acme.example", resolve.HeaderID, w.beta.ID.String()), resolve.ErrConflict},
		{as(get("/t/beta-industries/", "Domain", "notes.acme.example"), key), resolve.ErrConflict},
		{as(get("/", "Domain", "notes.acme.example"), keyOf(w.beta)), resolve.ErrMismatch},
	} {
		w.store.reset()
		_, err := rs.Resolve(c.r)
		if c.want == nil {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, c.want)
		}
		assert.Equal(t, []tenant.Ref{tenant.ByDomain(c.r.Header.Get("Domain"))}, w.store.asked())
	}

	w.store.fail(context.DeadlineExceeded)
	_, err := rs.Resolve(as(get("/", "Domain", "notes.acme.example"), key))
	require.ErrorIs(t, err, tenant.ErrUnavailable, "a store that can't tell says nothing about the credential")
}

func TestMalformedComesBeforeEverythingElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, r := range []*http.Request{
		get("http://acme-corp.example.com/t/UPPER/"),
		get("http://acme-corp.example.com/t/beta-industries/", resolve.HeaderID, "1"), // a conflict as well
		as(get("/t/beta-industries/", resolve.HeaderSlug, ""), keyOf(w.acme)),         // a mismatch as well
	} {
		_, err := w.resolver(t).Resolve(r)
		require.ErrorIs(t, err, resolve.ErrInvalid)
	}
	_, err := w.resolver(t).Resolve(get("http://-.example.com/t/UPPER/"))
	require.ErrorContains(t, err, "host:", "the first source in order tells")
	assert.Empty(t, w.store.asked())
}

// anyDomain is a source that believes what it is told.
func anyDomain(r *http.Request) (resolve.Claim, error) {
	return resolve.Claim{Domain: r.Header.Get("Domain")}, nil
}
