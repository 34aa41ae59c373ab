package isolationtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Routes reads the routes of an OpenAPI 3 document in JSON, each with a body that its schema
// takes as far as that can be told: the fields that it requires, strings with {mark} in them.
// Parameters and fields that are called as a parameter of a path is, or as what a route
// creates, get {name}. Document and routes may be changed before they are walked.
//
// Only what a route requires is filled in; of a body that requires nothing, one field is.
func Routes(openAPI []byte) ([]Route, error) {
	var d document
	if err := json.Unmarshal(openAPI, &d.root); err != nil {
		return nil, fmt.Errorf("the OpenAPI document: %w", err)
	}
	if version, _ := d.root["openapi"].(string); !strings.HasPrefix(version, "3.") {
		return nil, errors.New("the OpenAPI document is none of version 3 in JSON")
	}
	paths, _ := d.root["paths"].(map[string]any)
	d.names = idNames(paths)
	var routes []Route
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		item := d.object(paths[path])
		for _, method := range [...]string{"get", "head", "post", "put", "patch", "delete"} {
			operation, ok := item[method].(map[string]any)
			if !ok {
				continue
			}
			r := Route{Method: strings.ToUpper(method), Path: path}
			if err := r.check(); err != nil {
				return nil, fmt.Errorf("the OpenAPI document: %w", err)
			}
			d.made, d.parts = ownNames(paths, path), 0
			d.parameters(&r, item["parameters"], operation["parameters"])
			d.body(&r, operation["requestBody"])
			routes = append(routes, r)
		}
	}
	return routes, nil
}

// document is an OpenAPI document.
type document struct {
	root  map[string]any
	names map[string]bool // what ids are called
	made  map[string]bool // those of what the route at hand makes or changes
	parts int             // schemas that were followed for it
}

// idNames are the names of the parameters of paths, but for those that could be anything, and
// of what is created.
func idNames(paths map[string]any) map[string]bool {
	names := make(map[string]bool)
	for path := range paths {
		for _, s := range (Route{Path: path}).slots() {
			if s.name != "id" {
				names[s.name] = true
			}
			names[Route{Path: s.collection}.creates()] = true
		}
	}
	return names
}

// ownNames are what a path calls the things that it is about, and the paths directly below it
// what is in them. A field of such a name is no other thing's id, but what this one is to be
// called.
func ownNames(paths map[string]any, path string) map[string]bool {
	names := make(map[string]bool)
	if slots := (Route{Path: path}).slots(); strings.HasSuffix(path, "}") {
		names[slots[len(slots)-1].name] = true
	}
	for below := range paths {
		for _, s := range (Route{Path: below}).slots() {
			if s.collection == collectionOf(path) {
				names[s.name] = true
			}
		}
	}
	return names
}

// isID reports whether a parameter or a field of the name holds an id.
func (d *document) isID(name string) bool { return d.names[name] && !d.made[name] }

// object is what a value is once references are followed; not nil.
func (d *document) object(value any) map[string]any {
	for range 16 { // and no further, in a circle
		object, _ := value.(map[string]any)
		ref, isRef := object["$ref"].(string)
		if !isRef {
			if object == nil {
				object = map[string]any{}
			}
			return object
		}
		value = d.resolve(ref)
	}
	return map[string]any{}
}

// resolve follows a reference within the document (RFC 6901).
func (d *document) resolve(ref string) any {
	var value any = d.root
	for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		object, _ := value.(map[string]any)
		value = object[strings.NewReplacer("~1", "/", "~0", "~").Replace(part)]
	}
	return value
}

// parameters fills in what a route requires, and whatever may hold an id.
func (d *document) parameters(r *Route, lists ...any) {
	for _, list := range lists {
		all, _ := list.([]any)
		for _, one := range all {
			p := d.object(one)
			name, _ := p["name"].(string)
			required, _ := p["required"].(bool)
			if !required && !d.isID(name) {
				continue
			}
			value := strings.Trim(string(d.example(name, p["schema"], 0)), `"`)
			switch p["in"] {
			case "query":
				set(&r.Query, name, value)
			case "header":
				set(&r.Header, name, value)
			}
		}
	}
}

func set(in *map[string]string, name, value string) {
	if *in == nil {
		*in = make(map[string]string)
	}
	(*in)[name] = value
}

// body makes a body for a route that takes JSON.
func (d *document) body(r *Route, body any) {
	content, _ := d.object(body)["content"].(map[string]any)
	for _, kind := range slices.Sorted(maps.Keys(content)) {
		if kind == "application/json" || strings.HasSuffix(kind, "+json") {
			if kind != "application/json" {
				set(&r.Header, "Content-Type", kind)
			}
			r.Body = string(d.example("", d.object(content[kind])["schema"], 0))
			return
		}
	}
}
