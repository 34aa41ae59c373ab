package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"

	"github.com/tenantwall/tenantwall/tenant"
)

func TestOnlyADatabaseThatIsAwayMakesTheServiceUnavailable(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		away bool
	}{
		"a connection refused":   {&net.OpError{Op: "dial", Err: errors.New("refused")}, true},
		"a connection cut":       {fmt.Errorf("receive: %w", io.ErrUnexpectedEOF), true},
		"time is up":             {context.DeadlineExceeded, true},
		"a server that stops":    {&pgconn.PgError{Code: "57P01"}, true},
		"a server that starts":   {&pgconn.PgError{Code: "57P03"}, true},
		"a server that is full":  {&pgconn.PgError{Code: "53300"}, true},
		"a lock that is kept":    {&pgconn.PgError{Code: "55P03"}, true},
		"a permission missing":   {&pgconn.PgError{Code: "42501"}, false},
		"a statement that fails": {&pgconn.PgError{Code: "22012"}, false},
		"a fault of the service": {errors.New("bug"), false},
	} {
		wrapped := fmt.Errorf("list notes: %w", c.err)
		assert.Equal(t, c.away, errors.Is(orUnavailable(wrapped), &tenant.Error{Code: tenant.CodeUnavailable}), name)
		if !c.away {
			assert.Equal(t, wrapped, orUnavailable(wrapped), name)
		}
	}
	told := &tenant.Error{Code: tenant.CodeForbidden, Err: io.ErrUnexpectedEOF}
	assert.Equal(t, error(told), orUnavailable(told), "what is told already stays")
}
