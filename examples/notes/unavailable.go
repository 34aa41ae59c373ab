package main

import (
	"errors"
	"io"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tenantwall/tenantwall/tenant"
)

// retryAfter is when a client may try again after PostgreSQL was away.
const retryAfter = 2 * time.Second

// orUnavailable is err, or unavailable in place of an error which says that PostgreSQL is
// away for the moment: nothing is wrong with the request, nor with the service.
func orUnavailable(err error) error {
	if _, told := errors.AsType[*tenant.Error](err); told || !databaseAway(err) {
		return err
	}
	return &tenant.Error{Code: tenant.CodeUnavailable, Detail: "the database is away", RetryAfter: retryAfter, Err: err}
}

// databaseAway reports whether an error is that of a connection (not made, cut, or refused
// by a server that starts, stops or is full) or of a lock that others have kept for long.
func databaseAway(err error) bool {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch pgErr.Code {
		case "53300", // too_many_connections
			"55P03",                   // lock_not_available
			"57P01", "57P02", "57P03": // admin_shutdown, crash_shutdown, cannot_connect_now
			return true
		}
		return false
	}
	_, connecting := errors.AsType[*pgconn.ConnectError](err)
	_, network := errors.AsType[net.Error](err)
	return connecting || network || errors.Is(err, io.ErrUnexpectedEOF) || pgconn.SafeToRetry(err)
}
