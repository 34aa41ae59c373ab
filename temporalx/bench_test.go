package temporalx

import (
	"testing"

	"github.com/tenantwall/tenantwall/tenant"
)

// BenchmarkCarry is what an activity costs more: its header made by the workflow's worker,
// read and found to be right by its own.
func BenchmarkCarry(b *testing.B) {
	acme := tenant.NewID()
	id := Identity{
		Tenant: acme, Plan: "pro", RequestID: "01JDJ0000000000000000000",
		Principal: tenant.Principal{Kind: tenant.User, ID: tenant.NewID().String(), Tenant: acme},
	}
	workflowID := WorkflowID(acme, "export-1")
	for name, keys := range map[string][]Key{"unsigned": nil, "signed": {key("k1")}, "signed by the third key": {key("k1"), key("k2"), key("k3")}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			signer := keys
			if len(keys) > 0 {
				signer = keys[len(keys)-1:]
			}
			for b.Loop() {
				header, err := encode(id, workflowID, false, signer)
				if err != nil {
					b.Fatal(err)
				}
				found, err := parse(header).genuine(workflowID, keys, then)
				if err == nil {
					err = agreeActivity(found, workflowID)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
