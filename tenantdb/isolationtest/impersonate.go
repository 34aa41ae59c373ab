package isolationtest

import (
	"context"
	"fmt"
	"net/http"
)

// tenantFields and tenantHeaders are places that services take a tenant from by mistake.
var (
	tenantFields = [...]string{
		"tenant", "tenant_id", "tenantId", "tenant_slug", "org", "org_id", "orgId", "organization_id", "organizationId",
		"account_id", "accountId", "workspace_id", "workspaceId", "customer_id",
	}
	tenantHeaders = [...]string{
		"X-Tenant", "X-Tenant-ID", "X-TenantID", "X-Tenant-Slug", "X-Tenant-Name", "X-Org-ID", "X-Organization-ID",
		"X-Account-ID", "X-Workspace-ID", "X-Scope-OrgID", "X-Forwarded-Host",
	}
)

// impersonate names A with B's credential, wherever a tenant may be named. Each such request
// must be refused, or be answered as if A had not been named.
func (c *checker) impersonate(ctx context.Context, r Route, own expected) error {
	// With A's ids where the route has any: there, B is refused in any case.
	to := c.fillFor(c.b, r)
	if len(r.slots()) > 0 {
		to = r.fill(c.choose(r, nil, same).value, c.b.word)
		own = expected{}
	}
	for _, name := range c.a.Names {
		if err := c.pose(ctx, r, own, "B's credential with "+name.Way+" of A", to, c.b.Credential, name.Apply); err != nil {
			return err
		}
		if err := c.pose(ctx, r, own, name.Way+" of A beside B's", to, c.b.sign, name.Apply); err != nil {
			return err
		}
	}
	for _, called := range c.a.Called {
		for _, field := range tenantFields {
			asked, _ := intoQuery(to, field, called)
			if err := c.pose(ctx, r, own, "A in the query as "+field, asked, c.b.sign); err != nil {
				return err
			}
			asked, isObject := intoBody(to, field, called)
			if !isObject {
				continue
			}
			if err := c.pose(ctx, r, own, "A in the body as "+field, asked, c.b.sign); err != nil {
				return err
			}
		}
		for _, header := range tenantHeaders {
			asked, _ := intoHeader(to, header, called)
			// Behind the signature, which may set the same header for B.
			put := func(r *http.Request) { r.Header.Set(header, called) }
			if err := c.pose(ctx, r, own, "A in the header "+header, asked, c.b.sign, put); err != nil {
				return err
			}
		}
	}
	return nil
}

// pose makes one such request. A route that writes and takes no id may answer what it likes;
// whether it has written to A is looked at afterwards.
func (c *checker) pose(ctx context.Context, r Route, own expected, way string, to call, options ...func(*http.Request)) error {
	got, err := c.client.send(ctx, c.b, to, options...)
	if err != nil {
		return err
	}
	sent := map[string]string{}
	for _, s := range r.slots() {
		id, _ := c.a.value(s)
		sent[id] = s.name
	}
	for _, called := range c.a.Called {
		sent[called] = "tenant"
	}
	if text := c.a.seen(got, sent); text != "" {
		c.report.find(Finding{Data, r.name(), way, fmt.Sprintf("the answer has %s of A", short(text))})
		return nil
	}
	switch {
	case got.refused():
	case len(r.slots()) > 0:
		return c.taken(ctx, r, way, c.viewOf(got, sent), sent)
	case own.view != nil:
		return c.confused(ctx, r, own, way, c.viewOf(got, nil))
	}
	return nil
}

// taken reports a finding if A's ids are answered otherwise when A is named than when it is not:
// a service may answer 204 or lead to its sign-in whatever it is asked.
func (c *checker) taken(ctx context.Context, r Route, way string, got view, sent map[string]string) error {
	plain := r.fill(c.choose(r, nil, same).value, c.b.word)
	told := ""
	for range looks {
		unnamed, err := c.client.send(ctx, c.b, plain, c.b.sign)
		if err != nil {
			return err
		}
		if told = difference(got, c.viewOf(unnamed, sent), nil); told == "" {
			return nil
		}
	}
	c.report.find(Finding{Confusion, r.name(), way, fmt.Sprintf("A's ids are answered otherwise: %s", told)})
	return nil
}

// confused reports a finding if B is answered otherwise for naming A than it ever is.
func (c *checker) confused(ctx context.Context, r Route, own expected, way string, got view) error {
	told := difference(got, own.view, own.noise)
	for i := 0; i < looks && told != ""; i++ {
		again, err := c.client.send(ctx, c.b, c.fillFor(c.b, r), c.b.sign)
		if err != nil {
			return err
		}
		if difference(got, c.viewOf(again, nil), own.noise) == "" {
			return nil
		}
	}
	if told != "" {
		c.report.find(Finding{Confusion, r.name(), way, told})
	}
	return nil
}
