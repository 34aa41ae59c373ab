package temporalx_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/proto"

	"github.com/tenantwall/tenantwall/temporalx"
	"github.com/tenantwall/tenantwall/tenant"
)

func master(id string) temporalx.PayloadKey {
	secret := make([]byte, temporalx.PayloadKeySize)
	copy(secret, id)
	return temporalx.PayloadKey{ID: id, Secret: secret}
}

func derived(t testing.TB, masters ...temporalx.PayloadKey) temporalx.PayloadKeys {
	t.Helper()
	keys, err := temporalx.DerivedKeys(masters...)
	require.NoError(t, err)
	return keys
}

func codecOf(t testing.TB, e temporalx.Encryption, of tenant.ID) converter.PayloadCodec {
	t.Helper()
	if e.Keys == nil {
		e.Keys = derived(t, master("m1"))
	}
	c, err := e.Codec(of)
	require.NoError(t, err)
	return c
}

func text(s string) []*commonpb.Payload {
	return []*commonpb.Payload{{
		Metadata: map[string][]byte{converter.MetadataEncoding: []byte("json/plain")}, Data: []byte(`"` + s + `"`),
	}}
}

func seal(t testing.TB, c converter.PayloadCodec, s string) []*commonpb.Payload {
	t.Helper()
	sealed, err := c.Encode(text(s))
	require.NoError(t, err)
	return sealed
}

func TestWhatIsSealedOpensAndTellsNothing(t *testing.T) {
	t.Parallel()
	of := tenant.NewID()
	c := codecOf(t, temporalx.Encryption{}, of)
	sealed := seal(t, c, "the quarterly numbers")
	all, err := proto.Marshal(sealed[0])
	require.NoError(t, err)
	assert.NotContains(t, string(all), "quarterly")
	assert.NotContains(t, string(all), "json/plain")
	assert.NotEqual(t, sealed[0].GetData(), seal(t, c, "the quarterly numbers")[0].GetData(), "the same text is never sealed alike")
	opened, err := c.Decode(sealed)
	require.NoError(t, err)
	assert.True(t, proto.Equal(text("the quarterly numbers")[0], opened[0]))
}

func TestAnotherTenantsPayloadDoesNotOpen(t *testing.T) {
	t.Parallel()
	acme, beta := tenant.NewID(), tenant.NewID()
	sealed := seal(t, codecOf(t, temporalx.Encryption{}, acme), "x")
	for name, other := range map[string]tenant.ID{"another tenant": beta, "the system": {}} {
		_, err := codecOf(t, temporalx.Encryption{}, other).Decode(sealed)
		assert.ErrorIs(t, err, temporalx.ErrPayloadTenant, name)

		forged := proto.CloneOf(sealed[0])
		forged.Metadata["tenantwall-tenant"] = []byte(other.String())
		_, err = codecOf(t, temporalx.Encryption{}, other).Decode([]*commonpb.Payload{forged})
		assert.ErrorIs(t, err, temporalx.ErrPayloadDamaged, name)

		// Even if somebody gives two tenants one key.
		same := temporalx.Encryption{Keys: oneKey{master("k")}}
		forged = seal(t, codecOf(t, same, acme), "x")[0]
		forged.Metadata["tenantwall-tenant"] = []byte(other.String())
		_, err = codecOf(t, same, other).Decode([]*commonpb.Payload{forged})
		assert.ErrorIs(t, err, temporalx.ErrPayloadDamaged, name)
	}
}

// oneKey is the same key for all.
type oneKey struct{ key temporalx.PayloadKey }

func (k oneKey) Current(tenant.ID) (temporalx.PayloadKey, error)      { return k.key, nil }
func (k oneKey) Find(tenant.ID, string) (temporalx.PayloadKey, error) { return k.key, nil }

func TestAPayloadThatWasChangedDoesNotOpen(t *testing.T) {
	t.Parallel()
	of := tenant.NewID()
	c := codecOf(t, temporalx.Encryption{Keys: oneKey{master("k")}}, of)
	sealed := seal(t, c, "x")[0]
	for i := range sealed.GetData() {
		changed := proto.CloneOf(sealed)
		changed.Data[i] ^= 1
		_, err := c.Decode([]*commonpb.Payload{changed})
		require.ErrorIs(t, err, temporalx.ErrPayloadDamaged, "byte %d", i)
	}
	for name, change := range map[string]func(*commonpb.Payload){
		"cut":                  func(p *commonpb.Payload) { p.Data = p.Data[:5] },
		"empty":                func(p *commonpb.Payload) { p.Data = nil },
		"no key id":            func(p *commonpb.Payload) { delete(p.Metadata, "tenantwall-key") },
		"another id of a key":  func(p *commonpb.Payload) { p.Metadata["tenantwall-key"] = []byte("o") },
		"a very long id":       func(p *commonpb.Payload) { p.Metadata["tenantwall-key"] = make([]byte, 65) },
		"a longer cipher text": func(p *commonpb.Payload) { p.Data = append(p.Data, 0) },
	} {
		changed := proto.CloneOf(sealed)
		change(changed)
		_, err := c.Decode([]*commonpb.Payload{changed})
		assert.ErrorIs(t, err, temporalx.ErrPayloadDamaged, name)
	}
}

