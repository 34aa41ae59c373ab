package isolationtest_test

import (
	"encoding/json"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenantdb/isolationtest"
)

// document is an OpenAPI document of the leaky service, and of routes that it has not.
const document = `{
  "openapi": "3.1.0",
  "paths": {
    "/v1/notes": {
      "get": {"parameters": [{"name": "limit", "in": "query", "schema": {"type": "integer"}}]},
      "post": {"requestBody": {"$ref": "#/components/requestBodies/Note"}}
    },
    "/v1/notes/{id}": {
      "parameters": [{"name": "id", "in": "path", "required": true}],
      "get": {},
      "patch": {"requestBody": {"$ref": "#/components/requestBodies/Note"}},
      "delete": {"summary": "gone"}
    },
    "/v1/notes/{id}/comments": {"post": {"requestBody": {"content": {"application/merge-patch+json": {"schema": {"allOf": [
      {"$ref": "#/components/schemas/Text"}, {"type": "object", "required": ["stars"], "properties": {"stars": {"type": "integer", "minimum": 2}}}
    ]}}}}}},
    "/v1/notes/{id}/comments/{comment_id}": {"get": {}},
    "/v1/search": {"get": {"parameters": [
      {"$ref": "#/components/parameters/NoteID"},
      {"name": "X-Comment", "in": "header", "required": true, "schema": {"type": "string"}},
      {"name": "session", "in": "cookie", "required": true, "schema": {"type": "string"}}
    ]}},
    "/v1/links": {"post": {"requestBody": {"content": {"text/plain": {}, "application/json": {"schema": {
      "properties": {"note_id": {"type": "string"}, "why": {"type": ["null", "string"]}}
    }}}}}},
    "/v1/all/{kind}": {"put": {"requestBody": {"content": {"application/json": {"schema": {
      "type": "object",
      "required": ["mail", "at", "day", "url", "uuid", "choice", "fixed", "open", "list", "any", "rate", "code", "same", "self", "email"],
      "properties": {
        "mail": {"type": "string", "format": "email"},
        "email": {"type": "string"},
        "at": {"type": "string", "format": "date-time"},
        "day": {"type": "string", "format": "date"},
        "url": {"type": "string", "format": "uri"},
        "uuid": {"type": "string", "format": "uuid"},
        "choice": {"enum": ["b", "a"]},
        "fixed": {"const": 7},
        "open": {"type": "boolean"},
        "list": {"type": "array", "items": {"type": "string"}},
        "any": {},
        "rate": {"type": "number", "default": 0.5},
        "code": {"type": "string", "pattern": "^[A-Z]+$", "examples": ["ABC"]},
        "same": {"oneOf": [{"type": "integer"}, {"type": "string"}]},
        "self": {"$ref": "#/components/schemas/Self"},
        "optional": {"type": "string"}
      }
    }}}}}}
  },
  "components": {
    "parameters": {"NoteID": {"name": "note_id", "in": "query", "schema": {"type": "string"}}},
    "requestBodies": {"Note": {"content": {"application/json": {"schema": {"type": "object", "properties": {
      "at": {"type": "string", "format": "date-time"}, "title": {"type": "string"}
    }}}}}},
    "schemas": {
      "Text": {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}},
      "Self": {"type": "object", "required": ["self"], "properties": {"self": {"$ref": "#/components/schemas/Self"}}}
    }
  }
}`

