package resolve

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/tenantwall/tenantwall/tenant"
)

// PathPrefix is what resolvers took off the path of the request that ctx belongs to, such as
// /t/acme-corp, or empty. A handler puts it in front of the paths in its Location headers
// and links, so that they stay in the tenant.
func PathPrefix(ctx context.Context) string {
	if c, ok := ctx.Value(prefixKey{}).(*prefixContext); ok {
		return c.prefix
	}
	return ""
}

type prefixKey struct{}

// prefixContext is a context with a prefix. It is a type of its own because it can then be
// part of a larger allocation.
type prefixContext struct {
	context.Context //nolint:containedctx // this is a context, and has its parent as every other one
	prefix          string
}

func (c *prefixContext) Value(key any) any {
	if key == (prefixKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// enter is r as the handlers of t see it. prefix must have passed checkPrefix.
func enter(r *http.Request, t tenant.Tenant, prefix string) *http.Request {
	ctx := tenant.NewContext(r.Context(), t)
	if prefix == "" {
		return r.WithContext(ctx)
	}
	// All that is new is allocated at once; this happens on every request.
	inside := &struct {
		request http.Request
		url     url.URL
		ctx     prefixContext
	}{
		url: *r.URL,
		ctx: prefixContext{ctx, PathPrefix(ctx) + prefix},
	}
	inside.url.Path = orRoot(r.URL.Path[len(prefix):])
	if r.URL.RawPath != "" {
		inside.url.RawPath = r.URL.RawPath[len(prefix):]
	}
	inside.request = *r.WithContext(&inside.ctx) //nolint:contextcheck // its parent is r's context
	inside.request.URL = &inside.url
	return &inside.request
}

func orRoot(path string) string {
	if path == "" {
		return "/"
	}
	return path
}

// checkPrefix is an error when prefix can't be taken off the path of u with one meaning
// for all who read it, as [PathUnder] describes. An empty prefix always can.
func checkPrefix(u *url.URL, prefix string) error {
	if prefix == "" {
		return nil
	}
	if err := checkSpelling(u.Path, prefix); err != nil {
		return err
	}
	if u.RawPath != "" { // something in the path is escaped in a way of its own
		if err := checkSpelling(u.RawPath, prefix); err != nil {
			return err
		}
	}
	if hasDotSegment(u.Path) {
		return invalid("path: a segment . or ..")
	}
	return nil
}

func checkSpelling(path, prefix string) error {
	rest, found := strings.CutPrefix(path, prefix)
	switch {
	case !found:
		return invalid("path: the part that names the tenant is written with escapes")
	case rest != "" && rest[0] != '/':
		return invalid("path: no slash behind the part that names the tenant")
	case strings.HasPrefix(rest, "//"):
		return invalid("path: two slashes behind the part that names the tenant")
	}
	return nil
}

func hasDotSegment(path string) bool {
	if !strings.Contains(path, "/.") { // as almost always
		return false
	}
	for segment := range strings.SplitSeq(path, "/") {
		if isDots(segment) {
			return true
		}
	}
	return false
}

func isDots(segment string) bool { return segment == "." || segment == ".." }
