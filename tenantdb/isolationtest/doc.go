// Package isolationtest proves a service of your own isolated: its HTTP routes, and its
// sessions on PostgreSQL.
//
// # Routes
//
// [Run] takes the service as an http.Handler or a URL, two tenants with a credential each,
// and the routes, which it reads from an OpenAPI document or from a list:
//
//	func TestIsolation(t *testing.T) {
//		isolationtest.Run(t, isolationtest.Config{
//			Handler: newService(t),
//			OpenAPI: document, // GET /v1/notes, POST /v1/notes, GET /v1/notes/{id}, …
//			A:       isolationtest.Tenant{Credential: bearer(adasToken), Names: []isolationtest.Naming{isolationtest.ByHeader("X-Tenant-Slug", "acme-corp")}},
//			B:       isolationtest.Tenant{Credential: bearer(bensToken), Names: []isolationtest.Naming{isolationtest.ByHeader("X-Tenant-Slug", "beta-industries")}},
//			Skip:    map[string]string{"POST /v1/login": "it belongs to no tenant"},
//		})
//	}
//
// It creates in both tenants by the routes that create. Then B, who is signed in and may do
// everything in its own tenant, goes along every route:
//
//   - with the ids of A in the path, in declared queries, headers and bodies, and in others
//     that the route does not know. Each answer is held against the answers for ids that
//     never were: status, headers, and body may not differ, or the answer tells that there is
//     such a thing. What of A's shows in an answer is told in any case, also as JSON, HTML,
//     URLs and base64 write it.
//   - with A's name in each place where a tenant is named, in place of B's and beside it, and
//     in fields, queries and headers that are often read by mistake (tenant_id, X-Org-ID, …).
//     That must be refused, or make no difference.
//   - and after each route that writes, A looks whether all is as it was.
//
// Before that, A creates once more, and in what B sees nothing may move: a number of all
// things, say.
//
// In the end A itself makes each request that B was refused. A route that A could not use in
// this way, because a body was not right, say, has proved nothing, and is reported as such:
// give it as a [Route] with a body that works, or skip it with a reason.
// So is every route behind one that shuts B out, such as a logout: skip that one.
//
// The tenants must be the check's own: it leaves things behind in B, and what A has is
// changed and deleted in the end. [Check] is the same as [Run], and returns a [Report].
//
// # Sessions
//
// [Sessions] takes the pool's settings and a few tenants, and works for all of them at once
// on a pool of one connection and on one of several, with contexts that are cancelled in the
// middle, transactions that are left by errors and by panics, and your own functions in
// between. Whatever happens, each tenant must find its own mark, and the connection must
// come back as it was.
//
// # What it can't see
//
// It tries what it knows, through the routes that it is told of, as one user. It does not
// prove that there is no hole. What a route does in the background, what one user may do to
// another of the same tenant, and secrets that are handed out (links, files, mails) are not
// looked at.
package isolationtest
