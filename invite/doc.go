// Package invite knows who belongs to a tenant, and in which role.
//
// Users are the application's: this package knows one by an opaque id and by the verified
// e-mail address with which the user joined. Its table is in the schema of the control
// plane, which no tenant's session reaches:
//
//	members, err := invite.Open(ctx, control)
//
// A tenant's first member joins in the transaction that makes the tenant, so that there
// is never one which nobody can enter:
//
//	err := invite.Add(ctx, tx, invite.Member{TenantID: t.ID, UserID: user, Email: email, Role: invite.RoleOwner})
//
// From then on each request asks whether its user belongs to the tenant that it is for:
//
//	m, err := members.Get(ctx, t.ID, user)
//	if err != nil {
//		return err // not_a_member
//	}
//	if !m.Role.AtLeast(invite.RoleMember) {
//		return forbidden
//	}
package invite
