// Package echo is a recipe: github.com/labstack/echo, which takes net/http's middlewares by
// an adapter of its own, and whose handlers return errors.
package echo

import (
	"errors"
	"log/slog"
	"net/http"

	"github.com/labstack/echo/v5"

	"github.com/tenantwall/tenantwall/examples/recipes/notes"
	"github.com/tenantwall/tenantwall/resolve"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/problem"
)

// New makes the service. Handlers return errors as they are, and [writeError] answers them.
// The tenant is asked for on all routes; those that have none are named in resolve.Config's
// Skip. (A group of echo's with a middleware answers 404 where the rest answers 405.)
func New(tenants tenant.Store, store notes.Store, log *slog.Logger) http.Handler {
	e := echo.New()
	e.HTTPErrorHandler = writeError

	e.Use(echo.WrapMiddleware(resolve.Middleware(tenants, resolve.Header())))
	e.POST("/notes", echo.WrapHandler(http.HandlerFunc(store.Create)))
	e.GET("/notes", func(c *echo.Context) error {
		titles, err := store.Titles(c.Request().Context())
		if err != nil {
			return err
		}
		return c.JSON(http.StatusOK, map[string][]string{"titles": titles})
	})
	return problem.RequestID(problem.Recover(log)(e))
}

// writeError answers a request with a problem. Echo's own errors have a status and a text,
// those of this library a code. In a response that has begun, [problem.Recover] has nothing
// more written.
func writeError(c *echo.Context, err error) {
	var own *echo.HTTPError
	switch {
	case errors.Is(err, echo.ErrNotFound):
		problem.NotFound(c.Response(), c.Request())
	case errors.Is(err, echo.ErrMethodNotAllowed):
		problem.MethodNotAllowed(c.Response(), c.Request())
	case errors.As(err, &own) && own.Code < http.StatusInternalServerError:
		problem.Write(c.Response(), c.Request(), &tenant.Error{Code: tenant.CodeBadRequest, Status: own.Code, Detail: own.Message})
	default:
		problem.Write(c.Response(), c.Request(), err)
	}
}
