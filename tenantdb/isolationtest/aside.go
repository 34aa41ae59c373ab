package isolationtest

import "context"

// overlook has A create once more while B looks on: in what B sees, such as the number of
// all notes or the next number, nothing may have moved.
func (c *checker) overlook(ctx context.Context) error {
	routes := c.routes(func(r Route) bool {
		_, missing := missingOf(c.b, r)
		return r.reads() && !missing
	})
	before := make(map[string]expected)
	for _, r := range routes {
		var views [2]view
		for i := range views {
			got, err := c.client.send(ctx, c.b, c.fillFor(c.b, r), c.b.sign)
			if err != nil {
				return err
			}
			views[i] = c.viewOf(got, nil)
		}
		before[r.name()] = expected{views[1], noise(views[0], views[1])}
	}
	created := false
	for _, r := range c.routes(c.isCreation) {
		if _, missing := missingOf(c.a, r); missing {
			continue
		}
		// By another word, lest it takes the place of what is there: an invitation does.
		call := r.fill(func(s slot) string { return valueOf(c.a, s) }, c.a.word+"more")
		got, err := c.client.send(ctx, c.a, call, c.a.sign)
		if err != nil {
			return err
		}
		created = created || !got.refused()
	}
	if !created {
		return nil
	}
	for _, r := range routes {
		if err := c.moved(ctx, r, before[r.name()]); err != nil {
			return err
		}
	}
	return nil
}

// moved reports a finding if B sees something else than before, and goes on to.
func (c *checker) moved(ctx context.Context, r Route, before expected) error {
	told := ""
	for range looks {
		got, err := c.client.send(ctx, c.b, c.fillFor(c.b, r), c.b.sign)
		if err != nil {
			return err
		}
		if told = difference(c.viewOf(got, nil), before.view, before.noise); told == "" {
			return nil
		}
	}
	c.report.find(Finding{Existence, r.name(), "A's creating", told})
	return nil
}
