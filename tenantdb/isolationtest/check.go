package isolationtest

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
)

// Check walks a service and reports what B finds out about A, see the package comment. An
// error says that nothing can be said: settings that can't be, a service that does not answer
// or goes on limiting the rate. ctx bounds the whole.
func Check(ctx context.Context, cfg Config) (*Report, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, fmt.Errorf("isolationtest: %w", err)
	}
	base := strings.TrimSuffix(cfg.URL, "/")
	if cfg.Handler != nil {
		server := httptest.NewServer(cfg.Handler)
		defer server.Close()
		base = server.URL
	}
	defer cfg.Client.CloseIdleConnections()
	c := &checker{
		cfg: cfg, client: &client{http: cfg.Client, base: base},
		a: newParty(cfg.A, "A"), b: newParty(cfg.B, "B"), report: new(Report), letIn: make(map[string]bool),
	}
	if err := c.check(ctx); err != nil {
		return nil, fmt.Errorf("isolationtest: %w", err)
	}
	c.report.Requests = c.client.sent
	return c.report, nil
}

// checker is one check.
type checker struct {
	cfg    Config
	client *client
	a, b   *party
	report *Report
	before snapshot        // of what A sees
	letIn  map[string]bool // the routes that B itself could read
}

func (c *checker) check(ctx context.Context) error {
	if err := c.create(ctx); err != nil {
		return err
	}
	if err := c.overlook(ctx); err != nil {
		return err
	}
	if err := c.remember(ctx); err != nil {
		return err
	}
	routes := c.routes(nil)
	slices.SortStableFunc(routes, func(a, b Route) int { return cmp.Compare(harm(a), harm(b)) })
	var walked []Route
	for i, r := range routes {
		if s, missing := c.missing(r); missing {
			c.report.unproved(r.name(), "nothing is known for %s of both tenants: give it in Tenant.Params, or the route that creates it", s.where())
			continue
		}
		if err := c.walk(ctx, r); err != nil {
			return err
		}
		c.report.Walked = append(c.report.Walked, r.name())
		walked = append(walked, r)
		out, err := c.shutOut(ctx, r, walked)
		if err != nil {
			return err
		}
		if out != "" {
			for _, rest := range routes[i:] {
				c.report.unproved(rest.name(), "%s", out)
			}
			break
		}
	}
	return c.control(ctx, walked)
}

// shutOut says why B is refused after a route that writes, such as one that signs it out: from
// then on it is refused everywhere, which looks like isolation. It is empty when B still gets
// in, by the first route at which it did before.
func (c *checker) shutOut(ctx context.Context, r Route, walked []Route) (string, error) {
	if r.reads() {
		return "", nil
	}
	at := slices.IndexFunc(walked, func(w Route) bool { return c.letIn[w.name()] })
	if at < 0 {
		return "", nil
	}
	got, err := c.client.send(ctx, c.b, c.fillFor(c.b, walked[at]), c.b.sign)
	if err != nil || got.status != http.StatusUnauthorized && got.status != http.StatusForbidden {
		return "", err
	}
	return fmt.Sprintf("after %s, B's own request %s was answered %s; skip the one that shuts B out", r.name(), walked[at].name(), describe(got)), nil
}

// routes are those that are not skipped, of which only holds.
func (c *checker) routes(only func(Route) bool) []Route {
	var routes []Route
	for _, r := range c.cfg.Routes {
		if _, skipped := c.cfg.Skip[r.name()]; !skipped && (only == nil || only(r)) {
			routes = append(routes, r)
		}
	}
	return routes
}

// harm puts routes that destroy behind those that only change.
func harm(r Route) int {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return 0
	case http.MethodDelete:
		return 2
	}
	return 1
}

// missing is a slot for which one of the tenants has no value.
func (c *checker) missing(r Route) (slot, bool) {
	for _, s := range r.slots() {
		_, inA := c.a.value(s)
		_, inB := c.b.value(s)
		if !inA || !inB {
			return s, true
		}
	}
	return slot{}, false
}

// create creates in both tenants whatever other routes need an id of, what needs the least
// first. Where ids count up in each tenant, A gets another than B by creating once more.
func (c *checker) create(ctx context.Context) error {
	routes := c.routes(c.isCreation)
	slices.SortStableFunc(routes, func(a, b Route) int { return cmp.Compare(len(a.slots()), len(b.slots())) })
	for _, r := range routes {
		for _, p := range []*party{c.b, c.a, c.a} {
			key := collectionOf(r.Path)
			if id := p.created[key]; id != "" && id != c.b.created[key] {
				continue
			}
			if err := c.createFor(ctx, p, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// createFor creates in one tenant, and notes the id. Where that can't be done, the route has
// proved nothing.
func (c *checker) createFor(ctx context.Context, p *party, r Route) error {
	if s, missing := missingOf(p, r); missing {
		c.report.unproved(r.name(), "nothing is known for %s of %s: give it in Tenant.Params, or the route that creates it", s.where(), p.name)
		return nil
	}
	got, err := c.client.send(ctx, p, c.fillFor(p, r), p.sign)
	if err != nil {
		return err
	}
	if got.refused() {
		c.report.unproved(r.name(), "%s's own request was answered %s", p.name, describe(got))
		return nil
	}
	names := []string{"id"}
	if r.ID != "" {
		names = []string{r.ID}
	} else if name := c.parameterOf(r); name != "" {
		names = []string{name, "id"}
	}
	id, err := idOf(got, names...)
	if err != nil {
		c.report.unproved(r.name(), "%v", err)
		return nil
	}
	p.created[collectionOf(r.Path)], p.created[r.creates()] = id, id
	if name := c.parameterOf(r); name != "" && name != "id" {
		p.created[name] = id
	}
	return nil
}

func missingOf(p *party, r Route) (slot, bool) {
	for _, s := range r.slots() {
		if _, ok := p.value(s); !ok {
			return s, true
		}
	}
	return slot{}, false
}

// isCreation reports whether what the route creates is a parameter of other routes.
func (c *checker) isCreation(r Route) bool {
	return r.Method == http.MethodPost && (r.Creates != "" || c.parameterOf(r) != "")
}

// parameterOf is how what a route creates is called in the paths below it; empty when there
// is no such path.
func (c *checker) parameterOf(r Route) string {
	collection := collectionOf(r.Path)
	for _, other := range c.cfg.Routes {
		for _, s := range other.slots() {
			if s.collection == collection {
				return s.name
			}
		}
	}
	return ""
}

// fillFor is a route with a tenant's own values, all of which are there.
func (c *checker) fillFor(p *party, r Route) call {
	return r.fill(func(s slot) string { return valueOf(p, s) }, p.word)
}

// control has A make the requests that B was refused, but for those that it has made already:
// to create, and to look. A route that refuses its own tenant has proved nothing. What
// destroys comes last, and the innermost first.
func (c *checker) control(ctx context.Context, walked []Route) error {
	slices.SortStableFunc(walked, func(a, b Route) int {
		return cmp.Or(cmp.Compare(harm(a), harm(b)), cmp.Compare(len(b.slots()), len(a.slots())))
	})
	for _, r := range walked {
		if r.reads() || c.isCreation(r) || c.report.found(r.name()) {
			continue
		}
		got, err := c.client.send(ctx, c.a, c.fillFor(c.a, r), c.a.sign)
		if err != nil {
			return err
		}
		if got.refused() {
			c.report.unproved(r.name(), "A's own request was answered %s", describe(got))
		}
	}
	return nil
}

// describe is an answer for people.
func describe(a answer) string {
	return fmt.Sprintf("%d: %s", a.status, shortTo(500, string(a.body)))
}
