// Package gin is a recipe: github.com/gin-gonic/gin, whose middlewares are of another form.
package gin

import (
	"log/slog"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/tenantwall/tenantwall/examples/recipes/notes"
	"github.com/tenantwall/tenantwall/resolve"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/problem"
)

// New makes the service. What a handler passes on is c.Request.Context(): a *gin.Context is
// a context too, and has no tenant unless ContextWithFallback is set. It is set here, so
// that a handler which passes c finds the tenant all the same.
func New(tenants tenant.Store, store notes.Store, log *slog.Logger) http.Handler {
	engine := gin.New() // without gin's Recovery, in whose place is problem.Recover
	engine.ContextWithFallback = true
	engine.HandleMethodNotAllowed = true
	engine.NoRoute(gin.WrapF(problem.NotFound))
	engine.NoMethod(gin.WrapF(problem.MethodNotAllowed))

	tenanted := engine.Group("/", Use(resolve.Middleware(tenants, resolve.Header())))
	tenanted.POST("/notes", gin.WrapF(store.Create))
	tenanted.GET("/notes", func(c *gin.Context) {
		titles, err := store.Titles(c)
		if err != nil {
			problem.Write(c.Writer, c.Request, err)
			return
		}
		c.JSON(http.StatusOK, gin.H{"titles": titles})
	})
	return problem.RequestID(problem.Recover(log)(engine))
}

// Use makes a handler of gin's from a middleware of net/http's: of resolve, accesstoken,
// apikey, invite and quota alike. A request that the middleware answers itself ends there.
// A ResponseWriter that it puts in place of gin's own is not used.
func Use(middleware func(http.Handler) http.Handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		passed := false
		middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			passed = true
			c.Request = r
			c.Next()
		})).ServeHTTP(c.Writer, c.Request)
		if !passed {
			c.Abort()
		}
	}
}
