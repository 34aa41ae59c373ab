// Package problem tells API clients what went wrong: any error becomes a document of type
// application/problem+json (RFC 9457), in one shape for all that a service answers.
//
// A handler hands its error to [Write], whatever it is:
//
//	note, err := notes.Get(r.Context(), r.PathValue("id"))
//	if err != nil {
//		problem.Write(w, r, err)
//		return
//	}
//
// What the client is told comes from the [tenant.Error] in the error's chain, and from
// nothing else: the text of any other error stays inside, and the client reads of an
// internal one.
//
//	HTTP/1.1 404 Not Found
//	Content-Type: application/problem+json
//	X-Request-Id: 5ZBQ3VWHBTWZLBB3IN5ROQ6DXU
//
//	{
//	  "type": "https://pkg.go.dev/github.com/tenantwall/tenantwall/tenant/problem#tenant_not_found",
//	  "title": "Tenant not found",
//	  "status": 404,
//	  "detail": "there is no such tenant",
//	  "instance": "/t/acme-corp/v1/notes",
//	  "code": "tenant_not_found",
//	  "request_id": "5ZBQ3VWHBTWZLBB3IN5ROQ6DXU"
//	}
//
// For the answers that no handler writes there are three middlewares. They belong around
// everything else, in this order:
//
//	mux := http.NewServeMux()
//	…
//	handler := problem.RequestID(problem.Recover(logger)(problem.Router(mux)))
//
// [RequestID] gives each request its id, [Recover] answers for a panic and logs what the
// client is not told, and [Router] turns the 404 and 405 of [http.ServeMux] into problems.
// Other routers have hooks for these two: [NotFound] and [MethodNotAllowed] fit them.
//
// # Codes
//
// A client tells problems apart by "code", or by "type", which says the same as a URI.
// Both are for good, and so are the statuses; "title" and "detail" are for people and may
// be worded better.
//
//	400  tenant_required         nothing in the request names a tenant
//	400  tenant_invalid          a malformed slug, id or host
//	400  tenant_conflict         host, header and path name different tenants
//	400  credential_conflict     more than one credential
//	400  bad_request             a request that can't be read
//	401  unauthenticated         no valid credential; with WWW-Authenticate
//	403  tenant_mismatch         the credential is for another tenant
//	403  not_a_member            the user is no member of the tenant
//	403  forbidden               the role or the scope is too small
//	403  tenant_suspended        the tenant is suspended
//	403  email_mismatch          the invitation is for another person
//	404  tenant_not_found        there is no such tenant
//	404  not_found               there is nothing at this address
//	405  method_not_allowed      not with this method; with Allow
//	409  slug_taken              the slug belongs to a tenant, or once did
//	409  last_owner              a tenant keeps at least one owner
//	409  already_member          the user is a member already
//	409  seat_limit_reached      the plan has no seat left
//	410  tenant_gone             the tenant was deleted, or has another slug now
//	410  invite_expired          the invitation can't be accepted any more
//	412  precondition_failed     the resource is not in the state that was asked for
//	413  payload_too_large       the body is too long
//	415  unsupported_media_type  the body is not of a type that is read here
//	422  validation_failed       with the fields in "errors"
//	429  quota_exceeded          with Retry-After
//	500  internal                a fault of the service
//	503  unavailable             for the moment; with Retry-After
//
// A product's own codes have a [tenant.Error] with a Status. Their "type" is about:blank,
// for this package can't name a URI in the product's place.
package problem