func TestKeysAreRotated(t *testing.T) {
	t.Parallel()
	of := tenant.NewID()
	old := codecOf(t, temporalx.Encryption{Keys: derived(t, master("m1"))}, of)
	both := codecOf(t, temporalx.Encryption{Keys: derived(t, master("m2"), master("m1"))}, of)
	fresh := codecOf(t, temporalx.Encryption{Keys: derived(t, master("m2"))}, of)

	sealed := seal(t, old, "x")
	_, err := both.Decode(sealed)
	require.NoError(t, err)
	_, err = fresh.Decode(sealed)
	require.ErrorIs(t, err, temporalx.ErrNoPayloadKey)

	sealed = seal(t, both, "x")
	assert.Equal(t, "m2", string(sealed[0].GetMetadata()["tenantwall-key"]), "the first seals")
	_, err = fresh.Decode(sealed)
	require.NoError(t, err)
	_, err = old.Decode(sealed)
	require.ErrorIs(t, err, temporalx.ErrNoPayloadKey)
}

func TestEachTenantHasAnotherKeyOfOneMaster(t *testing.T) {
	t.Parallel()
	keys := derived(t, master("m1"), master("m2"))
	seen := make(map[string]bool)
	for _, of := range []tenant.ID{{}, tenant.NewID(), tenant.NewID()} {
		for _, id := range []string{"m1", "m2"} {
			key, err := keys.Find(of, id)
			require.NoError(t, err)
			again, err := keys.Find(of, id)
			require.NoError(t, err)
			assert.Equal(t, key, again)
			seen[string(key.Secret)] = true
		}
	}
	assert.Len(t, seen, 6)
}

func TestPlainPayloadsAreRefusedUnlessAllowed(t *testing.T) {
	t.Parallel()
	of := tenant.NewID()
	_, err := codecOf(t, temporalx.Encryption{}, of).Decode(text("x"))
	require.ErrorIs(t, err, temporalx.ErrPayloadPlain)
	opened, err := codecOf(t, temporalx.Encryption{AllowPlain: true}, of).Decode(text("x"))
	require.NoError(t, err)
	assert.Equal(t, `"x"`, string(opened[0].GetData()))
}

func TestThePayloadsSizeIsBounded(t *testing.T) {
	t.Parallel()
	of := tenant.NewID()
	small, large := codecOf(t, temporalx.Encryption{MaxPayload: 100}, of), codecOf(t, temporalx.Encryption{}, of)
	_, err := small.Encode(text(strings.Repeat("x", 100)))
	require.ErrorIs(t, err, temporalx.ErrPayloadTooLarge)
	_, err = small.Decode(seal(t, large, strings.Repeat("x", 5000)))
	require.ErrorIs(t, err, temporalx.ErrPayloadTooLarge)
	_, err = small.Decode(seal(t, small, strings.Repeat("x", 50)))
	require.NoError(t, err)
}

func TestSealingFailsWithItsKeysAndItsRandomness(t *testing.T) {
	t.Parallel()
	of := tenant.NewID()
	broken := errors.New("no entropy")
	_, err := codecOf(t, temporalx.Encryption{Rand: iotest.ErrReader(broken)}, of).Encode(text("x"))
	require.ErrorIs(t, err, broken)
	short := temporalx.PayloadKey{ID: "k", Secret: []byte("short")}
	_, err = codecOf(t, temporalx.Encryption{Keys: oneKey{short}}, of).Encode(text("x"))
	require.ErrorContains(t, err, "Secret must have 32 bytes")
	_, err = codecOf(t, temporalx.Encryption{Keys: noKeys{}}, of).Encode(text("x"))
	require.ErrorIs(t, err, temporalx.ErrNoPayloadKey)
}

type noKeys struct{}

func (noKeys) Current(tenant.ID) (temporalx.PayloadKey, error) {
	return temporalx.PayloadKey{}, temporalx.ErrNoPayloadKey
}

func (noKeys) Find(tenant.ID, string) (temporalx.PayloadKey, error) {
	return temporalx.PayloadKey{}, temporalx.ErrNoPayloadKey
}

