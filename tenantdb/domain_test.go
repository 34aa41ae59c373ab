package tenantdb_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// zone is a Resolver that knows the records that a test gives it.
type zone struct {
	mu      sync.Mutex
	records map[string][]string
	silent  map[string]bool
	asked   int
	asking  func() // called before each answer
}

// serve lets a catalog ask the zone.
func (z *zone) serve(c *tenantdb.CatalogConfig) {
	c.Domains = tenantdb.DomainConfig{Resolver: z, Own: []string{"example.com", "localhost"}}
}

func (z *zone) LookupTXT(_ context.Context, name string) ([]string, error) {
	if z.asking != nil {
		z.asking()
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	z.asked++
	if z.silent[name] {
		return nil, &net.DNSError{Err: "server misbehaving", Name: name, IsTemporary: true}
	}
	if found, ok := z.records[name]; ok {
		return found, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

// publish puts the records of domains beside those that are there.
func (z *zone) publish(domains ...tenantdb.Domain) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.records == nil {
		z.records = make(map[string][]string)
	}
	for _, d := range domains {
		z.records[d.RecordName+"."] = append(z.records[d.RecordName+"."], d.RecordValue)
	}
}

// withdraw removes all records of a domain, and with it those of all who claim it.
func (z *zone) withdraw(d tenantdb.Domain) {
	z.mu.Lock()
	defer z.mu.Unlock()
	delete(z.records, d.RecordName+".")
}

// silence has a domain's servers give no answer.
func (z *zone) silence(d tenantdb.Domain, silent bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.silent = map[string]bool{d.RecordName + ".": silent}
}

// verified adds a domain, publishes its record and verifies it.
func (z *zone) verified(t testing.TB, catalog *tenantdb.Catalog, id tenant.ID, name string) tenantdb.Domain {
	t.Helper()
	d, err := catalog.AddDomain(t.Context(), id, name)
	require.NoError(t, err)
	z.publish(d)
	d, err = catalog.VerifyDomain(t.Context(), id, name)
	require.NoError(t, err)
	return d
}

// leadsTo is whose the domain is; the zero id is nobody.
func leadsTo(t testing.TB, catalog *tenantdb.Catalog, name string) tenant.ID {
	t.Helper()
	found, err := catalog.Lookup(t.Context(), tenant.ByDomain(name))
	if err != nil {
		require.ErrorIs(t, err, tenant.ErrNotFound)
	}
	return found.ID
}

func TestDomainLeadsToItsTenantOnceItIsProved(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	z := new(zone)
	var told notices
	now := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
	catalog := s.catalog(z.serve, func(c *tenantdb.CatalogConfig) {
		c.OnChange = told.add
		c.Now = func() time.Time { return now }
		c.Domains.Random = bytes.NewReader(bytes.Repeat([]byte{1}, 16))
	})
	it := created(t, catalog, "acme-corp")
	told.take()

	added, err := catalog.AddDomain(t.Context(), it.ID, " Notes.Büro.EXAMPLE. ")
	require.NoError(t, err)
	want := tenantdb.Domain{
		Tenant: it.ID, Name: "notes.xn--bro-hoa.example", CreatedAt: now,
		RecordName: "_tenantwall-challenge.notes.xn--bro-hoa.example", RecordValue: "tenantwall-domain=aeaqcaibaeaqcaibaeaqcaibae",
	}
	assert.Equal(t, want, added)
	assert.Zero(t, leadsTo(t, catalog, added.Name), "a claim is no proof")
	d, err := catalog.VerifyDomain(t.Context(), it.ID, added.Name)
	require.ErrorIs(t, err, tenantdb.ErrDomainNotProved)
	require.ErrorContains(t, err, added.RecordName+" that says "+added.RecordValue)
	assert.Equal(t, added, d)
	assert.Empty(t, told.take(), "nothing has changed for the tenant")

	now = now.Add(time.Hour)
	z.publish(added)
	d, err = catalog.VerifyDomain(t.Context(), it.ID, "notes.büro.example")
	require.NoError(t, err)
	want.VerifiedAt = now
	assert.Equal(t, want, d)
	found, err := catalog.Lookup(t.Context(), tenant.ByDomain(added.Name))
	require.NoError(t, err)
	assert.Equal(t, it.Version+1, found.Version, "so that caches see it")
	assert.Equal(t, []tenant.Tenant{found}, told.take())

	now = now.Add(time.Hour)
	again, err := catalog.VerifyDomain(t.Context(), it.ID, added.Name)
	require.NoError(t, err)
	assert.Equal(t, want, again, "verified already")
	assert.Empty(t, told.take())
	listed, err := catalog.Domains(t.Context(), it.ID)
	require.NoError(t, err)
	assert.Equal(t, []tenantdb.Domain{want}, listed)

	require.NoError(t, catalog.RemoveDomain(t.Context(), it.ID, "Notes.Büro.example"))
	assert.Zero(t, leadsTo(t, catalog, added.Name))
	gone := told.take()
	require.Len(t, gone, 1)
	assert.Equal(t, found.Version+1, gone[0].Version)
	require.ErrorIs(t, catalog.RemoveDomain(t.Context(), it.ID, added.Name), tenantdb.ErrDomainNotFound)
	listed, err = catalog.Domains(t.Context(), it.ID)
	require.NoError(t, err)
	assert.Empty(t, listed)

	var events []tenantdb.Event
	for e, err := range catalog.Events(t.Context(), tenantdb.EventOptions{Tenant: it.ID}) {
		require.NoError(t, err)
		events = append(events, e)
	}
	require.Len(t, events, 4)
	domain := map[string]string{"domain": added.Name}
	assert.Equal(t, tenantdb.EventDomainVerified, events[2].Kind)
	assert.Equal(t, domain, events[2].After)
	assert.Equal(t, found.Version, events[2].Version)
	assert.Equal(t, tenantdb.EventDomainRemoved, events[3].Kind)
	assert.Equal(t, domain, events[3].Before)
}

// Row 21: of all who claim a domain, whoever proves it has it, and nobody else.
func TestRow21_DomainIsOneTenantsAtATime(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	z := new(zone)
	catalog := s.catalog(z.serve)
	squatter, owner := created(t, catalog, "squatter"), created(t, catalog, "owner")
	const name = "notes.acme.example"
	claim, err := catalog.AddDomain(t.Context(), squatter.ID, name)
	require.NoError(t, err)
	proof, err := catalog.AddDomain(t.Context(), owner.ID, name)
	require.NoError(t, err)
	assert.NotEqual(t, claim.RecordValue, proof.RecordValue)

	z.publish(proof)
	_, err = catalog.VerifyDomain(t.Context(), squatter.ID, name)
	require.ErrorIs(t, err, tenantdb.ErrDomainNotProved, "the record of another tenant proves nothing")
	_, err = catalog.VerifyDomain(t.Context(), owner.ID, name)
	require.NoError(t, err, "a claim of somebody else's is not in the way")
	assert.Equal(t, owner.ID, leadsTo(t, catalog, name))

	z.publish(claim) // the domain has changed hands
	for range 2 {
		_, err = catalog.VerifyDomain(t.Context(), squatter.ID, name)
		require.ErrorIs(t, err, tenantdb.ErrDomainTaken)
		var refused *tenant.Error
		require.ErrorAs(t, err, &refused)
		assert.Equal(t, tenant.CodeValidationFailed, refused.Code)
		assert.Equal(t, owner.ID, leadsTo(t, catalog, name))
	}
	require.ErrorIs(t, catalog.RemoveDomain(t.Context(), created(t, catalog, "third").ID, name), tenantdb.ErrDomainNotFound)
	require.NoError(t, catalog.RemoveDomain(t.Context(), squatter.ID, name), "its own claim")
	assert.Equal(t, owner.ID, leadsTo(t, catalog, name))
	require.NoError(t, catalog.RemoveDomain(t.Context(), owner.ID, name))
	z.verified(t, catalog, squatter.ID, name)
	assert.Equal(t, squatter.ID, leadsTo(t, catalog, name))
}

func TestRow21_OneOfManyWhoVerifyADomainAtOnceHasIt(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	z := new(zone)
	catalog := s.catalog(z.serve)
	var tenants []tenant.Tenant
	for i := range 6 {
		it := created(t, catalog, tenant.Slug(fmt.Sprintf("tenant-%d", i)))
		d, err := catalog.AddDomain(t.Context(), it.ID, "notes.acme.example")
		require.NoError(t, err)
		z.publish(d)
		tenants = append(tenants, it)
	}
	won := make(chan tenant.ID, len(tenants))
	var all sync.WaitGroup
	for _, it := range tenants {
		all.Go(func() {
			_, err := catalog.VerifyDomain(t.Context(), it.ID, "notes.acme.example")
			if err == nil {
				won <- it.ID
				return
			}
			assert.ErrorIs(t, err, tenantdb.ErrDomainTaken)
		})
	}
	all.Wait()
	require.Len(t, won, 1)
	assert.Equal(t, <-won, leadsTo(t, catalog, "notes.acme.example"))
}

// Row 21: a domain outlives its tenant by no look-up, and is nobody else's until the purge.
func TestRow21_DomainOfADeletedTenantIsGoneUntilThePurge(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	z := new(zone)
	now := time.Now()
	catalog := s.catalog(z.serve, func(c *tenantdb.CatalogConfig) { c.Now = func() time.Time { return now } })
	it, heir := created(t, catalog, "acme-corp"), created(t, catalog, "heir")
	z.verified(t, catalog, it.ID, "notes.acme.example")
	z.verified(t, catalog, it.ID, "old.acme.example")
	for _, name := range []string{"notes.acme.example", "old.acme.example"} {
		d, err := catalog.AddDomain(t.Context(), heir.ID, name)
		require.NoError(t, err)
		z.publish(d)
	}

	_, err := catalog.Suspend(t.Context(), it.ID)
	require.NoError(t, err)
	found, err := catalog.Lookup(t.Context(), tenant.ByDomain("notes.acme.example"))
	require.NoError(t, err)
	assert.Equal(t, tenant.StatusSuspended, found.Status)
	_, err = catalog.Delete(t.Context(), it.ID)
	require.NoError(t, err)
	for _, name := range []string{"notes.acme.example", "old.acme.example"} {
		_, err = catalog.Lookup(t.Context(), tenant.ByDomain(name))
		require.ErrorIs(t, err, tenant.ErrGone)
		_, err = catalog.VerifyDomain(t.Context(), heir.ID, name)
		require.ErrorIs(t, err, tenantdb.ErrDomainTaken)
	}
	_, err = catalog.AddDomain(t.Context(), it.ID, "new.acme.example")
	require.ErrorIs(t, err, tenant.ErrGone)
	_, err = catalog.VerifyDomain(t.Context(), it.ID, "notes.acme.example")
	require.ErrorIs(t, err, tenant.ErrGone)

	require.NoError(t, catalog.RemoveDomain(t.Context(), it.ID, "old.acme.example"))
	_, err = catalog.VerifyDomain(t.Context(), heir.ID, "old.acme.example")
	require.NoError(t, err, "given up before the purge")

	now = now.Add(31 * 24 * time.Hour)
	_, err = catalog.Purge(t.Context(), 10)
	require.NoError(t, err)
	assert.Zero(t, leadsTo(t, catalog, "notes.acme.example"))
	_, err = catalog.VerifyDomain(t.Context(), heir.ID, "notes.acme.example")
	require.NoError(t, err)
	assert.Equal(t, heir.ID, leadsTo(t, catalog, "notes.acme.example"))
}

// Row 16, row 20: what no tenant can have.
func TestRow16_Row20_DomainsThatNobodyCanClaim(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	z := new(zone)
	catalog := s.catalog(z.serve)
	it := created(t, catalog, "acme-corp")
	for _, name := range []string{
		"", ".", "localhost", "com", "co.uk", "github.io", "s3.amazonaws.com", "CO.UK.", "公司.cn",
		"example.com", "EXAMPLE.com.", "app.example.com", "acme-corp.example.com", "ａpp.example.com", "a.b.example.com", "notes.localhost",
		"127.0.0.1", "127.1", "[::1]", "::1", "acme.example:8080", "https://acme.example", "acme.example/x", "*.acme.example", "_acme.example",
		"acme..example", "acme.example..", "acme\x00.example", "\xff.example", "user@acme.example", strings.Repeat("a", 64) + ".example",
		strings.Repeat("a.", 117) + "example", // leaves no room for the record
	} {
		_, err := catalog.AddDomain(t.Context(), it.ID, name)
		require.ErrorIs(t, err, tenantdb.ErrBadDomain, "%q", name)
		var refused *tenant.Error
		require.ErrorAs(t, err, &refused)
		require.Len(t, refused.Fields, 1, "%q", name)
		assert.Equal(t, "domain", refused.Fields[0].Field)
		_, err = catalog.VerifyDomain(t.Context(), it.ID, name)
		require.ErrorIs(t, err, tenantdb.ErrBadDomain, "%q", name)
		_, err = catalog.Lookup(t.Context(), tenant.ByDomain(name))
		require.ErrorIs(t, err, tenant.ErrNotFound, "%q", name)
	}
	require.ErrorIs(t, catalog.RemoveDomain(t.Context(), it.ID, "localhost"), tenantdb.ErrBadDomain)
	assert.Zero(t, z.asked)
	for _, name := range []string{"evilexample.com", "example.com.acme.example", "acme.co.uk", "acme.github.io"} {
		_, err := catalog.AddDomain(t.Context(), it.ID, name)
		require.NoError(t, err, name)
	}
}

func TestTenantHasABoundedNumberOfDomains(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog(new(zone).serve)
	it := created(t, catalog, "acme-corp")
	for i := range tenantdb.MaxDomains {
		_, err := catalog.AddDomain(t.Context(), it.ID, fmt.Sprintf("notes-%d.acme.example", i))
		require.NoError(t, err)
	}
	_, err := catalog.AddDomain(t.Context(), it.ID, "one-more.acme.example")
	require.ErrorIs(t, err, tenantdb.ErrTooManyDomains)
	first, err := catalog.AddDomain(t.Context(), it.ID, "notes-0.acme.example")
	require.NoError(t, err, "one that it has")
	again, err := catalog.AddDomain(t.Context(), it.ID, "notes-0.acme.example")
	require.NoError(t, err)
	assert.Equal(t, first, again, "with the same record")
}

func TestDomainsOfATenantThatIsNotThere(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	catalog := s.catalog(new(zone).serve)
	nobody := tenant.NewID()
	_, err := catalog.AddDomain(t.Context(), nobody, "notes.acme.example")
	require.ErrorIs(t, err, tenant.ErrNotFound)
	_, err = catalog.VerifyDomain(t.Context(), nobody, "notes.acme.example")
	require.ErrorIs(t, err, tenant.ErrNotFound)
	require.ErrorIs(t, catalog.RemoveDomain(t.Context(), nobody, "notes.acme.example"), tenant.ErrNotFound)
	listed, err := catalog.Domains(t.Context(), nobody)
	require.NoError(t, err)
	assert.Empty(t, listed)
	it := created(t, catalog, "acme-corp")
	_, err = catalog.VerifyDomain(t.Context(), it.ID, "notes.acme.example")
	require.ErrorIs(t, err, tenantdb.ErrDomainNotFound)
	_, err = catalog.AddDomain(t.Context(), s.crashed(acme2()).ID, "notes.acme.example")
	require.ErrorIs(t, err, tenant.ErrUnavailable)
}

// acme2 is a new tenant beside acme's.
func acme2() tenantdb.NewTenant {
	n := acme()
	n.Slug = "acme-two"
	return n
}

// A domain that is removed and claimed anew while its servers are asked has another record.
func TestProofOfAnEarlierClaimProvesNothing(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	z := new(zone)
	catalog := s.catalog(z.serve)
	it := created(t, catalog, "acme-corp")
	d, err := catalog.AddDomain(t.Context(), it.ID, "notes.acme.example")
	require.NoError(t, err)
	z.publish(d)
	z.asking = func() {
		assert.NoError(t, catalog.RemoveDomain(t.Context(), it.ID, d.Name))
		_, err := catalog.AddDomain(t.Context(), it.ID, d.Name)
		assert.NoError(t, err)
	}
	_, err = catalog.VerifyDomain(t.Context(), it.ID, d.Name)
	require.ErrorIs(t, err, tenantdb.ErrDomainNotFound)
	assert.Zero(t, leadsTo(t, catalog, d.Name))
}

func TestServersThatCannotTellChangeNothing(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	z := new(zone)
	catalog := s.catalog(z.serve)
	it := created(t, catalog, "acme-corp")
	d := z.verified(t, catalog, it.ID, "notes.acme.example")
	z.silence(d, true)
	_, err := catalog.VerifyDomain(t.Context(), it.ID, d.Name)
	var refused *tenant.Error
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, tenant.CodeUnavailable, refused.Code)
	assert.Positive(t, refused.RetryAfter)
	assert.Equal(t, it.ID, leadsTo(t, catalog, d.Name))
}

// Row 21: whoever buys a domain that has expired is not served as the tenant that had it.
func TestRow21_DomainLapsesWhenItsRecordIsGoneForLong(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	z := new(zone)
	var told notices
	now := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
	catalog := s.catalog(z.serve, func(c *tenantdb.CatalogConfig) {
		c.OnChange = told.add
		c.Now = func() time.Time { return now }
		c.Domains.Grace = 48 * time.Hour
	})
	it, heir := created(t, catalog, "acme-corp"), created(t, catalog, "heir")
	kept, lost := z.verified(t, catalog, it.ID, "kept.acme.example"), z.verified(t, catalog, it.ID, "lost.acme.example")
	told.take()
	recheck := func() []tenantdb.Domain {
		t.Helper()
		lapsed, err := catalog.RecheckDomains(t.Context(), 100)
		require.NoError(t, err)
		return lapsed
	}
	assert.Empty(t, recheck(), "all is there")

	z.withdraw(lost)
	for range 2 { // a short time is a mistake of somebody's
		assert.Empty(t, recheck())
		assert.Equal(t, it.ID, leadsTo(t, catalog, lost.Name))
	}
	first := now
	listed, err := catalog.Domains(t.Context(), it.ID)
	require.NoError(t, err)
	assert.Zero(t, listed[0].MissingSince)
	assert.Equal(t, first, listed[1].MissingSince)
	now = now.Add(47 * time.Hour)
	assert.Empty(t, recheck())
	z.publish(lost)
	assert.Empty(t, recheck(), "it is back, and the time begins anew")
	z.withdraw(lost)
	assert.Empty(t, recheck())
	now = now.Add(47 * time.Hour)
	_, err = catalog.VerifyDomain(t.Context(), it.ID, lost.Name)
	require.ErrorIs(t, err, tenantdb.ErrDomainNotProved)
	assert.Equal(t, it.ID, leadsTo(t, catalog, lost.Name))
	assert.Empty(t, told.take())

	now = now.Add(time.Hour)
	lapsed := recheck()
	require.Len(t, lapsed, 1)
	assert.Equal(t, lost.Name, lapsed[0].Name)
	assert.Zero(t, lapsed[0].VerifiedAt)
	assert.Zero(t, leadsTo(t, catalog, lost.Name))
	assert.Len(t, told.take(), 1)
	events := kinds(t, catalog, it.ID)
	assert.Equal(t, tenantdb.EventDomainLapsed, events[len(events)-1])
	assert.Equal(t, it.ID, leadsTo(t, catalog, kept.Name))
	assert.Empty(t, recheck(), "once")

	z.verified(t, catalog, heir.ID, lost.Name)
	assert.Equal(t, heir.ID, leadsTo(t, catalog, lost.Name))
}

func TestRecheckTakesTurnsAndGoesOnBehindErrors(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	z := new(zone)
	now := time.Now()
	catalog := s.catalog(z.serve, func(c *tenantdb.CatalogConfig) {
		c.Now = func() time.Time { now = now.Add(time.Second); return now }
		c.Domains.Grace = time.Nanosecond
	})
	it, deleted := created(t, catalog, "acme-corp"), created(t, catalog, "deleted")
	z.withdraw(z.verified(t, catalog, deleted.ID, "notes.deleted.example"))
	_, err := catalog.Delete(t.Context(), deleted.ID)
	require.NoError(t, err)
	silent := z.verified(t, catalog, it.ID, "silent.acme.example")
	lost := z.verified(t, catalog, it.ID, "lost.acme.example")
	z.silence(silent, true)
	z.withdraw(lost)

	_, err = catalog.RecheckDomains(t.Context(), 1)
	require.ErrorContains(t, err, "silent.acme.example")
	_, err = catalog.RecheckDomains(t.Context(), 1)
	require.NoError(t, err, "it was lost's turn")
	lapsed, err := catalog.RecheckDomains(t.Context(), 100)
	require.ErrorContains(t, err, "silent.acme.example")
	require.Len(t, lapsed, 1)
	assert.Equal(t, lost.Name, lapsed[0].Name)
	assert.Equal(t, it.ID, leadsTo(t, catalog, silent.Name), "who can't tell takes nothing away")
	_, err = catalog.Lookup(t.Context(), tenant.ByDomain("notes.deleted.example"))
	require.ErrorIs(t, err, tenant.ErrGone)

	// Removed while it is asked for.
	z.asking = func() { _ = catalog.RemoveDomain(context.Background(), it.ID, silent.Name) }
	z.silence(silent, false)
	lapsed, err = catalog.RecheckDomains(t.Context(), 100)
	require.NoError(t, err)
	assert.Empty(t, lapsed)

	_, err = catalog.RecheckDomains(t.Context(), 0)
	require.ErrorContains(t, err, "limit is 0")
}

func TestCatalogWithoutAResolverHasNoDomains(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	z := new(zone)
	with, without := s.catalog(z.serve), s.catalog()
	it := created(t, with, "acme-corp")
	d := z.verified(t, with, it.ID, "notes.acme.example")
	_, err := without.AddDomain(t.Context(), it.ID, "other.acme.example")
	require.ErrorIs(t, err, tenantdb.ErrNoDomains)
	_, err = without.VerifyDomain(t.Context(), it.ID, d.Name)
	require.ErrorIs(t, err, tenantdb.ErrNoDomains)
	_, err = without.RecheckDomains(t.Context(), 1)
	require.ErrorIs(t, err, tenantdb.ErrNoDomains)
	assert.Equal(t, it.ID, leadsTo(t, without, d.Name), "what another process has verified holds")
	require.NoError(t, without.RemoveDomain(t.Context(), it.ID, d.Name))
}

func TestDomainSettingsThatCannotBe(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	pool := s.pool(s.controlURL())
	for want, change := range map[string]func(*tenantdb.DomainConfig){
		"Own is empty":                 func(c *tenantdb.DomainConfig) { c.Own = nil },
		`Own: "Example.com"`:           func(c *tenantdb.DomainConfig) { c.Own = []string{"Example.com"} },
		`Own: "example.com."`:          func(c *tenantdb.DomainConfig) { c.Own = []string{"example.org", "example.com."} },
		`RecordPrefix "challenge"`:     func(c *tenantdb.DomainConfig) { c.RecordPrefix = "challenge" },
		`RecordPrefix "_a b"`:          func(c *tenantdb.DomainConfig) { c.RecordPrefix = "_a b" },
		"Grace is -1ns":                func(c *tenantdb.DomainConfig) { c.Grace = -1 },
		"Grace is 8785h0m0s, and must": func(c *tenantdb.DomainConfig) { c.Grace = 8785 * time.Hour },
	} {
		cfg := tenantdb.CatalogConfig{Gateways: []string{s.roles.Gateway}}
		new(zone).serve(&cfg)
		change(&cfg.Domains)
		_, err := tenantdb.OpenCatalog(t.Context(), pool, cfg)
		require.ErrorContains(t, err, want)
	}
	broken := s.catalogOn(pool, new(zone).serve, func(c *tenantdb.CatalogConfig) {
		c.Domains.Random = io.MultiReader(strings.NewReader("short"), iotest.ErrReader(errors.New("no entropy")))
	})
	_, err := broken.AddDomain(t.Context(), created(t, broken, "acme-corp").ID, "notes.acme.example")
	require.ErrorContains(t, err, "no entropy")
}
