package main

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
)

// openAPI is the service's own description, as JSON.
type openAPI map[string]any

var parseDocument = sync.OnceValues(func() (openAPI, error) {
	var d openAPI
	err := json.Unmarshal(openAPIDocument, &d)
	return d, err
})

func document(t testing.TB) openAPI {
	t.Helper()
	d, err := parseDocument()
	require.NoError(t, err)
	return d
}

// check fails the test if an answer is not as the document says.
func (d openAPI) check(t testing.TB, req request, got response) {
	t.Helper()
	what := req.method + " " + req.path
	assert.NotEmpty(t, got.header.Get("X-Request-ID"), "%s: no request id", what)
	if got.status >= 400 && req.method != "HEAD" {
		d.checkBody(t, what, got, map[string]any{
			"application/problem+json": map[string]any{"schema": map[string]any{"$ref": "#/components/schemas/Problem"}},
		})
	}
	op := d.operation(req)
	if op == nil {
		assert.Contains(t, []int{301, 307, 400, 404, 405}, got.status, "%s: is not in the document", what)
		return
	}
	said, ok := d.at(op, "responses", fmt.Sprint(got.status))
	if !assert.True(t, ok, "%s: the document has no response %d: %s", what, got.status, got.body) {
		return
	}
	for name, header := range d.object(said, "headers") {
		if required, _ := d.deref(header)["required"].(bool); required {
			assert.NotEmpty(t, got.header.Get(name), "%s: no header %s", what, name)
		}
	}
	if req.method != "HEAD" {
		d.checkBody(t, what, got, d.object(said, "content"))
	}
}

func (d openAPI) checkBody(t testing.TB, what string, got response, content map[string]any) {
	t.Helper()
	if len(content) == 0 {
		assert.Empty(t, got.body, "%s: a body that the document does not know", what)
		return
	}
	mediaType, _, err := mime.ParseMediaType(got.header.Get("Content-Type"))
	if !assert.NoError(t, err, what) || !assert.Contains(t, content, mediaType, what) {
		return
	}
	if !strings.HasSuffix(mediaType, "json") {
		return
	}
	var value any
	if assert.NoError(t, json.Unmarshal(got.body, &value), "%s: %s", what, got.body) {
		schema, _ := d.at(content[mediaType], "schema")
		assert.Empty(t, d.faults(schema, value, "body"), "%s: %s", what, got.body)
	}
}

// operation is the document's entry for a request, or nil.
func (d openAPI) operation(req request) map[string]any {
	u, err := url.Parse(req.path)
	if err != nil {
		return nil
	}
	method := strings.ToLower(req.method)
	if method == "head" {
		method = "get"
	}
	segments := strings.Split(u.EscapedPath(), "/")
	if len(segments) > 3 && segments[1] == "t" {
		segments = append(segments[:1:1], segments[3:]...) // the path prefix of a tenant
	}
	for template, item := range d["paths"].(map[string]any) {
		if !matches(strings.Split(template, "/"), segments) {
			continue
		}
		// Two templates may match, as /v1/invites/{id} and /v1/invites/accept do, but only
		// one of them has the method.
		if op, ok := item.(map[string]any)[method].(map[string]any); ok {
			return op
		}
	}
	return nil
}

func matches(template, segments []string) bool {
	return slices.EqualFunc(template, segments, func(want, is string) bool {
		return want == is || strings.HasPrefix(want, "{") && is != ""
	})
}

// at follows keys from a part of the document, nil being all of it, and references on
// the way.
func (d openAPI) at(from any, keys ...string) (map[string]any, bool) {
	part := d.deref(from)
	if from == nil {
		part = d
	}
	for _, key := range keys {
		next, ok := part[key]
		if !ok {
			return nil, false
		}
		part = d.deref(next)
	}
	return part, part != nil
}

func (d openAPI) object(from any, key string) map[string]any {
	o, _ := d.at(from, key)
	return o
}

// deref is an object of the document, or the one that it refers to.
func (d openAPI) deref(part any) map[string]any {
	object, _ := part.(map[string]any)
	ref, ok := object["$ref"].(string)
	if !ok {
		return object
	}
	object = d
	for key := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		object, _ = object[key].(map[string]any)
	}
	return object
}

// faults is what keeps a value from being as a schema says. Of JSON Schema it knows what
// the document uses.
func (d openAPI) faults(schema map[string]any, value any, at string) []string {
	schema = d.deref(schema)
	if options, ok := schema["anyOf"].([]any); ok {
		var all []string
		for _, one := range options {
			faults := d.faults(one.(map[string]any), value, at)
			if len(faults) == 0 {
				return nil
			}
			all = append(all, faults...)
		}
		return all
	}
	if types := typesOf(schema["type"]); !slices.Contains(types, jsonType(value)) {
		return []string{fmt.Sprintf("%s is %s, not %v", at, jsonType(value), types)}
	}
	switch value := value.(type) {
	case map[string]any:
		return d.objectFaults(schema, value, at)
	case []any:
		var faults []string
		items, _ := schema["items"].(map[string]any)
		for i, item := range value {
			faults = append(faults, d.faults(items, item, fmt.Sprintf("%s[%d]", at, i))...)
		}
		return faults
	case string:
		return stringFaults(schema, value, at)
	}
	return nil
}

func (d openAPI) objectFaults(schema map[string]any, object map[string]any, at string) []string {
	var faults []string
	properties, _ := schema["properties"].(map[string]any)
	required, _ := schema["required"].([]any)
	for _, name := range required {
		if _, ok := object[name.(string)]; !ok {
			faults = append(faults, fmt.Sprintf("%s has no %s", at, name))
		}
	}
	for name, value := range object {
		property, known := properties[name].(map[string]any)
		if known {
			faults = append(faults, d.faults(property, value, at+"."+name)...)
		} else if schema["additionalProperties"] == false {
			faults = append(faults, fmt.Sprintf("%s has an unknown %s", at, name))
		}
	}
	return faults
}

func stringFaults(schema map[string]any, s, at string) []string {
	var faults []string
	add := func(broken bool, rule string) {
		if broken {
			faults = append(faults, fmt.Sprintf("%s: %.60q breaks %s", at, s, rule))
		}
	}
	if enum, ok := schema["enum"].([]any); ok {
		add(!slices.Contains(enum, any(s)), fmt.Sprint("enum ", enum))
	}
	if least, ok := schema["minLength"].(float64); ok {
		add(utf8.RuneCountInString(s) < int(least), "minLength")
	}
	if most, ok := schema["maxLength"].(float64); ok {
		add(utf8.RuneCountInString(s) > int(most), "maxLength")
	}
	if pattern, ok := schema["pattern"].(string); ok {
		add(!regexp.MustCompile(pattern).MatchString(s), "pattern")
	}
	switch schema["format"] {
	case "uuid":
		_, err := tenant.ParseID(s)
		add(err != nil, "uuid")
	case "date-time":
		_, err := time.Parse(time.RFC3339, s)
		add(err != nil || !strings.HasSuffix(s, "Z"), "date-time in UTC")
	}
	return faults
}

func typesOf(t any) []string {
	switch t := t.(type) {
	case string:
		return []string{t}
	case []any:
		var types []string
		for _, one := range t {
			types = append(types, one.(string))
		}
		return types
	}
	return nil
}

func jsonType(value any) string {
	switch value := value.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case float64:
		if value == float64(int64(value)) {
			return "integer"
		}
		return "number"
	case []any:
		return "array"
	}
	return "object"
}
