package accesstoken

import (
	"context"
	"errors"
	"time"

	"github.com/tenantwall/tenantwall/tenant"
)

// Members tells the version of a membership as it is now, so that a token loses its force
// when its user is removed or gets another role, though it has not expired.
//
// MembershipVersion returns the version of the user's membership in a tenant, 1 or more,
// and 0 when the user is no member. An error that is no [tenant.Error] means that it could
// not tell, and the request is refused.
//
// The versions of one user in one tenant grow with each change and never start again: not
// when the user leaves and comes back either, or a token of the first time would be good
// for the second.
//
// It is asked on every request that has a token of a tenant, by many goroutines at once,
// so it answers from a cache. How old its answers may be is how long a removed member gets
// in, and is for the implementer to bound and to state.
type Members interface {
	MembershipVersion(ctx context.Context, in tenant.ID, userID string) (int64, error)
}

// KeyChecker tells whether an API key is still good, so that the token it was exchanged for
// ends with it. The Keys of package apikey are one.
//
// CheckKey returns nil for a key of the tenant that is good, and otherwise the error with
// which the request is refused; one that is no [tenant.Error] means that it could not tell.
// It is asked on every request that has a token of a key, as [Members] are.
type KeyChecker interface {
	CheckKey(ctx context.Context, in tenant.ID, keyID string) error
}

// checkMembership holds a token against the membership that it was made from.
func checkMembership(ctx context.Context, members Members, claims Claims) error {
	who := claims.Principal
	if who.Tenant.IsZero() {
		return nil // a guard looks at the membership in whatever tenant is acted on
	}
	version, err := members.MembershipVersion(ctx, who.Tenant, who.ID)
	switch {
	case err != nil:
		return membersError(err)
	case version < 1:
		return errNotAMember
	case claims.MembershipVersion < version:
		return refuse(ErrOutdated)
	}
	// A token of a later version was made from the membership itself, which this answer
	// does not know of yet.
	return nil
}

// checkKeyToken holds a token against the key that it was made from.
func checkKeyToken(ctx context.Context, keys KeyChecker, who tenant.Principal) error {
	err := keys.CheckKey(ctx, who.Tenant, who.ID)
	if err == nil {
		return nil
	}
	return membersError(err)
}

func membersError(err error) error {
	if _, told := errors.AsType[*tenant.Error](err); told {
		return err
	}
	return &tenant.Error{
		Code:       tenant.CodeUnavailable,
		Detail:     "the membership or the key can't be looked up at the moment; try again",
		RetryAfter: time.Second,
		Err:        err,
	}
}
