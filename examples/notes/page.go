package main

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/tenantwall/tenantwall/examples/notes/web"
)

// openPage makes the web page, which calls the routes of api.
func (s *server) openPage(api http.Handler) (http.Handler, error) {
	public, err := url.Parse(s.baseURL)
	if err != nil {
		return nil, fmt.Errorf("the base URL: %w", err)
	}
	cfg := web.Config{API: api, Host: s.baseDomain, Key: s.pageKey, Secure: public.Scheme == "https", Log: s.log}
	if s.demo {
		cfg.Accounts = demoAccounts()
	}
	return web.New(cfg)
}

// demoAccounts are those whom the page offers to sign in as.
func demoAccounts() (accounts []web.Account) {
	listed := make(map[string]int)
	for _, t := range demoTenants {
		for _, m := range t.members {
			about := string(m.role) + " of " + t.name
			if at, known := listed[m.email]; known {
				accounts[at].About += ", " + about
				continue
			}
			listed[m.email] = len(accounts)
			accounts = append(accounts, web.Account{Email: m.email, Tenant: t.slug, About: about})
		}
	}
	return append(accounts, web.Account{Email: demoStranger, About: "belongs to no tenant"})
}
