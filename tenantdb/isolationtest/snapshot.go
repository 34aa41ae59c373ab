package isolationtest

import (
	"context"
)

// snapshot is what A sees by each route that reads, and where that changes by itself.
type snapshot struct {
	views map[string]view
	noise map[string]map[string]bool
}

// remember looks at A twice. A route that does not answer its own tenant has proved nothing.
func (c *checker) remember(ctx context.Context) error {
	first, err := c.look(ctx)
	if err != nil {
		return err
	}
	second, err := c.look(ctx)
	if err != nil {
		return err
	}
	c.before = snapshot{second, make(map[string]map[string]bool)}
	for name, v := range second {
		c.before.noise[name] = noise(first[name], v)
	}
	return nil
}

// look is what A sees now.
func (c *checker) look(ctx context.Context) (map[string]view, error) {
	views := make(map[string]view)
	for _, r := range c.routes(Route.reads) {
		v, err := c.lookAt(ctx, r)
		if err != nil {
			return nil, err
		}
		if v != nil {
			views[r.name()] = v
		}
	}
	return views, nil
}

// lookAt is what A sees now by one route; nil when that is nothing.
func (c *checker) lookAt(ctx context.Context, r Route) (view, error) {
	if _, missing := missingOf(c.a, r); missing {
		return nil, nil
	}
	got, err := c.client.send(ctx, c.a, c.fillFor(c.a, r), c.a.sign)
	if err != nil {
		return nil, err
	}
	if got.refused() && c.before.views == nil {
		c.report.unproved(r.name(), "A's own request was answered %s", describe(got))
		return nil, nil
	}
	if text := c.b.seen(got, nil); text != "" {
		return view{"of B": text}, nil
	}
	return c.viewOf(got, nil), nil
}

// looks is how often one looks again when something seems to be otherwise: there may be
// several servers that answer, each in its own way, and what was changed stays so.
const looks = 8

// untouched reports a finding if A sees anything else than before the route was walked.
func (c *checker) untouched(ctx context.Context, walked Route) error {
	now, err := c.look(ctx)
	if err != nil {
		return err
	}
	for _, r := range c.routes(Route.reads) {
		before, known := c.before.views[r.name()]
		if !known {
			continue
		}
		told := difference(now[r.name()], before, c.before.noise[r.name()])
		for i := 0; i < looks && told != ""; i++ {
			again, err := c.lookAt(ctx, r)
			if err != nil {
				return err
			}
			if difference(again, before, c.before.noise[r.name()]) == "" {
				told, now[r.name()] = "", before
			}
		}
		if told != "" {
			c.report.find(Finding{Write, walked.name(), "B's requests", "A's " + r.name() + " has changed: " + told})
		}
	}
	c.before.views = now
	return nil
}
