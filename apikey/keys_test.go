package apikey_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/apikey"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

func TestKeyIsWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp")
	key, secret, err := s.keys.Mint(t.Context(), acme.ID, ada, apikey.NewKey{
		Name: "nightly export", Scopes: []string{write, read, write},
		ExpiresAt: s.clock.Now().Add(time.Hour),
		Networks:  []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("::ffff:198.51.100.0/120")},
		Metadata:  map[string]string{"team": "billing"},
	})
	require.NoError(t, err)
	assert.Equal(t, apikey.Key{
		ID: key.ID, TenantID: acme.ID, Name: "nightly export", Scopes: []string{read, write},
		Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.0/24")},
		Metadata: map[string]string{"team": "billing"}, CreatedBy: "ada",
		CreatedAt: s.clock.Now().UTC().Truncate(time.Microsecond), ExpiresAt: s.clock.Now().Add(time.Hour).UTC().Truncate(time.Microsecond),
	}, key)
	id, err := s.keys.Format().KeyID(string(secret))
	require.NoError(t, err)
	assert.Equal(t, key.ID, id)

	got, err := s.keys.Get(t.Context(), acme.ID, key.ID)
	require.NoError(t, err)
	assert.Equal(t, key, got)
	verified, err := s.keys.Verify(t.Context(), string(secret), home)
	require.NoError(t, err)
	assert.Equal(t, key, verified)
	assert.Equal(t, tenant.Principal{Kind: tenant.Key, ID: key.ID, Tenant: acme.ID, Scopes: []string{read, write}}, verified.Principal())
	assert.True(t, verified.Usable(s.clock.Now()))
	assert.False(t, verified.Usable(s.clock.Now().Add(time.Hour)))

	events := s.told(t, acme)
	require.Len(t, events, 1)
	assert.Equal(t, apikey.EventCreated, events[0].Kind)
	assert.Equal(t, map[string]string{"key": key.ID, "scopes": "notes:read notes:write", "by": "ada"}, events[0].After)
}

func TestSecretIsStoredAsAHashAlone(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp")
	_, secret := s.mint(t, acme)
	var row string
	require.NoError(t, s.control.QueryRow(t.Context(), `SELECT k::text || (SELECT string_agg(e::text, '') FROM tenantwall.event e) FROM tenantwall.api_key k`).Scan(&row))
	assert.NotContains(t, row, secret)
	assert.NotContains(t, row, secret[27:])
	assert.NotContains(t, row, secret[27:60])

	hidden := apikey.Secret(secret)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} { // the last is none of a text's
		assert.Equal(t, "[secret]", fmt.Sprintf(verb, hidden), verb)
		assert.NotContains(t, fmt.Sprintf(verb, apikey.Found{Key: hidden}), secret, verb)
	}
	assert.Equal(t, "[secret]", hidden.LogValue().String())
}

