package temporalx_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/temporalx"
	"github.com/tenantwall/tenantwall/tenant"
)

func TestAWorkflowIDTellsWhoseItIs(t *testing.T) {
	t.Parallel()
	acme := tenant.NewID()
	owner, name, err := temporalx.ParseWorkflowID(temporalx.WorkflowID(acme, "export/7"))
	require.NoError(t, err)
	assert.Equal(t, acme, owner)
	assert.Equal(t, "export/7", name)

	owner, name, err = temporalx.ParseWorkflowID(temporalx.SystemWorkflowID("provision-acme"))
	require.NoError(t, err)
	assert.True(t, owner.IsZero())
	assert.Equal(t, "provision-acme", name)
}

func TestAnIDThatTellsNothingIsNone(t *testing.T) {
	t.Parallel()
	id := tenant.NewID().String()
	for _, s := range []string{
		"", "t", "t/", "system", "system/", "System/x", "/t/" + id + "/x", "t/" + id, "t/" + id + "/", "t/" + id + "x/y",
		"t/" + id[:35] + "/x", "t/" + strings.ToUpper(id) + "/x", "t/" + tenant.ID{}.String() + "/x", "t//" + id + "/x",
		"T/" + id + "/x", " t/" + id + "/x", "t/acme/x", id,
	} {
		_, _, err := temporalx.ParseWorkflowID(s)
		assert.ErrorIs(t, err, temporalx.ErrWorkflowID, "%q", s)
	}
}

// FuzzParseWorkflowID: an id that tells whose it is, is exactly the one that is made for them.
func FuzzParseWorkflowID(f *testing.F) {
	f.Add("system/x")
	f.Add(temporalx.WorkflowID(tenant.NewID(), "x"))
	f.Add("t/00000000-0000-0000-0000-000000000000/x")
	f.Fuzz(func(t *testing.T, s string) {
		owner, name, err := temporalx.ParseWorkflowID(s)
		if err != nil {
			return
		}
		again := temporalx.SystemWorkflowID(name)
		if !owner.IsZero() {
			again = temporalx.WorkflowID(owner, name)
		}
		if again != s || name == "" {
			t.Fatalf("%q was read as %q of %s", s, name, owner)
		}
	})
}
