// Package tenantdb confines a service's work on PostgreSQL to one tenant at a time: its
// sessions, its catalog of tenants, and the migrations of all their schemas.
package tenantdb
