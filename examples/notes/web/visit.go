package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// visit is one request of somebody who is signed in: what the page knows of them, and how
// it calls the API as them.
type visit struct {
	session session
	me      me
	page    *page
	w       http.ResponseWriter
	r       *http.Request

	// Of a form that was refused: the form, why, and what could not be shown again.
	form    form
	refusal *failure
	kept    []keptField
}

// me is GET /v1/me.
type me struct {
	User        user         `json:"user"`
	Memberships []membership `json:"memberships"`
}

type user struct {
	ID    string `json:"id"`
	Email string `json:"email"`
}

type membership struct {
	Tenant tenantName `json:"tenant"`
	Role   string     `json:"role"`
}

type tenantName struct {
	ID   string `json:"id"`
	Slug string `json:"slug"`
	Name string `json:"name"`
}

// visitHandler answers a request of somebody who is signed in. An error is told on a page
// of its own.
type visitHandler func(v *visit) error

// signedIn lets those through who have a session, and sends the others to sign in.
func (p *page) signedIn(next visitHandler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, err := p.visit(w, r)
		if errors.Is(err, errSignedOut) {
			p.sessions.clear(w)
			http.Redirect(w, r, "/", http.StatusSeeOther)
			return
		}
		if err == nil && r.Method == http.MethodGet && v.session.Tenant == "" { // whatever is shown is a tenant's
			http.Redirect(w, r, "/", http.StatusSeeOther)
			return
		}
		p.serve(v, orElse(err, next))
	})
}

// orElse is next, or what fails with err.
func orElse(err error, next visitHandler) visitHandler {
	if err == nil {
		return next
	}
	return func(*visit) error { return err }
}

// errSignedOut says that a request has no session, or one that is good no more.
var errSignedOut = errors.New("nobody is signed in")

// visit is the visit that a request is part of. The error is errSignedOut when nobody is
// signed in; another one says that it can't be told, which signs nobody out.
func (p *page) visit(w http.ResponseWriter, r *http.Request) (*visit, error) {
	v := &visit{page: p, w: w, r: r}
	kept, err := p.sessions.read(r, time.Now())
	if err != nil {
		return v, errSignedOut
	}
	v.session = kept
	if time.Until(kept.TokenExpires) < 30*time.Second { // the session outlives its tokens
		if err := v.signIn(kept.Email); err != nil {
			return v, v.signedOut(err)
		}
		v.session.Expires = kept.Expires // but not itself
	}
	if err := v.get("/v1/me", "", &v.me); err != nil {
		return v, v.signedOut(err)
	}
	v.settle()
	if v.session != kept {
		if err := p.sessions.write(w, v.session); err != nil {
			return v, err
		}
	}
	return v, nil
}

// signedOut is errSignedOut for an error that will not pass: the service knows the user no
// more. The visit is nobody's then.
func (v *visit) signedOut(err error) error {
	if told, isRefused := errors.AsType[refused](err); isRefused && told.Passing() {
		return err
	}
	v.session = session{}
	return errSignedOut
}

// settle sees to it that the tenant of the session is one of the user's own.
func (v *visit) settle() {
	if _, member := v.membership(); member {
		return
	}
	v.session.Tenant = ""
	if len(v.me.Memberships) > 0 {
		v.session.Tenant = v.me.Memberships[0].Tenant.Slug
	}
}

// membership is the user's in the tenant that is chosen, and whether they have one.
func (v *visit) membership() (membership, bool) {
	at := slices.IndexFunc(v.me.Memberships, func(m membership) bool { return m.Tenant.Slug == v.session.Tenant })
	if at < 0 {
		return membership{}, false
	}
	return v.me.Memberships[at], true
}

// roles are the service's, the smallest first.
var roles = []string{"viewer", "member", "admin", "owner"}

// rank is the place of a role among them; of none it is -1.
func rank(role string) int { return slices.Index(roles, role) }

// signIn gets a token for an account of the demonstration.
func (v *visit) signIn(email string) error {
	got, err := v.page.api.do(v.r, call{method: http.MethodPost, path: "/v1/login", body: map[string]string{"email": email}})
	if err != nil {
		return err
	}
	if told, bad := got.failed(); bad {
		return refused{told}
	}
	var in struct {
		Token     string    `json:"token"`
		ExpiresAt time.Time `json:"expires_at"`
		User      user      `json:"user"`
	}
	if err := got.into(&in); err != nil {
		return err
	}
	v.session.Email, v.session.Token, v.session.TokenExpires = in.User.Email, in.Token, in.ExpiresAt
	v.session.Expires = time.Now().Add(sessionLife).Truncate(time.Second)
	return nil
}

// call makes a call as the user, in a tenant or, when slug is empty, in none. An answer
// that is a problem is an error.
func (v *visit) call(method, path, slug string, body any, header http.Header) (answer, error) {
	got, err := v.page.api.do(v.r, call{method: method, path: path, token: v.session.Token, tenant: slug, body: body, header: header})
	if err != nil {
		return answer{}, err
	}
	if told, bad := got.failed(); bad {
		return got, refused{told}
	}
	return got, nil
}

func (v *visit) get(path, slug string, into any) error {
	got, err := v.call(http.MethodGet, path, slug, nil, nil)
	if err != nil {
		return err
	}
	return got.into(into)
}

// send makes a call in the tenant that is chosen, and throws the answer away.
func (v *visit) send(method, path string, body any) error {
	_, err := v.call(method, path, v.session.Tenant, body, nil)
	return err
}

// done says what was done on the page that comes next.
func (v *visit) done(said, next string) error {
	v.session.Flash = said
	if err := v.page.sessions.write(v.w, v.session); err != nil {
		return err
	}
	http.Redirect(v.w, v.r, next, http.StatusSeeOther) //nolint:gosec // next is a path of the page
	return nil
}

// id is the segment of the path that has an id, escaped for a path of the API.
func (v *visit) id() string { return url.PathEscape(v.r.PathValue("id")) }

// query is what the address asks for; nothing for that of a form that was refused.
func (v *visit) query() url.Values {
	if v.r.Method != http.MethodGet {
		return url.Values{}
	}
	return v.r.URL.Query()
}
