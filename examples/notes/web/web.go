// Package web is the page of the Notes service: what a person sees who opens it in a
// browser. It is rendered by the server, works without a script, and has no way of its own
// to the data: whatever it shows or does goes through the service's HTTP API, as the user
// who is signed in and in the tenant that is chosen. So there is one set of guards, and the
// page can do nothing that a client of the API could not.
package web

import (
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"mime"
	"net/http"
	"path"
	"strconv"

	"github.com/tenantwall/tenantwall/tenant/problem"
)

//go:embed templates static
var files embed.FS

// Config says what the page stands on.
type Config struct {
	// API is the service without the page. Its routes are called in this process.
	API http.Handler

	// Host is a host name that names no tenant: the base domain.
	Host string

	// Key is what sessions are sealed with, of 32 bytes and for nothing else. Processes
	// with the same key take each other's cookies.
	Key []byte

	// Secure has cookies sent over https alone. It is false on the own machine only.
	Secure bool

	// Log is told of faults. [slog.Default] if it is nil.
	Log *slog.Logger

	// Accounts are those of the demonstration. Without any nobody can sign in here, for the
	// service has no passwords: that is an identity provider's to do.
	Accounts []Account
}

// Account is a user of the demonstration, and a tenant they belong to. About says what they
// are, for people.
type Account struct{ Email, Tenant, About string }

// page answers the requests of browsers.
type page struct {
	cfg       Config
	api       api
	sessions  sessions
	throttle  *throttle
	templates map[string]*template.Template
}

// New makes the page: GET / and all below /web/.
func New(cfg Config) (http.Handler, error) {
	if cfg.API == nil {
		return nil, errors.New("web: Config.API is nil: the page has nothing to show")
	}
	sealed, err := newSessions(cfg.Key, cfg.Secure)
	if err != nil {
		return nil, err
	}
	p := &page{cfg: cfg, api: api{cfg.API, cfg.Host}, sessions: sealed, throttle: newThrottle()}
	if p.templates, err = parseTemplates(); err != nil {
		return nil, err
	}
	static, err := fs.Sub(files, "static")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.home)
	mux.Handle("GET /web/static/{name}", cached(static))
	mux.HandleFunc("POST /web/login", p.login)
	mux.HandleFunc("POST /web/logout", p.logout)
	mux.HandleFunc("POST /web/invitation", p.previewInvitation)
	for pattern, h := range map[string]visitHandler{
		"POST /web/tenant":               p.chooseTenant,
		"POST /web/tenants":              p.createTenant,
		"POST /web/invitation/accept":    p.acceptInvitation,
		"GET /web/notes":                 p.notes,
		"POST /web/notes":                p.createNote,
		"GET /web/notes/{id}":            p.note,
		"POST /web/notes/{id}":           p.updateNote,
		"POST /web/notes/{id}/delete":    p.deleteNote,
		"GET /web/people":                p.people,
		"POST /web/members/{id}":         p.changeMember,
		"POST /web/invites":              p.invite,
		"POST /web/invites/{id}/resend":  p.resendInvite,
		"POST /web/invites/{id}/revoke":  p.revokeInvite,
		"GET /web/keys":                  p.keys,
		"POST /web/keys":                 p.createKey,
		"POST /web/keys/{id}/rotate":     p.rotateKey,
		"POST /web/keys/{id}/revoke":     p.revokeKey,
		"GET /web/usage":                 p.usage,
		"GET /web/usage/meters":          p.meters,
		"POST /web/usage/burst":          p.burst,
		"POST /web/exports":              p.startExport,
		"GET /web/exports/{id}":          p.export,
		"GET /web/exports/{id}/progress": p.exportProgress,
		"GET /web/exports/{id}/download": p.download,
		"GET /web/attack":                p.attack,
		"POST /web/attack":               p.runAttack,
	} {
		mux.Handle(pattern, p.signedIn(h))
	}
	// Forms of other sites are refused by what browsers say of a request's origin, which
	// together with SameSite cookies leaves no room for cross-site request forgery.
	foreign := http.NewCrossOriginProtection()
	foreign.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		writeProblem(w, r, http.StatusForbidden, "foreign_form", "the form was sent by another site, and nothing was done")
	}))
	return protect(p.readable(cfg.Log, foreign.Handler(bounded(problem.Router(mux))))), nil
}

// protect sets what browsers are to hold the page to: nothing is loaded from elsewhere, no
// script runs but the page's own, nobody frames it, and no address leaks by a link.
func protect(next http.Handler) http.Handler {
	const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY") // for browsers that don't know frame-ancestors
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// cached serves the files of a folder, which are the same for everybody until the next release.
// What is no file there is a problem as elsewhere, and no list.
func cached(folder fs.FS) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("name")
		content, err := fs.ReadFile(folder, name)
		if err != nil {
			problem.NotFound(w, r)
			return
		}
		w.Header().Set("Cache-Control", "public, max-age=300")
		w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
		w.Header().Set("Content-Length", strconv.Itoa(len(content)))
		_, _ = w.Write(content) //nolint:gosec // a file of the program; a client that has gone is told nothing
	})
}

// parseTemplates makes a template of each page, in the layout that all have.
func parseTemplates() (map[string]*template.Template, error) {
	layout, err := template.New("layout.html").Funcs(functions).ParseFS(files, "templates/layout.html", "templates/parts.html")
	if err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	names, err := fs.Glob(files, "templates/page_*.html")
	if err != nil {
		return nil, err
	}
	pages := make(map[string]*template.Template, len(names))
	for _, name := range names {
		own, err := layout.Clone()
		if err != nil {
			return nil, err
		}
		if pages[name], err = own.ParseFS(files, name); err != nil {
			return nil, fmt.Errorf("web: %w", err)
		}
	}
	return pages, nil
}