func TestKeyThatCantBeSaysAllThatIsWrong(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp")
	many := make([]netip.Prefix, apikey.MaxNetworks+1)
	for i := range many {
		many[i] = netip.MustParsePrefix("192.0.2.0/24")
	}
	entries := map[string]string{}
	for i := range apikey.MaxMetadata + 1 {
		entries[fmt.Sprint(i)] = ""
	}
	good := apikey.NewKey{Name: "n", Scopes: []string{read}}
	for field, changes := range map[string][]func(*apikey.NewKey){
		"name": {
			func(n *apikey.NewKey) { n.Name = "" },
			func(n *apikey.NewKey) { n.Name = strings.Repeat("ä", 101) },
			func(n *apikey.NewKey) { n.Name = "a\x00" },
			func(n *apikey.NewKey) { n.Name = "a\xff" },
		},
		"scopes": {
			func(n *apikey.NewKey) { n.Scopes = nil },
			func(n *apikey.NewKey) { n.Scopes = []string{"notes:*"} },
			func(n *apikey.NewKey) { n.Scopes = []string{read, "admin"} },
			func(n *apikey.NewKey) { n.Scopes = []string{""} },
		},
		"expires_at": {
			func(n *apikey.NewKey) { n.ExpiresAt = s.clock.Now() },
			func(n *apikey.NewKey) { n.ExpiresAt = s.clock.Now().Add(-time.Hour) },
			func(n *apikey.NewKey) { n.ExpiresAt = s.clock.Now().AddDate(9000, 0, 0) },
		},
		"allowed_cidrs": {
			func(n *apikey.NewKey) { n.Networks = many },
			func(n *apikey.NewKey) { n.Networks = []netip.Prefix{{}} },
			func(n *apikey.NewKey) { n.Networks = []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24")} },
			func(n *apikey.NewKey) { n.Networks = []netip.Prefix{netip.MustParsePrefix("::ffff:0:0/64")} },
		},
		"metadata": {
			func(n *apikey.NewKey) { n.Metadata = entries },
			func(n *apikey.NewKey) { n.Metadata = map[string]string{"": "x"} },
			func(n *apikey.NewKey) { n.Metadata = map[string]string{strings.Repeat("n", 65): "x"} },
			func(n *apikey.NewKey) { n.Metadata = map[string]string{"n": strings.Repeat("x", 501)} },
			func(n *apikey.NewKey) { n.Metadata = map[string]string{"n": "\x00"} },
		},
	} {
		for i, change := range changes {
			n := good
			change(&n)
			_, secret, err := s.keys.Mint(t.Context(), acme.ID, ada, n)
			var e *tenant.Error
			require.ErrorAs(t, err, &e, "%s %d", field, i)
			assert.Equal(t, tenant.CodeValidationFailed, e.Code)
			require.Len(t, e.Fields, 1, "%s %d", field, i)
			assert.Equal(t, field, e.Fields[0].Field)
			assert.Empty(t, secret)
		}
	}
	_, _, err := s.keys.Mint(t.Context(), acme.ID, ada, apikey.NewKey{})
	var e *tenant.Error
	require.ErrorAs(t, err, &e)
	assert.Len(t, e.Fields, 2, "name and scopes at once")
	_, _, err = s.keys.Mint(t.Context(), acme.ID, apikey.Minter{ID: "\x00", Scopes: ada.Scopes}, good)
	require.ErrorContains(t, err, "id of the minter")
	keys, err := s.keys.List(t.Context(), acme.ID)
	require.NoError(t, err)
	assert.Empty(t, keys)
	assert.Empty(t, s.told(t, acme))
}

func TestNobodyGivesScopesThatAreNotTheirOwn(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp")
	key, _ := s.mint(t, acme, func(n *apikey.NewKey) { n.Scopes = []string{read, write} })
	reader := apikey.Minter{ID: "reader", Scopes: []string{read}}
	for _, by := range []apikey.Minter{{}, {ID: "nobody"}, reader} {
		_, secret, err := s.keys.Mint(t.Context(), acme.ID, by, apikey.NewKey{Name: "n", Scopes: []string{read, write}})
		require.ErrorIs(t, err, apikey.ErrForbidden)
		assert.Empty(t, secret)
		_, secret, err = s.keys.Rotate(t.Context(), acme.ID, by, key.ID, 0)
		require.ErrorIs(t, err, apikey.ErrForbidden, "who rotates gets the key")
		assert.Empty(t, secret)
	}
	_, _, err := s.keys.Mint(t.Context(), acme.ID, reader, apikey.NewKey{Name: "n", Scopes: []string{read}})
	require.NoError(t, err)
}

func TestKeysAreMadeForATenantThatIsActiveAlone(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp")
	key, _ := s.mint(t, acme)
	_, err := s.catalog.Suspend(t.Context(), acme.ID)
	require.NoError(t, err)
	n := apikey.NewKey{Name: "n", Scopes: []string{read}}
	_, _, err = s.keys.Mint(t.Context(), acme.ID, ada, n)
	require.ErrorIs(t, err, tenant.ErrSuspended)
	_, _, err = s.keys.Rotate(t.Context(), acme.ID, ada, key.ID, time.Hour)
	require.ErrorIs(t, err, tenant.ErrSuspended)
	require.NoError(t, s.keys.Revoke(t.Context(), acme.ID, ada, key.ID), "but ended in any")
	_, _, err = s.keys.Mint(t.Context(), tenant.NewID(), ada, n)
	require.ErrorIs(t, err, tenant.ErrNotFound)
	require.ErrorIs(t, s.keys.Revoke(t.Context(), tenant.NewID(), ada, key.ID), tenant.ErrNotFound)
}

func TestTenantHasABoundedNumberOfKeys(t *testing.T) {
	t.Parallel()
	s := setUp(t, func(cfg *apikey.Config) { cfg.MaxKeys = 3; cfg.KeepEnded = time.Hour })
	acme, beta := s.create(t, "acme-corp"), s.create(t, "beta-corp")
	var group sync.WaitGroup
	made := make(chan string, 20)
	for range 20 {
		group.Go(func() {
			key, _, err := s.keys.Mint(t.Context(), acme.ID, ada, apikey.NewKey{Name: "n", Scopes: []string{read}})
			if err == nil {
				made <- key.ID
			} else {
				assert.ErrorIs(t, err, apikey.ErrKeyLimit)
			}
		})
	}
	group.Wait()
	require.Len(t, made, 3, "20 at once make as many as there may be")
	s.mint(t, beta)

	first := <-made
	next, _, err := s.keys.Rotate(t.Context(), acme.ID, ada, first, time.Hour)
	require.NoError(t, err, "a rotation is none more")
	for range 2 {
		next, _, err = s.keys.Rotate(t.Context(), acme.ID, ada, next.ID, time.Hour)
		require.NoError(t, err)
	}
	_, _, err = s.keys.Rotate(t.Context(), acme.ID, ada, next.ID, time.Hour)
	require.ErrorIs(t, err, apikey.ErrKeyLimit, "but those that are rotated are bounded too")
	require.NoError(t, s.keys.Revoke(t.Context(), acme.ID, ada, first))
	require.NoError(t, s.keys.Revoke(t.Context(), acme.ID, ada, next.ID))
	s.mint(t, acme)

	keys, err := s.keys.List(t.Context(), acme.ID)
	require.NoError(t, err)
	assert.Len(t, keys, 7)
	s.clock.Pass(3 * time.Hour)
	require.NoError(t, s.keys.Revoke(t.Context(), acme.ID, ada, <-made))
	s.mint(t, acme)
	keys, err = s.keys.List(t.Context(), acme.ID)
	require.NoError(t, err)
	assert.Len(t, keys, 4, "what has ended long ago is forgotten: three that are good, and the one that was revoked just now")
}

func TestRotatedKeysAreCountedApart(t *testing.T) {
	t.Parallel()
	s := setUp(t, func(cfg *apikey.Config) { cfg.MaxKeys = 2 })
	acme := s.create(t, "acme-corp")
	key, _ := s.mint(t, acme)
	for range 2 {
		var err error
		key, _, err = s.keys.Rotate(t.Context(), acme.ID, ada, key.ID, time.Hour)
		require.NoError(t, err)
	}
	_, _, err := s.keys.Rotate(t.Context(), acme.ID, ada, key.ID, time.Hour)
	require.ErrorIs(t, err, apikey.ErrKeyLimit, "two are rotated, though only one is not")
	s.mint(t, acme)
}

func TestListIsInTheOrderOfMaking(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp")
	var want []string
	for range 5 {
		key, _ := s.mint(t, acme)
		want = append(want, key.ID)
		s.clock.Pass(time.Second)
	}
	require.NoError(t, s.keys.Revoke(t.Context(), acme.ID, ada, want[2]))
	for range 2 {
		keys, err := s.keys.List(t.Context(), acme.ID)
		require.NoError(t, err)
		var got []string
		for _, key := range keys {
			got = append(got, key.ID)
			assert.Equal(t, key.ID != want[2], key.RevokedAt.IsZero())
		}
		assert.Equal(t, want, got)
	}
}

// Row 19. Whatever is done to a key names the tenant whose key it is; and of all statements
// about keys, the one that finds a key by its secret is the only one without a tenant.
func TestRow19_KeyOfAnotherTenantIsNoKey(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme, beta := s.create(t, "acme-corp"), s.create(t, "beta-corp")
	key, secret := s.mint(t, acme)
	s.tracer.take()
	for _, id := range []string{key.ID, "", "x", strings.Repeat("x", 16), "\x00", strings.Repeat("x", 1000)} {
		_, err := s.keys.Get(t.Context(), beta.ID, id)
		require.ErrorIs(t, err, apikey.ErrNotFound)
		_, _, err = s.keys.Rotate(t.Context(), beta.ID, ada, id, 0)
		require.ErrorIs(t, err, apikey.ErrNotFound)
		require.ErrorIs(t, s.keys.Revoke(t.Context(), beta.ID, ada, id), apikey.ErrNotFound)
	}
	require.ErrorIs(t, s.keys.CheckKey(t.Context(), beta.ID, key.ID), apikey.ErrUnknown)
	require.NoError(t, s.keys.CheckKey(t.Context(), acme.ID, key.ID))
	keys, err := s.keys.List(t.Context(), beta.ID)
	require.NoError(t, err)
	assert.Empty(t, keys)
	got, err := s.keys.Verify(t.Context(), secret, home)
	require.NoError(t, err)
	assert.Equal(t, acme.ID, got.TenantID)
	next, _, err := s.keys.Rotate(t.Context(), acme.ID, ada, key.ID, time.Hour)
	require.NoError(t, err)
	require.NoError(t, s.keys.Revoke(t.Context(), acme.ID, ada, next.ID))
	require.NoError(t, s.keys.Close())

	without := map[string]bool{}
	for _, sql := range s.tracer.take() {
		if !strings.Contains(sql, "tenant_id = $1") && !strings.Contains(sql, "tenant_id = u.tenant_id") && !strings.Contains(sql, "INSERT") {
			without[sql] = true
		}
	}
	require.Len(t, without, 1)
	for sql := range without {
		assert.Contains(t, sql, "WHERE k.id = $1")
		assert.Contains(t, sql, "JOIN tenantwall.tenant t ON t.id = k.tenant_id", "and it finds the tenant")
	}
}

func TestRevokedKeyStaysRevoked(t *testing.T) {
	t.Parallel()
	var told []string
	s := setUp(t, func(cfg *apikey.Config) {
		cfg.OnChange = func(in tenant.ID, keyID string) { told = append(told, in.String()+" "+keyID) }
	})
	acme := s.create(t, "acme-corp")
	key, secret := s.mint(t, acme)
	require.NoError(t, s.keys.Revoke(t.Context(), acme.ID, ada, key.ID))
	s.clock.Pass(time.Hour)
	require.NoError(t, s.keys.Revoke(t.Context(), acme.ID, apikey.Minter{ID: "ben"}, key.ID), "again")
	got, err := s.keys.Get(t.Context(), acme.ID, key.ID)
	require.NoError(t, err)
	assert.Equal(t, s.clock.Now().Add(-time.Hour).UTC().Truncate(time.Microsecond), got.RevokedAt)
	_, err = s.keys.Verify(t.Context(), secret, home)
	require.ErrorIs(t, err, apikey.ErrRevoked)
	_, _, err = s.keys.Rotate(t.Context(), acme.ID, ada, key.ID, time.Hour)
	require.ErrorIs(t, err, apikey.ErrNotFound)
	require.Error(t, s.keys.Revoke(t.Context(), acme.ID, apikey.Minter{ID: "\x00"}, key.ID))

	require.Len(t, told, 2)
	assert.Equal(t, acme.ID.String()+" "+key.ID, told[0])
	events := s.told(t, acme)
	require.Len(t, events, 2)
	assert.Equal(t, apikey.EventRevoked, events[1].Kind)
	assert.Equal(t, map[string]string{"key": key.ID}, events[1].Before)
	assert.Equal(t, map[string]string{"by": "ada"}, events[1].After)
}

func TestKeysGoWithTheirTenant(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme, beta := s.create(t, "acme-corp"), s.create(t, "beta-corp")
	key, secret := s.mint(t, acme)
	_, other := s.mint(t, beta)
	_, err := s.catalog.Delete(t.Context(), acme.ID)
	require.NoError(t, err)
	_, err = s.keys.Verify(t.Context(), secret, home)
	require.ErrorIs(t, err, tenant.ErrGone)
	time.Sleep(time.Millisecond)
	purged, err := s.catalog.Purge(t.Context(), 10)
	require.NoError(t, err)
	require.Equal(t, []tenant.ID{acme.ID}, purged)
	_, err = s.keys.Get(t.Context(), acme.ID, key.ID)
	require.ErrorIs(t, err, apikey.ErrNotFound)
	s.keys.ForgetAll()
	_, err = s.keys.Verify(t.Context(), secret, home)
	require.ErrorIs(t, err, apikey.ErrUnknown)
	_, err = s.keys.Verify(t.Context(), other, home)
	require.NoError(t, err)

	tx, err := s.control.Begin(t.Context())
	require.NoError(t, err)
	require.NoError(t, tx.Rollback(t.Context()))
	require.ErrorContains(t, apikey.Forget(t.Context(), tx, acme.ID), "forget the keys")
}

func TestChangesFailWhollyWithoutTheDatabase(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp")
	key, _ := s.mint(t, acme)
	s.proxy.Cut()
	_, secret, err := s.keys.Mint(t.Context(), acme.ID, ada, apikey.NewKey{Name: "n", Scopes: []string{read}})
	require.ErrorContains(t, err, "apikey: mint")
	assert.Empty(t, secret)
	_, secret, err = s.keys.Rotate(t.Context(), acme.ID, ada, key.ID, 0)
	require.ErrorContains(t, err, "apikey: rotate")
	assert.Empty(t, secret)
	require.ErrorContains(t, s.keys.Revoke(t.Context(), acme.ID, ada, key.ID), "apikey: revoke")
	_, err = s.keys.Get(t.Context(), acme.ID, key.ID)
	require.ErrorContains(t, err, "apikey: get")
	_, err = s.keys.List(t.Context(), acme.ID)
	require.ErrorContains(t, err, "apikey: list")
}

func TestKeyIsMadeOfGoodRandomnessOrNotAtAll(t *testing.T) {
	t.Parallel()
	s := setUp(t, func(cfg *apikey.Config) { cfg.Random = iotest.ErrReader(errors.New("no entropy")) })
	acme := s.create(t, "acme-corp")
	_, secret, err := s.keys.Mint(t.Context(), acme.ID, ada, apikey.NewKey{Name: "n", Scopes: []string{read}})
	require.ErrorContains(t, err, "no entropy")
	assert.Empty(t, secret)
	assert.Empty(t, s.told(t, acme))
}

// The event and the key are written both or neither.
func TestEventsAreToldWithTheChangeOrNotAtAll(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp")
	key, _ := s.mint(t, acme)
	_, err := s.control.Exec(t.Context(), `ALTER TABLE tenantwall.event ADD CONSTRAINT none CHECK (kind NOT LIKE 'key.%') NOT VALID`)
	require.NoError(t, err)
	_, secret, err := s.keys.Mint(t.Context(), acme.ID, ada, apikey.NewKey{Name: "n", Scopes: []string{read}})
	require.Error(t, err)
	assert.Empty(t, secret)
	_, _, err = s.keys.Rotate(t.Context(), acme.ID, ada, key.ID, 0)
	require.Error(t, err)
	require.Error(t, s.keys.Revoke(t.Context(), acme.ID, ada, key.ID))
	keys, err := s.keys.List(t.Context(), acme.ID)
	require.NoError(t, err)
	assert.Equal(t, []apikey.Key{key}, keys)
}

func TestOpenMakesItsTableOnceAndNeedsACatalog(t *testing.T) {
	t.Parallel()
	s := setUp(t)
	acme := s.create(t, "acme-corp")
	key, _ := s.mint(t, acme)
	got, err := s.open(t).Get(t.Context(), acme.ID, key.ID)
	require.NoError(t, err)
	assert.Equal(t, key, got)
	var version int
	require.NoError(t, s.control.QueryRow(t.Context(), `SELECT count(*) FROM tenantwall.migration WHERE component = 'apikey'`).Scan(&version))
	assert.Equal(t, 1, version)
	_, err = s.control.Exec(t.Context(), `DROP TABLE tenantwall.api_key; DELETE FROM tenantwall.migration WHERE component = 'apikey'; ALTER TABLE tenantwall.tenant RENAME TO elsewhere`, pgx.QueryExecModeSimpleProtocol)
	require.NoError(t, err)
	_, err = apikey.Open(t.Context(), s.control, s.config())
	var failed *tenantdb.MigrationFileError
	require.ErrorAs(t, err, &failed)
}
