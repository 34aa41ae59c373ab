// Package recipes holds one folder for each way in which a service may be built on
// tenantwall: routers, remote procedure calls, and what writes SQL. Each is a file or two
// to copy, and all of them are put to the same test, in this folder: two tenants work at
// once, some of their requests are cancelled midway, and neither ever sees a row of the
// other. Those with clients tell them what went wrong, and their log what clients are not
// told.
//
//	servemux, chi, gin, echo, huma   HTTP routers; what differs is how a middleware is put in
//	connectrpc, grpc                 unary and streaming calls; the tenant is in the metadata
//	sqlc                             generated code, unchanged, on tenantdb itself
//	gorm, ent, bun, sqlx             on a *sql.DB of package tenantsql
//	goose                            files of goose's as the tenants' migrations
//	oidc                             users with the tokens of an identity provider
//
// The HTTP recipes leave out who acts, to show the one thing that they are about; the
// Notes service in examples/notes has the rest.
package recipes
