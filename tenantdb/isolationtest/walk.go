package isolationtest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
)

// walk does on one route all that B can do there.
func (c *checker) walk(ctx context.Context, r Route) error {
	own, err := c.ordinary(ctx, r)
	if err != nil {
		return err
	}
	if err := c.substitute(ctx, r); err != nil {
		return err
	}
	if err := c.strew(ctx, r); err != nil {
		return err
	}
	if !c.report.found(r.name()) { // what is open without A's name is open with it
		if err := c.impersonate(ctx, r, own); err != nil {
			return err
		}
	}
	if r.reads() {
		return nil
	}
	return c.untouched(ctx, r)
}

// expected is what B's ordinary request to a route is answered, and where that changes by
// itself; nil views when the route does not only read.
type expected struct {
	view  view
	noise map[string]bool
}

// ordinary has B use the route as it is meant, twice. Nothing of A's may show.
func (c *checker) ordinary(ctx context.Context, r Route) (expected, error) {
	if !r.reads() {
		return expected{}, nil
	}
	var views [2]view
	for i := range views {
		got, err := c.client.send(ctx, c.b, c.fillFor(c.b, r), c.b.sign)
		if err != nil {
			return expected{}, err
		}
		if got.refused() {
			c.report.unproved(r.name(), "B's own request was answered %s", describe(got))
		} else {
			c.letIn[r.name()] = true
		}
		if text := c.a.seen(got, nil); text != "" {
			c.report.find(Finding{Data, r.name(), "B's ordinary request", fmt.Sprintf("the answer has %s of A", short(text))})
		}
		views[i] = c.viewOf(got, nil)
	}
	return expected{views[1], noise(views[0], views[1])}, nil
}

// choice is a value for each slot, and what of it is not B's own.
type choice struct {
	value func(slot) string
	sent  map[string]string // by value: the names that stand for them
}

// choose takes the values of a slot, or of all when only is nil, from another source than B.
func (c *checker) choose(r Route, only *slot, other func(own string) string) choice {
	ch := choice{sent: make(map[string]string)}
	values := make(map[slot]string)
	for _, s := range r.slots() {
		theirs, _ := c.a.value(s)
		values[s], _ = c.b.value(s)
		if only == nil || *only == s {
			values[s] = other(theirs)
			ch.sent[values[s]] = s.name
		}
	}
	ch.value = func(s slot) string { return values[s] }
	return ch
}

func same(s string) string { return s }

// substitute puts A's ids in the place of B's: each for itself, and all together.
func (c *checker) substitute(ctx context.Context, r Route) error {
	slots := r.slots()
	targets := make([]*slot, 0, len(slots)+1)
	for i := range slots {
		targets = append(targets, &slots[i])
	}
	if len(slots) > 1 {
		targets = append(targets, nil)
	}
	for _, target := range targets {
		way := "A's ids everywhere"
		if target != nil {
			way = "A's " + target.where()
			if theirs, _ := c.a.value(*target); theirs == valueOf(c.b, *target) {
				continue // such as the first comment on a note: what it is of tells the two apart
			}
		}
		build := func(other func(string) string) attempt {
			ch := c.choose(r, target, other)
			return attempt{r.fill(ch.value, c.b.word), ch.sent}
		}
		accepted := Data
		if !r.reads() {
			accepted = Write
		}
		try := trial{
			way: way, inPath: target == nil || target.collection != "", accepted: accepted,
			never: build(forge), theirs: build(same), again: build(forge),
		}
		try.public = slices.ContainsFunc(slots, func(s slot) bool {
			return (target == nil || s == *target) && slices.Contains(c.cfg.Public, s.name)
		})
		if err := c.compare(ctx, r, try); err != nil {
			return err
		}
		if err := c.time(ctx, r, way, build); err != nil {
			return err
		}
	}
	return nil
}

func valueOf(p *party, s slot) string {
	v, _ := p.value(s)
	return v
}

// attempt is a call with the values in it that B should know nothing of.
type attempt struct {
	call call
	sent map[string]string
}

// trial is a call with A's ids, and two with ids that never were.
type trial struct {
	way                  string
	inPath               bool // the ids are what the route is about
	accepted             Kind // what it is when A's ids are, and the others are not
	never, theirs, again attempt
	public               bool // that there are such ids may be told
}

