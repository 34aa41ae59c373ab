// Package invite knows who belongs to a tenant, in which role, and who is asked to join.
//
// Users are the application's, or its identity provider's: this package knows one by an
// opaque id and by a verified e-mail address. A user belongs to as many tenants as the
// product allows. The tables are in the schema of the control plane, which no tenant's
// session reaches:
//
//	members, err := invite.Open(ctx, control, invite.Config{
//		Sender: outbox,                         // writes the mails of invitations
//		Link:   "https://app.example.com/join", // where they lead to
//		Seats:  plans,                          // how many may join
//	})
//
// # A tenant's first member
//
// The owner joins in the transaction that makes the tenant, so that there is never one
// which nobody can enter:
//
//	t, err := catalog.Create(ctx, tenantdb.NewTenant{
//		Slug: "acme-corp", Name: "Acme Corp",
//		Seed: func(ctx context.Context, tx pgx.Tx, t tenant.Tenant) error {
//			return members.Add(ctx, tx, invite.Member{TenantID: t.ID, UserID: user, Email: email, Role: invite.RoleOwner})
//		},
//	})
//
// # Inviting and joining
//
// A member invites an address. Its secret goes out by mail, and is kept nowhere:
//
//	inv, err := members.Invite(ctx, t.ID, invite.By(user), "cleo@acme.example", invite.RoleMember)
//	if errors.Is(err, invite.ErrNotSent) {
//		// inv is made; members.Resend sends it again
//	}
//
// Whoever follows the link is shown what it is about, which changes nothing, signs in with
// the invited address or makes an account with it, and accepts by a POST:
//
//	preview, err := members.Preview(ctx, secret)
//	membership, err := members.Accept(ctx, secret, invite.User{ID: user, VerifiedEmail: email})
//
// # Asking who is a member
//
// A [Guard] asks on each request whether its user belongs to the tenant that it is for. It
// stands behind the authentication and the middleware of package resolve:
//
//	guard, err := invite.NewGuard(members.Cache(), members.Roles())
//	mux.Handle("GET /v1/notes", guard.RequireMember(list))
//	mux.Handle("POST /v1/invites", guard.RequirePermission(invite.PermManageMembers)(create))
//
// The cache remembers memberships for [CacheConfig.TTL], at most [MaxCacheTTL]: so long a
// member who was removed by another process gets in, whatever their token says, and
// whether or not the database can be reached. The same process sees it at once.
//
// # Joining by a domain
//
// A product that wants it lets everybody join who has an address of the tenant's own
// domain, at once or when a member lets them in. A TXT record proves the domain:
//
//	domains, err := invite.NewDomains(members, invite.DomainConfig{Resolver: net.DefaultResolver})
//	domain, err := domains.Add(ctx, t.ID, invite.By(user), invite.DomainRule{Name: "acme.example", Role: invite.RoleMember})
//	domain, err = domains.Verify(ctx, t.ID, invite.By(user), "acme.example")
//	joined, requested, err := domains.Join(ctx, t.ID, invite.User{ID: other, VerifiedEmail: email})
//
// # Rules
//
//   - Roles are sets of permissions. Nobody gives or takes a role with a permission that
//     their own has not: when inviting, resending, revoking, changing, removing, and once
//     more when the invitation is accepted, by the role that its sender has by then.
//   - A tenant keeps at least one owner.
//   - Members and pending invitations take seats; expired ones do not.
//   - An address has one pending invitation of a tenant; a later one replaces it.
//   - An invitation is for one address, compared with a verified one, and for one user.
//   - Each change of a membership raises its version, which never starts again.
//   - Each change writes its events in its transaction, see [tenantdb.Catalog.Events].
//
// # What goes wrong
//
// Errors that a client may see have a code: [ErrNotAMember], [ErrForbidden], [ErrNotFound],
// [ErrAlreadyMember], [ErrLastOwner], [ErrSeatLimit], [ErrInviteExpired], [ErrEmailMismatch],
// or validation_failed with its fields. An invitation that can't be accepted doesn't say why
// not. [ErrNotSent] comes with an invitation that is made: send it again. While memberships
// can't be read a Guard answers unavailable (503), once what is remembered is too old.
//
// # Turns
//
// All changes of one tenant take turns, by a lock of the tenant's row, so these rules hold
// when any number of them race. Tenants do not wait for each other, but for a moment at
// the end, where events are numbered.
package invite