func TestSettingsOfEncryptionAreChecked(t *testing.T) {
	t.Parallel()
	_, err := temporalx.Encryption{}.Codec(tenant.NewID())
	require.ErrorContains(t, err, "Encryption.Keys is nil")
	_, err = temporalx.Encryption{Keys: noKeys{}, MaxPayload: -1}.Codec(tenant.NewID())
	require.ErrorContains(t, err, "Encryption.MaxPayload is -1")
	_, err = temporalx.Plugin(temporalx.Config{Store: nowhere{}, Encryption: &temporalx.Encryption{}})
	require.ErrorContains(t, err, "Encryption.Keys is nil")
	_, err = temporalx.DerivedKeys()
	require.ErrorContains(t, err, "needs a master key")
	_, err = temporalx.DerivedKeys(master("a"), master("a"))
	require.ErrorContains(t, err, `two master keys have the id "a"`)
	_, err = temporalx.DerivedKeys(temporalx.PayloadKey{Secret: make([]byte, 32)})
	require.ErrorContains(t, err, "ID must have 1 to 64 bytes")
}

func TestAPayloadKeyPrintsItsIDAlone(t *testing.T) {
	t.Parallel()
	key := master("m1")
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).InfoContext(t.Context(), "key", "key", key)
	for _, printed := range []string{fmt.Sprint(key), fmt.Sprintf("%+v %#v %x %d", key, key, key, &key), log.String()} {
		assert.Contains(t, printed, "payload key m1")
		assert.NotContains(t, printed, "6d31")
		assert.NotContains(t, printed, "109 49")
	}
}

// options are those of a client with encryption.
func sealing(t *testing.T, e temporalx.Encryption) client.Options {
	t.Helper()
	if e.Keys == nil {
		e.Keys = derived(t, master("m1"))
	}
	plugin, err := temporalx.Plugin(temporalx.Config{Store: nowhere{}, Encryption: &e})
	require.NoError(t, err)
	var options client.Options
	require.NoError(t, plugin.ConfigureClient(t.Context(), client.PluginConfigureClientOptions{ClientOptions: &options}))
	return options
}

func inWorkflow(dc converter.DataConverter, id string) converter.DataConverter {
	return converter.WithDataConverterSerializationContext(dc, converter.WorkflowSerializationContext{WorkflowID: id})
}

func inContext(ctx context.Context, dc converter.DataConverter) converter.DataConverter {
	return dc.(converter.ContextAware).WithContext(ctx)
}

func TestTheConverterFindsTheTenant(t *testing.T) {
	t.Parallel()
	dc := sealing(t, temporalx.Encryption{}).DataConverter
	acme, beta := tenant.Tenant{ID: tenant.NewID()}, tenant.Tenant{ID: tenant.NewID()}
	as := func(x tenant.Tenant) context.Context { return tenant.NewContext(t.Context(), x) }
	system := temporalx.System(t.Context(), "clean up")
	acmes := temporalx.WorkflowID(acme.ID, "w")
	for _, c := range []struct {
		name string
		dc   converter.DataConverter
		want tenant.ID
		err  error
	}{
		{"by the workflow's id", inWorkflow(dc, acmes), acme.ID, nil},
		{"by the context, where there is no id", inContext(as(acme), dc), acme.ID, nil},
		{"by both", inWorkflow(inContext(as(acme), dc), acmes), acme.ID, nil},
		{"the system's, by id", inWorkflow(dc, temporalx.SystemWorkflowID("w")), tenant.ID{}, nil},
		{"the system's, by context", inContext(system, dc), tenant.ID{}, nil},
		{"a tenant's, read by the system", inWorkflow(inContext(system, dc), acmes), acme.ID, nil},
		{"the system's, in an activity for a tenant", inWorkflow(inContext(as(acme), dc), temporalx.SystemWorkflowID("w")), tenant.ID{}, nil},
		{"another tenant's", inWorkflow(inContext(as(beta), dc), acmes), tenant.ID{}, temporalx.ErrPayloadTenant},
		{"nobody's", dc, tenant.ID{}, temporalx.ErrPayloadNoTenant},
		{"nobody's, by an id of somebody else's making", inWorkflow(dc, "export-1"), tenant.ID{}, temporalx.ErrPayloadNoTenant},
		{"nobody's, by an empty context", inContext(t.Context(), dc), tenant.ID{}, temporalx.ErrPayloadNoTenant},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			sealed, err := c.dc.ToPayloads("x", 7)
			one, err1 := c.dc.ToPayload("x")
			if c.err != nil {
				require.ErrorIs(t, err, c.err)
				require.ErrorIs(t, err1, c.err)
				assert.ErrorIs(t, c.dc.FromPayloads(&commonpb.Payloads{Payloads: text("x")}, new(string)), c.err)
				assert.ErrorIs(t, c.dc.FromPayload(text("x")[0], new(string)), c.err)
				assert.Equal(t, []string{c.err.Error()}, c.dc.ToStrings(&commonpb.Payloads{Payloads: text("x")}))
				return
			}
			require.NoError(t, err)
			require.NoError(t, err1)
			_, err = codecOf(t, temporalx.Encryption{}, c.want).Decode(append(sealed.GetPayloads(), one))
			require.NoError(t, err, "it is sealed for the one it is for")
			var s string
			var n int
			require.NoError(t, c.dc.FromPayloads(sealed, &s, &n))
			assert.Equal(t, "x", s)
			assert.Equal(t, 7, n)
			assert.Equal(t, []string{`"x"`, "7"}, c.dc.ToStrings(sealed))
		})
	}
}