// compare makes the call with A's ids between the others, and reports what tells them apart.
func (c *checker) compare(ctx context.Context, r Route, try trial) error {
	var answers [3]answer
	var views [3]view
	for i, a := range []attempt{try.never, try.theirs, try.again} {
		got, err := c.client.send(ctx, c.b, a.call, c.b.sign)
		if err != nil {
			return err
		}
		answers[i], views[i] = got, c.viewOf(got, a.sent)
	}
	if text := c.a.seen(answers[1], try.theirs.sent); text != "" {
		c.report.find(Finding{Data, r.name(), try.way, fmt.Sprintf("the answer has %s of A", short(text))})
		return nil
	}
	told, err := c.tellApart(ctx, r, try, views)
	if err != nil {
		return err
	}
	accepted := !answers[1].refused() && answers[0].refused()
	switch {
	case told == "":
	case accepted && try.inPath && c.b.seen(answers[1], try.theirs.sent) != "":
		c.report.unproved(r.name(), "%s: B has a thing of the same id, so nothing is known of A's", try.way)
	case accepted:
		c.report.find(Finding{try.accepted, r.name(), try.way, told})
	case !try.public:
		c.report.find(Finding{Existence, r.name(), try.way, told})
	}
	return nil
}

// moreNevers is how many more answers for ids that never were are asked for when one for A's
// looks different: there may be several servers that answer, each in its own way.
const moreNevers = 14

// tellApart tells where the answer for A's ids differs from all for ids that never were. What
// is another thing each time, such as the id of a request, says nothing; what is one of a few
// things, such as the name of a server, says something when it is none of these.
func (c *checker) tellApart(ctx context.Context, r Route, try trial, views [3]view) (string, error) {
	nevers := []view{views[0], views[2]}
	told := difference(views[1], views[0], noise(views[0], views[2]))
	alike := difference(views[1], views[0], nil) == "" && difference(views[1], views[2], nil) == ""
	if told == "" && (alike || !r.reads()) { // what writes has made something else each time
		return "", nil
	}
	for i := range moreNevers {
		a := try.never
		if i%2 == 0 {
			a = try.again
		}
		got, err := c.client.send(ctx, c.b, a.call, c.b.sign)
		if err != nil {
			return "", err
		}
		nevers = append(nevers, c.viewOf(got, a.sent))
	}
	return difference(views[1], views[0], usual(views[1], nevers)), nil
}

// usual are the places where a view is as some of others are, and those where they are all
// too different for anything to be told.
func usual(v view, others []view) map[string]bool {
	found := make(map[string]bool)
	for _, place := range places(v, others[0]) {
		mine, inMine := v[place]
		values := make(map[string]bool)
		absent := false
		for _, other := range others {
			value, there := other[place]
			if found[place] = found[place] || value == mine && there == inMine; there {
				values[value] = true
			}
			absent = absent || !there
		}
		if len(values) > len(others)/2 || absent && !inMine {
			found[place] = true
		}
	}
	return found
}

// strew puts A's ids where the route does not declare any: into the query, into headers, and
// into the body. What destroys is left out, lest B loses what it needs.
func (c *checker) strew(ctx context.Context, r Route) error {
	ids := c.a.ids()
	own := c.b.ids()
	maps.DeleteFunc(ids, func(name, id string) bool { return id == own[name] || slices.Contains(c.cfg.Public, name) })
	if len(ids) == 0 || r.Method == http.MethodDelete {
		return nil
	}
	for _, place := range []struct {
		way string
		put func(call, string, string) (call, bool)
	}{
		{"A's ids in the query", intoQuery},
		{"A's ids in headers", func(to call, name, value string) (call, bool) { return intoHeader(to, "X-"+name, value) }},
		{"A's ids in the body", intoBody},
	} {
		fits := true
		build := func(other func(string) string) attempt {
			a := attempt{c.fillFor(c.b, r), map[string]string{}}
			for _, name := range slices.Sorted(maps.Keys(ids)) {
				value := other(ids[name])
				a.sent[value] = name
				var ok bool
				a.call, ok = place.put(a.call, name, value)
				fits = fits && ok
			}
			return a
		}
		never, theirs, again := build(forge), build(same), build(forge)
		if !fits {
			continue
		}
		if err := c.compare(ctx, r, trial{way: place.way, accepted: Existence, never: never, theirs: theirs, again: again}); err != nil {
			return err
		}
	}
	return nil
}

func intoQuery(to call, name, value string) (call, bool) {
	sign := "?"
	if strings.Contains(to.target, "?") {
		sign = "&"
	}
	to.target += sign + url.QueryEscape(name) + "=" + url.QueryEscape(value)
	return to, true
}

func intoHeader(to call, name, value string) (call, bool) {
	to.header = to.header.Clone()
	to.header.Set(textproto.CanonicalMIMEHeaderKey(strings.ReplaceAll(name, "_", "-")), value)
	return to, true
}

// intoBody adds a field to a JSON object, and reports whether the body is one.
func intoBody(to call, name, value string) (call, bool) {
	var object map[string]any
	if to.body == "" || json.Unmarshal([]byte(to.body), &object) != nil {
		return to, false
	}
	object[name] = value
	body, err := json.Marshal(object)
	to.body = string(body)
	return to, err == nil
}
