package temporalx

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"

	"github.com/tenantwall/tenantwall/tenant"
)

func payload(body string) *commonpb.Payload {
	return &commonpb.Payload{Metadata: map[string][]byte{converter.MetadataEncoding: []byte(jsonEncoding)}, Data: []byte(body)}
}

func TestAHeaderSaysWhatWasPutIntoIt(t *testing.T) {
	t.Parallel()
	acme := tenant.NewID()
	for name, id := range map[string]Identity{
		"a tenant alone": {Tenant: acme},
		"everything": {
			Tenant: acme, Plan: "pro", RequestID: "r-1",
			Principal: tenant.Principal{Kind: tenant.User, ID: "ada", Email: "ada@acme.example", Tenant: acme},
		},
		"a key":                 {Tenant: acme, Principal: tenant.Principal{Kind: tenant.Key, ID: "k1", Tenant: acme}},
		"the system":            {System: "provision a tenant", Principal: tenant.Principal{Kind: tenant.User, ID: "root"}},
		"what JSON must escape": {Tenant: acme, Plan: `"<&>\`, RequestID: "ü"},
		"as much as there may be": {
			Tenant: acme, Plan: strings.Repeat("<", maxPlan), RequestID: strings.Repeat("<", maxRequestID),
			Principal: tenant.Principal{Kind: tenant.PrincipalKind(strings.Repeat("<", maxPrincipal)), ID: strings.Repeat("<", maxPrincipal), Email: strings.Repeat("<", maxEmail), Tenant: acme},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			header, err := encode(id, "t/x/y", false, nil)
			require.NoError(t, err)
			c := parse(header)
			require.NoError(t, c.bad)
			assert.True(t, c.found)
			assert.Equal(t, id, c.identity)
		})
	}
}

func TestAHeaderHoldsNoEmailOfItself(t *testing.T) {
	t.Parallel()
	id := Identity{Tenant: tenant.NewID(), Principal: tenant.Principal{Kind: tenant.User, ID: "ada", Role: "owner", Scopes: []string{"all"}}}
	header, err := encode(id, "t/x/y", false, nil)
	require.NoError(t, err)
	assert.NotContains(t, string(header.GetData()), "email")
	assert.NotContains(t, string(header.GetData()), "owner", "what one may do is not carried")
	assert.NotContains(t, string(header.GetData()), "all")
}

func TestAHeaderThatCannotBeIsMalformed(t *testing.T) {
	t.Parallel()
	id := tenant.NewID().String()
	for name, header := range map[string]*commonpb.Payload{
		"empty":                         payload(""),
		"not JSON":                      payload("{"),
		"another type":                  payload(`[]`),
		"nobody's":                      payload(`{"v":1}`),
		"null":                          payload(`null`),
		"no version":                    payload(`{"tenant":"` + id + `"}`),
		"a later version":               payload(`{"v":2,"tenant":"` + id + `"}`),
		"an id that is none":            payload(`{"v":1,"tenant":"acme"}`),
		"an id in upper case":           payload(`{"v":1,"tenant":"` + strings.ToUpper(id[:35]) + `F"}`),
		"the zero id":                   payload(`{"v":1,"tenant":"` + tenant.ID{}.String() + `"}`),
		"a tenant and the system":       payload(`{"v":1,"tenant":"` + id + `","system":"why"}`),
		"a plan that is too long":       payload(`{"v":1,"tenant":"` + id + `","plan":"` + strings.Repeat("p", maxPlan+1) + `"}`),
		"a control character":           payload(`{"v":1,"tenant":"` + id + `","request_id":"a\nb"}`),
		"a principal of no kind":        payload(`{"v":1,"tenant":"` + id + `","principal":{"id":"ada"}}`),
		"a principal without an id":     payload(`{"v":1,"tenant":"` + id + `","principal":{"kind":"user"}}`),
		"more than is read":             payload(`{"v":1,"tenant":"` + id + `"}` + strings.Repeat(" ", maxHeader)),
		"something behind it":           payload(`{"v":1,"tenant":"` + id + `"}{}`),
		"another encoding":              {Metadata: map[string][]byte{converter.MetadataEncoding: []byte("binary/plain")}, Data: []byte(`{"v":1,"tenant":"` + id + `"}`)},
		"a payload without an encoding": {Data: []byte(`{"v":1,"tenant":"` + id + `"}`)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := parse(header)
			assert.True(t, c.found)
			require.Error(t, c.bad)
			assert.Equal(t, Identity{}, c.identity)
			_, err := c.genuine("t/x/y", nil, then)
			assert.Equal(t, tenant.CodeTenantInvalid, told(err).Code)
		})
	}
}

func TestAnIdentityThatCannotBeIsNotCarried(t *testing.T) {
	t.Parallel()
	acme := tenant.NewID()
	for name, id := range map[string]Identity{
		"nobody's":                 {},
		"both":                     {Tenant: acme, System: "why"},
		"a plan that is too long":  {Tenant: acme, Plan: strings.Repeat("p", maxPlan+1)},
		"a plan that is no text":   {Tenant: acme, Plan: "\xff"},
		"a reason of two lines":    {System: "a\nb"},
		"a principal without kind": {Tenant: acme, Principal: tenant.Principal{ID: "ada"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := encode(id, "t/x/y", false, nil)
			assert.Error(t, err)
		})
	}
}

func TestAFieldOfALaterVersionIsIgnored(t *testing.T) {
	t.Parallel()
	id := tenant.NewID()
	c := parse(payload(`{"v":1,"tenant":"` + id.String() + `","region":"eu"}`))
	require.NoError(t, c.bad)
	assert.Equal(t, id, c.identity.Tenant)
}

// FuzzParse: whatever a header holds, it is read without a panic, what is accepted is
// within its bounds, and says the same when it is carried on.
func FuzzParse(f *testing.F) {
	id := tenant.NewID().String()
	for _, seed := range []string{
		"", "{}", "null", `{"v":1}`, `{"v":1,"tenant":"` + id + `"}`, `{"v":1,"system":"why"}`,
		`{"v":1,"tenant":"` + id + `","plan":"pro","request_id":"r","principal":{"kind":"user","id":"ada","email":"a@b"},"scheduled":true}`,
		`{"v":1,"tenant":"` + id + `","tenant":"` + tenant.NewID().String() + `"}`,
		`{"v":1,"tenant":"` + id + `","plan":"\ud800"}`,
	} {
		f.Add([]byte(seed), jsonEncoding, "k1", []byte("signature"))
	}
	f.Fuzz(func(t *testing.T, body []byte, encoding, key string, signature []byte) {
		c := parse(&commonpb.Payload{Data: body, Metadata: map[string][]byte{
			converter.MetadataEncoding: []byte(encoding), metaKey: []byte(key), metaSignature: signature,
		}})
		if c.bad != nil {
			if !assert.ObjectsAreEqual(Identity{}, c.identity) {
				t.Fatalf("a malformed header has an identity: %+v", c.identity)
			}
			return
		}
		if c.signedBy([]Key{{ID: key, Secret: make([]byte, minSecret)}}, "t/x/y", then) {
			t.Fatal("a signature was guessed")
		}
		header, err := encode(c.identity, "t/x/y", c.scheduled, nil)
		if err != nil {
			t.Fatalf("what was accepted can't be carried on: %v", err)
		}
		if again := parse(header); again.bad != nil || !assert.ObjectsAreEqual(c.identity, again.identity) {
			t.Fatalf("%+v became %+v (%v)", c.identity, again.identity, again.bad)
		}
	})
}
