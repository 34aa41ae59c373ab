package tenantdb

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

const (
	firstPause   = 200 * time.Millisecond
	longestPause = 5 * time.Second
)

// withRetries calls do until it succeeds, fails with an error that a further attempt would
// meet again, or has been called that many times. It pauses in between, up to twice as long
// each time, and never in step with another process.
func withRetries(ctx context.Context, most int, do func() error) (attempts int, err error) {
	pause := firstPause
	for attempts = 1; ; attempts++ {
		err = do()
		if err == nil || attempts == most || !transient(err) {
			return attempts, err
		}
		select {
		case <-ctx.Done():
			return attempts, err
		case <-time.After(rand.N(pause)):
		}
		pause = min(2*pause, longestPause)
	}
}

// Codes of PostgreSQL's errors that are over when the other transaction is.
const (
	codeSerializationFailure = "40001"
	codeDeadlock             = "40P01"
	codeLockNotAvailable     = "55P03"
)

// transient reports whether err came from another transaction that was in the way.
func transient(err error) bool {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return false
	}
	switch pgErr.Code {
	case codeSerializationFailure, codeDeadlock, codeLockNotAvailable:
		return true
	}
	return concurrentChange(err)
}
