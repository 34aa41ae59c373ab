package isolationtest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Route is one route of the service. In Path, and in the values of Query, Header and Body,
// {name} stands for the id of a thing of the tenant's: what a route creates, or one of
// [Tenant].Params. {mark} stands for a word that the check finds again.
type Route struct {
	Method string
	Path   string // such as /v1/notes/{id}, without what names the tenant
	Query  map[string]string
	Header map[string]string

	// Body is sent as application/json, unless Header says something else.
	Body string

	// Creates names what the route creates, for {name} in queries, headers and bodies of
	// other routes. In the paths below its own path it is known anyway: what POST /v1/notes
	// creates is the id of /v1/notes/{id}. Empty is the path's last word with _id for its
	// plural s: note_id.
	Creates string

	// ID is the JSON field of the answer that has the id of what was created, with dots for
	// fields of fields. Empty means the one that is called as the parameter is, or id, or the
	// end of the Location.
	ID string
}

// mark is the name that stands for a word and not for an id.
const mark = "mark"

var placeholder = regexp.MustCompile(`\{([A-Za-z_][A-Za-z0-9_-]*)\}`)

// name is the route in reports and in [Config].Skip.
func (r Route) name() string { return strings.ToUpper(r.Method) + " " + r.Path }

func (r Route) check() error {
	switch {
	case r.Method == "" || strings.ContainsAny(r.Method, " \t\r\n"):
		return fmt.Errorf("the route %q has no method", r.Path)
	case !strings.HasPrefix(r.Path, "/") || strings.ContainsAny(r.Path, "?# "):
		return fmt.Errorf("the route %q: its path is to be like /v1/notes/{id}; a query goes into Query", r.name())
	case strings.ContainsAny(placeholder.ReplaceAllString(r.Path, ""), "{}"):
		return fmt.Errorf("the route %q: a parameter is to be like {id}", r.name())
	}
	return nil
}

// reads reports whether the route changes nothing, by its method (RFC 9110, 9.2.1).
func (r Route) reads() bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

// slot is a place in a route that an id goes into.
type slot struct {
	name       string
	collection string // the path before it, with {} for parameters; empty outside the path
}

// where is the slot in reports.
func (s slot) where() string {
	if s.collection != "" {
		return s.name + " in the path"
	}
	return s.name
}

// slots are the places of the path in their order, and then the others.
func (r Route) slots() []slot {
	var slots []slot
	add := func(s slot) {
		if (s.name != mark || s.collection != "") && !slices.Contains(slots, s) {
			slots = append(slots, s)
		}
	}
	for _, at := range placeholder.FindAllStringSubmatchIndex(r.Path, -1) {
		add(slot{r.Path[at[2]:at[3]], collectionOf(r.Path[:at[0]])})
	}
	texts := []string{r.Body}
	for _, fields := range []map[string]string{r.Query, r.Header} {
		for _, value := range fields {
			texts = append(texts, value)
		}
	}
	slices.Sort(texts)
	for _, text := range texts {
		for _, found := range placeholder.FindAllStringSubmatch(text, -1) {
			add(slot{name: found[1]})
		}
	}
	return slots
}

// collectionOf is a path as the key of what is created in it.
func collectionOf(path string) string {
	return cmp.Or(placeholder.ReplaceAllString(strings.TrimSuffix(path, "/"), "{}"), "/")
}

// creates is what is created by the route, in the terms of [Route].Creates.
func (r Route) creates() string {
	if r.Creates != "" {
		return r.Creates
	}
	word := r.Path[strings.LastIndexByte(r.Path, '/')+1:]
	return strings.TrimSuffix(word, "s") + "_id"
}

// call is a request, but for who makes it.
type call struct {
	method, target string // with the query
	header         http.Header
	body           string
}

// fill is the route with values in its slots.
func (r Route) fill(value func(slot) string, word string) call {
	path := placeholder.ReplaceAllStringFunc(r.Path, func(found string) string {
		name := found[1 : len(found)-1]
		for _, s := range r.slots() { // a path has a name once
			if s.name == name && s.collection != "" {
				return url.PathEscape(value(s))
			}
		}
		return found
	})
	text := func(in string, escape func(string) string) string {
		return placeholder.ReplaceAllStringFunc(in, func(found string) string {
			name := found[1 : len(found)-1]
			if name == mark {
				return escape(word)
			}
			return escape(value(slot{name: name}))
		})
	}
	same := func(s string) string { return s }
	c := call{method: r.Method, target: path, header: make(http.Header), body: text(r.Body, jsonText)}
	if c.body != "" {
		c.header.Set("Content-Type", "application/json")
	}
	for name, in := range r.Header {
		c.header.Set(name, text(in, same))
	}
	query := make(url.Values)
	for name, in := range r.Query {
		query.Set(name, text(in, same))
	}
	if len(query) > 0 {
		c.target += "?" + query.Encode()
	}
	return c
}

// jsonText is s inside the quotes of a JSON string.
func jsonText(s string) string {
	quoted, _ := json.Marshal(s) // a string always has a form
	return string(quoted[1 : len(quoted)-1])
}
