package invite

// Actor is who changes members and invitations. The zero Actor is nobody.
type Actor struct {
	userID  string
	program bool
}

// By is a user, as a verified credential says. What they may do is decided by the role
// that they have in the tenant at that moment, and not by the credential's.
func By(userID string) Actor { return Actor{userID: userID} }

// ByProgram is the program itself, for an operator, a directory that is synchronised, or
// the first owner's invitation. It has all permissions in every tenant.
func ByProgram() Actor { return Actor{program: true} }

// name is what events say of who acted. No user's id is empty.
func (a Actor) name() string { return a.userID }
