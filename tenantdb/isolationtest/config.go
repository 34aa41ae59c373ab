package isolationtest

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Config says what [Check] and [Run] walk: a service, two of its tenants, and its routes.
type Config struct {
	// Handler is the service; it is served on a loopback port while the check runs. Or URL
	// is where the service listens, such as http://127.0.0.1:8080. One of the two.
	Handler http.Handler
	URL     string

	// Client calls the service; nil means one that waits 10 seconds. Redirects are never
	// followed: where one leads to is part of the answer. Its Jar is not used: A and B keep
	// the cookies that they are given each in one of their own.
	Client *http.Client

	// A is the tenant that is attacked, and B the one that attacks. Both are made for the
	// check: it creates, changes and deletes in them. A service that limits their
	// rate is waited for, up to a minute in all.
	A, B Tenant

	// Routes are walked, and with them those of OpenAPI, a document of OpenAPI 3 in JSON.
	// Where both have a route, that of Routes is taken.
	Routes  []Route
	OpenAPI []byte

	// Skip are routes that are not walked, as "POST /v1/login", each with the reason. All
	// that is neither skipped nor proved is in [Report].Unproved.
	Skip map[string]string

	// Public are names of parameters whose values are no secret, such as the slugs of tenants:
	// an answer may tell that there is such a thing, and nothing more.
	Public []string

	// Ignore are names of JSON fields and of headers whose values may differ from answer to
	// answer, besides those that everybody knows: request_id, instance, trace_id, Date,
	// X-Request-ID, RateLimit and their like. What differs between two answers for ids
	// that never were needs not be named.
	Ignore []string

	// TimingSamples, when not 0, compares how long answers take for A's ids and for ids that
	// never were, with that many requests each, from 30 to 10,000. On a machine that is busy
	// with something else it may cry wolf; so it is for those who ask.
	TimingSamples int
}

// Tenant is one of the two tenants of a check, and someone in it who may do all that the
// routes do.
type Tenant struct {
	// Credential puts the credential on a request. It names no tenant, unless the credential
	// itself does.
	Credential func(*http.Request)

	// Names are the ways in which a request names the tenant; the first is used on ordinary
	// requests, and all of them with the other's credential. Empty when the credential alone
	// says which tenant is meant.
	Names []Naming

	// Called is what the tenant is called by the service, such as its id and its slug, to be
	// smuggled into bodies, queries and headers that nobody reads, one hopes.
	Called []string

	// Params are values of the routes' parameters by their names, for what no route creates:
	// the id of a member, say. They must be the tenant's alone.
	Params map[string]string

	// Marks are texts that stand in the tenant's data and nowhere else, besides those that
	// the check itself writes.
	Marks []string
}

// Naming is a way to name a tenant in a request: [ByHeader], [ByHost], [ByPath] or one's own.
type Naming struct {
	Way   string // for the report, such as "the header X-Tenant-Slug"
	Apply func(*http.Request)
}

// ByHeader names a tenant by a header.
func ByHeader(name, value string) Naming {
	return Naming{"the header " + name, func(r *http.Request) { r.Header.Set(name, value) }}
}

// ByHost names a tenant by the host that is asked for. The port, if any, is part of it.
func ByHost(host string) Naming {
	return Naming{"the host " + host, func(r *http.Request) { r.Host = host }}
}

// ByPath names a tenant by what stands before the path, such as /t/acme-corp.
func ByPath(prefix string) Naming {
	return Naming{"the path " + prefix, func(r *http.Request) {
		if r.URL.RawPath != "" {
			r.URL.RawPath = prefix + r.URL.RawPath
		}
		r.URL.Path = prefix + r.URL.Path
	}}
}

const (
	clientTimeout = 10 * time.Second
	minSamples    = 30
	maxSamples    = 10_000
)

// complete checks the configuration and fills in the defaults. The routes of the document
// are added.
func (cfg Config) complete() (Config, error) {
	var problems []error
	add := func(broken bool, format string, args ...any) {
		if broken {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	add((cfg.Handler == nil) == (cfg.URL == ""), "give Config.Handler or Config.URL, and not both")
	if u, err := url.Parse(cfg.URL); cfg.URL != "" {
		add(err != nil || u.Host == "", "Config.URL %q: it is to be like http://127.0.0.1:8080", cfg.URL)
	}
	add(cfg.A.Credential == nil || cfg.B.Credential == nil, "Config.A and Config.B need a Credential each")
	add(cfg.TimingSamples != 0 && (cfg.TimingSamples < minSamples || cfg.TimingSamples > maxSamples),
		"Config.TimingSamples is %d, and must be from %d to %d", cfg.TimingSamples, minSamples, maxSamples)
	for name, a := range cfg.A.Params {
		add(a == cfg.B.Params[name], "Config.A and Config.B have the same %s in Params: a value must be one tenant's alone", name)
	}
	var err error
	if cfg.Routes, err = cfg.allRoutes(); err != nil {
		problems = append(problems, err)
	}
	add(len(cfg.Routes) == 0, "there is no route: give Config.Routes or Config.OpenAPI")
	known := make(map[string]bool)
	for i, r := range cfg.Routes {
		if err := r.check(); err != nil {
			problems = append(problems, err)
		}
		add(known[r.name()], "the route %s is given twice", r.name())
		known[r.name()] = true
		cfg.Routes[i].Method = strings.ToUpper(r.Method)
	}
	for name, reason := range cfg.Skip {
		add(!known[name], "Config.Skip has %q, which is no route: write it as %q", name, "GET /v1/notes/{id}")
		add(reason == "", "Config.Skip has no reason for %q", name)
	}
	client := http.Client{Timeout: clientTimeout}
	if cfg.Client != nil {
		client = *cfg.Client
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	cfg.Client = &client
	return cfg, errors.Join(problems...)
}

// allRoutes are Routes, and those of the document that are not among them.
func (cfg Config) allRoutes() ([]Route, error) {
	all := slices.Clone(cfg.Routes)
	if cfg.OpenAPI == nil {
		return all, nil
	}
	found, err := Routes(cfg.OpenAPI)
	if err != nil {
		return all, err
	}
	for _, r := range found {
		if !slices.ContainsFunc(cfg.Routes, func(own Route) bool { return own.name() == r.name() }) {
			all = append(all, r)
		}
	}
	return all, nil
}