func TestNoValuesNeedNoTenant(t *testing.T) {
	t.Parallel()
	dc := sealing(t, temporalx.Encryption{}).DataConverter
	none, err := dc.ToPayloads()
	require.NoError(t, err)
	assert.NoError(t, dc.FromPayloads(none))
	assert.NoError(t, dc.FromPayloads(nil))
}

func TestWhatErrorsSayIsSealed(t *testing.T) {
	t.Parallel()
	fc := sealing(t, temporalx.Encryption{}).FailureConverter
	at := converter.WorkflowSerializationContext{WorkflowID: temporalx.WorkflowID(tenant.NewID(), "w")}
	failed := temporal.NewApplicationError("Ada's balance is 7", "Balance", "details of Ada")
	failure := converter.WithFailureConverterSerializationContext(fc, at).ErrorToFailure(failed)
	all, err := proto.Marshal(failure)
	require.NoError(t, err)
	assert.NotContains(t, string(all), "Ada")
	assert.Equal(t, "Balance", failure.GetApplicationFailureInfo().GetType())

	var app *temporal.ApplicationError
	require.ErrorAs(t, converter.WithFailureConverterSerializationContext(fc, at).FailureToError(failure), &app)
	assert.Equal(t, "Ada's balance is 7", app.Message())
	var details string
	require.NoError(t, app.Details(&details))
	assert.Equal(t, "details of Ada", details)
}

func TestWhatErrorsSayIsLeftOutWhereNothingCanBeSealed(t *testing.T) {
	t.Parallel()
	at := converter.WorkflowSerializationContext{WorkflowID: temporalx.WorkflowID(tenant.NewID(), "w")}
	for name, fc := range map[string]converter.FailureConverter{
		"no tenant": sealing(t, temporalx.Encryption{}).FailureConverter,
		"no key":    converter.WithFailureConverterSerializationContext(sealing(t, temporalx.Encryption{Keys: noKeys{}}).FailureConverter, at),
	} {
		cause := temporal.NewApplicationError("Ada's", "Cause", "Ada")
		failure := fc.ErrorToFailure(temporal.NewApplicationErrorWithCause("Ada's balance is 7", "Balance", cause, "Ada"))
		all, err := proto.Marshal(failure)
		require.NoError(t, err)
		assert.NotContains(t, string(all), "Ada", name)
		assert.Equal(t, "Balance", failure.GetApplicationFailureInfo().GetType(), name)
		assert.Contains(t, failure.GetMessage(), "withheld", name)
	}
}

func FuzzDecode(f *testing.F) {
	of := tenant.ID{1}
	c := codecOf(f, temporalx.Encryption{AllowPlain: true, MaxPayload: 1 << 10}, of)
	for _, p := range append(seal(f, c, "x"), text("x")...) {
		raw, err := proto.Marshal(p)
		require.NoError(f, err)
		f.Add(raw)
		f.Add(raw[:len(raw)-1])
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p := new(commonpb.Payload)
		if proto.Unmarshal(raw, p) != nil {
			return
		}
		before := proto.CloneOf(p)
		opened, err := c.Decode([]*commonpb.Payload{p})
		assert.True(t, proto.Equal(before, p), "the payload was changed")
		if err != nil {
			return
		}
		require.Len(t, opened, 1)
		sealed, err := c.Encode(opened)
		if errors.Is(err, temporalx.ErrPayloadTooLarge) {
			return
		}
		require.NoError(t, err)
		again, err := c.Decode(sealed)
		require.NoError(t, err)
		assert.True(t, proto.Equal(opened[0], again[0]))
	})
}
