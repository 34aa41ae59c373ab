package resolve

import (
	"context"

	"github.com/tenantwall/tenantwall/tenant"
)

// Kind is what sort of thing a [Change] is of. Kinds other than those of this package are
// possible.
type Kind string

// The kinds of this library's own caches.
const (
	KindTenant Kind = "tenant" // Subject is the tenant's slug after the change, or empty
	KindMember Kind = "member" // a membership of the tenant; Subject is the user's id
	KindKey    Kind = "key"    // an API key of the tenant; Subject is the key's id
)

// Change says that something which other processes may remember is not what it was. It is
// told after the change is committed. It holds no secret, and does not say what changed:
// who hears it forgets, and reads again.
type Change struct {
	Kind    Kind
	Tenant  tenant.ID // zero: anything of this kind may have changed, and all is to be forgotten
	Subject string    // see Kind; empty: all of the tenant's
	Version int64     // after the change; 0 when there is none
}

// Bus carries changes between processes. Package rediscache has one on Redis. Its methods
// are called by several goroutines at once.
type Bus interface {
	// Publish tells the other processes of a change. It returns soon, with an error if the
	// change may not have reached them.
	Publish(ctx context.Context, c Change) error

	// Subscribe has f called with each change of a kind from now on, this process's own
	// included, until unsubscribe has returned, which f must not call. Calls come one after
	// the other, and f returns soon. A change without a Tenant comes whenever changes may have
	// been missed, and before Connected says true again.
	Subscribe(kind Kind, f func(Change)) (unsubscribe func())

	// Connected reports whether changes come in. It must turn false soon after they no
	// longer do: how soon is a part of every bound that rests on it. It is asked on every
	// look-up, and so answers from memory.
	Connected() bool
}
