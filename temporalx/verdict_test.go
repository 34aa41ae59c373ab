package temporalx

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
)

var then = time.Date(2026, 11, 25, 1, 0, 0, 0, time.UTC)

func key(id string) Key { return Key{ID: id, Secret: bytes.Repeat([]byte(id), minSecret)} }

func signed(t *testing.T, id Identity, workflowID string, scheduled bool, keys ...Key) carried {
	t.Helper()
	header, err := encode(id, workflowID, scheduled, keys)
	require.NoError(t, err)
	return parse(header)
}

func TestASignatureIsWorthSomethingInItsWorkflowAlone(t *testing.T) {
	t.Parallel()
	acme, beta := Identity{Tenant: tenant.NewID()}, Identity{Tenant: tenant.NewID()}
	at := WorkflowID(acme.Tenant, "export-1")
	keys := []Key{key("k1")}
	ours := signed(t, acme, at, false, keys...)
	changed := ours
	changed.identity = beta
	changed.body = signed(t, beta, at, false).body
	unsigned := signed(t, acme, at, false)
	renamed := ours
	renamed.keyID = "k2"

	for name, c := range map[string]struct {
		carried
		workflowID string
		keys       []Key
		code       tenant.Code
	}{
		"its own workflow":            {ours, at, keys, ""},
		"another workflow":            {ours, WorkflowID(acme.Tenant, "export-2"), keys, CodeTenantForged},
		"a workflow of another":       {ours, WorkflowID(beta.Tenant, "export-1"), keys, CodeTenantForged},
		"another tenant put in":       {changed, at, keys, CodeTenantForged},
		"no signature":                {unsigned, at, keys, CodeTenantForged},
		"no signature, none is asked": {unsigned, at, nil, ""},
		"another key":                 {ours, at, []Key{key("k2")}, CodeTenantForged},
		"another secret":              {ours, at, []Key{{ID: "k1", Secret: bytes.Repeat([]byte("x"), minSecret)}}, CodeTenantForged},
		"another key's name":          {renamed, at, []Key{key("k1"), key("k2")}, CodeTenantForged},
		"no header":                   {carried{}, at, keys, tenant.CodeTenantRequired},
		"a time behind its id, which is no schedule's": {ours, at + "-2026-11-25T01:00:00Z", keys, CodeTenantForged},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := c.genuine(c.workflowID, c.keys, then)
			if c.code == "" {
				assert.NoError(t, err)
				return
			}
			require.Error(t, err)
			assert.Equal(t, c.code, told(err).Code)
		})
	}
}

func TestTheRunsOfAScheduleHaveItsSignature(t *testing.T) {
	t.Parallel()
	acme := Identity{Tenant: tenant.NewID()}
	at := WorkflowID(acme.Tenant, "nightly")
	keys := []Key{key("k1")}
	c := signed(t, acme, at, true, keys...)
	for workflowID, right := range map[string]bool{
		at + "-2026-11-25T01:00:00Z":   true,
		at:                             true,
		at + "-2026-11-25T01:00:00":    false,
		at + "-2026-13-25T01:00:00Z":   false,
		at + "x2026-11-25T01:00:00Z":   false,
		at + "-1-2026-11-25T01:00:00Z": false,
		"2026-11-25T01:00:00Z":         false,
		at + "-2026-11-25T01:00:00Z-2026-11-25T01:00:00Z": false,
	} {
		_, err := c.genuine(workflowID, keys, then)
		assert.Equal(t, right, err == nil, workflowID)
	}
}

func TestAKeyIsReplacedWithoutAGap(t *testing.T) {
	t.Parallel()
	acme := Identity{Tenant: tenant.NewID()}
	at := WorkflowID(acme.Tenant, "x")
	before, both, after := []Key{key("old")}, []Key{key("old"), key("new")}, []Key{key("new"), key("old")}
	for name, c := range map[string]struct {
		signs, verifies []Key
		right           bool
	}{
		"the old signs, the new is known":   {both, before, true},
		"the new signs, the old is known":   {after, both, true},
		"the old has signed":                {before, after, true},
		"the new signs, and is not known":   {after, before, false},
		"the old has signed, and is gone":   {before, []Key{key("new")}, false},
		"the old signs, and is known still": {before, both, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := signed(t, acme, at, false, c.signs...).genuine(at, c.verifies, then)
			assert.Equal(t, c.right, err == nil)
		})
	}
}

func TestAKeyIsTrustedUntilItsTime(t *testing.T) {
	t.Parallel()
	acme := Identity{Tenant: tenant.NewID()}
	at := WorkflowID(acme.Tenant, "x")
	leaked := key("old")
	c := signed(t, acme, at, false, leaked)
	leaked.Until = then
	keys := []Key{key("new"), leaked}
	_, err := c.genuine(at, keys, then)
	assert.NoError(t, err, "what was accepted before is accepted in a replay as well")
	_, err = c.genuine(at, keys, then.Add(time.Nanosecond))
	assert.Equal(t, CodeTenantForged, told(err).Code)
}

func TestHeaderAndWorkflowIDAgree(t *testing.T) {
	t.Parallel()
	acme, beta, system := Identity{Tenant: tenant.NewID()}, Identity{Tenant: tenant.NewID()}, Identity{System: "why"}
	acmes, systems := WorkflowID(acme.Tenant, "x"), SystemWorkflowID("x")
	for name, c := range map[string]struct {
		id                          Identity
		workflowID                  string
		workflow, activity, reaches bool
	}{
		"a tenant's own":           {acme, acmes, true, true, true},
		"another tenant's":         {beta, acmes, false, false, false},
		"the system in a tenant's": {system, acmes, false, false, true},
		"the system's own":         {system, systems, true, true, true},
		"a tenant in the system's": {acme, systems, false, true, false},
		"a tenant in nobody's":     {acme, "export-1", false, false, false},
		"the system in nobody's":   {system, "export-1", false, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, c.workflow, agree(c.id, c.workflowID) == nil, "runs")
			assert.Equal(t, c.reaches, c.id.mayReach(c.workflowID) == nil, "sends a message")
			assert.Equal(t, c.activity, agreeActivity(c.id, c.workflowID) == nil, "starts an activity")
		})
	}
}