func TestRoutesOfADocument(t *testing.T) {
	t.Parallel()
	routes, err := isolationtest.Routes([]byte(document))
	require.NoError(t, err)
	require.Len(t, routes, 10)
	found := make(map[string]isolationtest.Route)
	for _, r := range routes {
		found[r.Method+" "+r.Path] = r
	}
	assert.Equal(t, isolationtest.Route{Method: "GET", Path: "/v1/notes"}, found["GET /v1/notes"], "what is not required is left out")
	assert.JSONEq(t, `{"title":"{mark}"}`, found["PATCH /v1/notes/{id}"].Body, "of what requires nothing, a text")
	comment := found["POST /v1/notes/{id}/comments"]
	assert.JSONEq(t, `{"text":"{mark}","stars":2}`, comment.Body)
	assert.Equal(t, map[string]string{"Content-Type": "application/merge-patch+json"}, comment.Header)
	search := found["GET /v1/search"]
	assert.Equal(t, map[string]string{"note_id": "{note_id}"}, search.Query, "an id, though it is not required")
	assert.Equal(t, map[string]string{"X-Comment": "{mark}"}, search.Header)
	assert.JSONEq(t, `{"note_id":"{note_id}"}`, found["POST /v1/links"].Body)

	var all map[string]any
	require.NoError(t, json.Unmarshal([]byte(found["PUT /v1/all/{kind}"].Body), &all))
	for name, want := range map[string]string{
		"mail": `^\{mark\}@isolation\.example$`, "email": `^\{mark\}@isolation\.example$`, "url": `^https://isolation\.example/\{mark\}$`, "code": `^ABC$`, "choice": `^b$`,
		"at": `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`, "day": `^\d{4}-\d\d-\d\d$`, "uuid": `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$`,
	} {
		assert.Regexp(t, regexp.MustCompile(want), all[name], name)
	}
	for name, want := range map[string]any{"fixed": 7.0, "open": false, "list": []any{"{mark}"}, "any": map[string]any{}, "rate": 0.5, "same": 1.0} {
		assert.Equal(t, want, all[name], name)
	}
	assert.NotContains(t, all, "optional")
	assert.Contains(t, all, "self", "it has an end")
}

func TestADocumentWithAPathThatCannotBe(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"notes", "/{", "/{a}}", "/a?b", "/a b"} {
		_, err := isolationtest.Routes([]byte(`{"openapi":"3.0.0","paths":{"` + path + `":{"get":{}}}}`))
		require.ErrorContains(t, err, "the OpenAPI document: the route", path)
	}
}

func TestADocumentIsWalked(t *testing.T) {
	t.Parallel()
	for _, leak := range []string{"", "reads what is inside without the tenant"} {
		cfg := config(leak)
		cfg.OpenAPI = []byte(document)
		cfg.Routes = []isolationtest.Route{{Method: "POST", Path: "/v1/notes", Body: `{"title":"{mark} of my own"}`}}
		cfg.Skip = map[string]string{"PUT /v1/all/{kind}": "the service has no such route"}
		report, err := isolationtest.Check(t.Context(), cfg)
		require.NoError(t, err)
		assert.Len(t, report.Walked, 9)
		if leak == "" {
			assert.True(t, report.Clean(), "%s", report)
		} else {
			assert.Contains(t, report.String(), leaks[leak])
		}
	}
}

// FuzzRoutes: whatever document it is, there is an end, and each route can be walked.
func FuzzRoutes(f *testing.F) {
	for _, text := range []string{
		document, `{"openapi":"3.0.0"}`, `{"openapi":"3.0.0","paths":{"/":{"get":1}}}`, `{"openapi":"3","paths":[]}`,
		`{"openapi":"3.0.0","paths":{"/a":{"post":{"requestBody":{"$ref":"#/paths/~1a/post/requestBody"}}}}}`,
		`{"openapi":"3.0.0","paths":{"/a":{"post":{"requestBody":{"content":{"application/json":{"schema":{"required":["a","b","c","d","e","f","g","h"],` +
			`"properties":{"a":{"$ref":"#/s"},"b":{"$ref":"#/s"},"c":{"$ref":"#/s"},"d":{"$ref":"#/s"},"e":{"$ref":"#/s"},"f":{"$ref":"#/s"}}}}}}}}},` +
			`"s":{"$ref":"#/paths/~1a/post/requestBody/content/application~1json/schema"}}`,
		`{"openapi":"3.","paths":{"}":{"put":{}},"/{mark}":{"get":{}},"/{a":{"get":{}},"/{id}":{"post":{}}}}`,
		`{"openapi":"3.0.0","paths":{"/{a}/{a}":{"put":{"requestBody":{"content":{"application/json":{"schema":{"allOf":[{"$ref":"#"}]}}}}}}}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		routes, err := isolationtest.Routes(text)
		if err != nil {
			require.Empty(t, routes)
			return
		}
		for _, r := range routes {
			require.NotEmpty(t, r.Method)
			if r.Body != "" {
				require.True(t, json.Valid([]byte(r.Body)), r.Body)
			}
		}
	})
}
