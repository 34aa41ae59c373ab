// Package apikey is about the keys with which services act in a tenant: to make them, to
// verify them, to replace and to end them.
//
// A key belongs to one tenant, may do what its scopes say, and is good until it ends. It looks
// like this, so that people, and scanners of secrets, know what they have before them:
//
//	notes_live_8Jq0TfXv2LrB5wYkVd3nC6hPzKs9Rm1Qa7GtEu4WbHyXoSi0DjNlFc01Zx2M
//	brand  env  id (public)     secret                           checksum
//
// The tables are in the schema of the control plane, which no tenant's session reaches:
//
//	keys, err := apikey.Open(ctx, control, apikey.Config{
//		Brand: "notes", Environment: "live",
//		Scopes: []string{"notes:read", "notes:write"}, // all that keys may be allowed to do
//	})
//	defer keys.Close()
//
// # Making one
//
// Whoever makes a key gives it scopes of their own; what those are, the service says, by the
// role of the user for one. The secret is to be had once:
//
//	key, secret, err := keys.Mint(ctx, t.ID, apikey.Minter{ID: user, Scopes: allowed}, apikey.NewKey{
//		Name: "nightly export", Scopes: []string{"notes:read"}, ExpiresAt: inAYear,
//	})
//
// # Letting keys in
//
// [Authenticate] stands beside the authentication of users, which leaves to it what looks
// like a key. Behind the middleware of package resolve, a guard asks for a scope, or leaves
// users to their own guard:
//
//	users := accesstoken.Authenticate(verifier, accesstoken.AuthenticateConfig{
//		Foreign: keys.Format().LooksLikeKey, Required: true,
//	})
//	services := apikey.Authenticate(keys, apikey.AuthenticateConfig{})
//	read := apikey.RequireScopeOr("notes:read", guard.RequireRole(invite.RoleViewer))
//	mux.Handle("GET /v1/notes", services(users(inTenant(read(list)))))
//
// A route whose guard asks for a user, as those of package invite do, lets no key in. One
// without any guard lets every key of the tenant in, so each route has one.
//
// # What it costs, and how long a revoked key works
//
// A key that was verified is believed for a moment, and costs less than a microsecond and no
// database then. In the process that revokes it, it is refused from that moment on, also by a
// request that is reading it. In the others:
//
//	a bus tells them (Config.Connected)   when the message comes, and 30 s at most
//	without a bus, or while it is away    Config.TTL, 2 s at most
//	the database is away                  the same: nobody is let in past the bound
//
// A key is never believed while it is read anew.
//
// Keys that are none are found out by their checksum. Who makes up keys with a right one gets
// to the database as often as [FailureLimit] allows an address, and can't push a good key out
// of memory.
//
// # Replacing and ending
//
// [Keys.Rotate] makes another key and lets the old one work for an overlap, [Keys.Revoke] ends
// one. [LeakHandler] revokes keys that GitHub has found in public; [Format.Scan] finds them in
// one's own logs.
//
// # Tokens for keys
//
// [Exchange] gives a token of five minutes for a key, which other services verify with the
// public key of its issuer, without a database.
//
// # What goes wrong
//
// A key that is refused is a [*tenant.Error] of the code unauthenticated (401), or forbidden
// (403) for an address outside its networks. Why, only the service's own log is told:
// [ErrMalformed], [ErrUnknown], [ErrRevoked] and the like are its cause, for [errors.Is]. An
// address with too many keys that are none gets quota_exceeded (429); while the database can't
// tell it is unavailable (503), never a refusal.
//
// # What is kept
//
// The database has the SHA-256 of a key, or an HMAC of it, see [Config.Peppers]. A slow hash
// would add nothing to 196 random bits, and would be a way to keep the service busy. Each
// change writes an event in its transaction, see [tenantdb.Catalog.Events]. When a key was last
// used is written now and then, see [Config.FlushEvery]: [Keys.Close] writes the rest. Open the
// catalog first, for the tables refer to its own; [Forget] is for its CatalogConfig.OnPurge.
package apikey
