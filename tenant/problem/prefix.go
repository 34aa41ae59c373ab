package problem

import (
	"net/http"
	"net/url"
	"path"
	"strings"
)

// takenOff is the front of the path that the client asked for and that the handlers don't
// see, as it was escaped and without a slash at its end. It is empty when they see the whole
// path, or one that is not the end of it. What it begins with is one slash, never two, which
// in a Location would be another host.
func takenOff(r *http.Request) string {
	inside := r.URL.EscapedPath()
	if rest, whole := strings.CutPrefix(r.RequestURI, inside); whole && (rest == "" || rest[0] == '?') {
		return ""
	}
	u, err := url.ParseRequestURI(r.RequestURI)
	if err != nil {
		return ""
	}
	asked := u.EscapedPath()
	prefix, found := strings.CutSuffix(asked, inside)
	if !found || strings.HasPrefix(asked, "//") {
		return ""
	}
	return strings.TrimSuffix(prefix, "/")
}

// redirects reports whether it is by a redirect that http.ServeMux matches an escaped path
// with a pattern: the path is not clean, or has fewer segments than the pattern, which ends
// in a slash then.
func redirects(escaped, pattern string) bool {
	clean := path.Clean("/" + escaped)
	if strings.HasSuffix(escaped, "/") && clean != "/" {
		clean += "/"
	}
	return clean != escaped || strings.Count(escaped, "/") < strings.Count(pattern, "/")
}
