package main

import (
	"net/http"
	"testing"

	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/tenantdb/isolationtest"
)

// The kit that users prove their own services with finds nothing in this one.
func TestTheIsolationKitFindsNothing(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	tenantOf := func() isolationtest.Tenant {
		owner, other := a.newPerson(t), a.newPerson(t)
		in := a.newTenant(t, owner)
		a.join(t, in, other, invite.RoleMember)
		slug := string(in.Slug)
		return isolationtest.Tenant{
			Credential: func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+owner.token) },
			Names: []isolationtest.Naming{
				isolationtest.ByHeader("X-Tenant-Slug", slug), isolationtest.ByHeader("X-Tenant-ID", in.ID.String()),
				isolationtest.ByHost(slug + ".localhost"), isolationtest.ByPath("/t/" + slug),
			},
			Called: []string{slug, in.ID.String()},
			Params: map[string]string{"user_id": other.ID},
			Marks:  []string{owner.Email, other.Email},
		}
	}
	isolationtest.Run(t, isolationtest.Config{
		URL:     a.url,
		OpenAPI: openAPIDocument,
		A:       tenantOf(),
		B:       tenantOf(),
		Public:  []string{"slug"}, // whether a name is taken is told to whoever wants it
		Routes: []isolationtest.Route{
			{Method: "POST", Path: "/v1/api-keys/{id}/rotate", Body: `{"overlap":"10m"}`},
			{Method: "POST", Path: "/v1/invites", Body: `{"email":"{mark}@test.example","role":"viewer"}`},
		},
		Skip: map[string]string{
			"POST /v1/login":                     "stands in for the users' identity provider",
			"POST /v1/switch":                    "its answer is a token, which the routes of its tenant refuse or not",
			"POST /v1/invites/preview":           "whoever has the secret of a mail may",
			"POST /v1/invites/accept":            "whoever has the secret of a mail may, with the invited address",
			"POST /admin/tenants/{slug}/suspend": "the operator's",
			"POST /admin/tenants/{slug}/resume":  "the operator's",
			"GET /readyz":                        "how the process is doing, which changes by itself",
			"GET /demo/outbox":                   "the mails of all, in demo mode alone",
			"PUT /admin/tenants/{slug}/plan":     "the operator's",
		},
	})
}
