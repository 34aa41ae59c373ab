package web

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
)

// home is where everybody comes in.
func (p *page) home(w http.ResponseWriter, r *http.Request) {
	v, err := p.visit(w, r)
	if errors.Is(err, errSignedOut) {
		p.serve(v, func(v *visit) error { return v.showSignIn() })
		return
	}
	p.serve(v, orElse(err, p.notes))
}

func (v *visit) showSignIn() error { return v.show(http.StatusOK, "signin", "Sign in", "", nil) }

// login signs an account of the demonstration in.
func (p *page) login(w http.ResponseWriter, r *http.Request) {
	v := &visit{page: p, w: w, r: r}
	p.serve(v, func(v *visit) error {
		err := p.throttle.take(r, time.Now())
		if err == nil {
			err = v.signIn(strings.TrimSpace(v.field("email")))
		}
		if err != nil {
			return v.again(err, []string{"email"}, v.showSignIn)
		}
		if token := v.field("invitation"); token != "" { // signed in to accept it
			if err := errors.Join(p.sessions.write(w, v.session), v.get("/v1/me", "", &v.me)); err != nil {
				return err
			}
			return v.showInvitation(token)
		}
		return v.done("Signed in as "+v.session.Email+".", "/")
	})
}

func (p *page) logout(w http.ResponseWriter, r *http.Request) {
	p.sessions.clear(w)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// chooseTenant has the next calls made in another of the user's tenants.
func (p *page) chooseTenant(v *visit) error {
	slug := v.field("tenant")
	for _, m := range v.me.Memberships {
		if m.Tenant.Slug == slug {
			v.session.Tenant = slug
			return v.done("You are in "+m.Tenant.Name+" now.", sectionOf(v.field("tab")))
		}
	}
	return refuse(http.StatusForbidden, "not_a_member", "you are no member of that tenant")
}

// sectionOf is where a tab of the navigation leads, so that whoever switches stays on it.
func sectionOf(tab string) string {
	if slices.Contains([]string{"people", "keys", "usage", "attack"}, tab) {
		return "/web/" + tab
	}
	return "/web/notes"
}

// createTenant makes a tenant, whose owner is the user.
func (p *page) createTenant(v *visit) error {
	slug, name := v.field("slug"), v.field("name")
	if _, err := v.call(http.MethodPost, "/v1/tenants", "", map[string]string{"slug": slug, "name": name}, nil); err != nil {
		return v.again(err, []string{"name", "slug"}, func() error { return v.show(http.StatusOK, "welcome", "Welcome", "", nil) })
	}
	v.session.Tenant = slug
	return v.done("Made "+name+". You are its owner.", "/")
}
