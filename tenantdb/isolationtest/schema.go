package isolationtest

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
)

// maxDepth is how deep a schema is followed, and maxParts how many schemas there may be in a
// body: one that refers to itself has no end.
const (
	maxDepth = 8
	maxParts = 1000
)

// example is a JSON value that a schema takes, for a field of a name.
func (d *document) example(name string, schema any, depth int) json.RawMessage {
	s := d.object(schema)
	if d.parts++; depth > maxDepth || d.parts > maxParts {
		return json.RawMessage("null")
	}
	for _, key := range [...]string{"allOf", "oneOf", "anyOf"} {
		if parts, _ := s[key].([]any); len(parts) > 0 && s["properties"] == nil {
			return d.example(name, d.combine(key, parts), depth+1)
		}
	}
	if values, _ := s["enum"].([]any); len(values) > 0 {
		return raw(values[0])
	}
	if value, ok := s["const"]; ok {
		return raw(value)
	}
	switch kindOf(s) {
	case "object":
		return d.exampleObject(s, depth)
	case "array":
		return raw([]json.RawMessage{d.example(strings.TrimSuffix(name, "s"), s["items"], depth+1)})
	case "string":
		return raw(d.exampleString(name, s))
	}
	return exampleScalar(s)
}

// combine is one schema of several: all of them together, or the first.
func (d *document) combine(key string, parts []any) map[string]any {
	if key != "allOf" {
		return d.object(parts[0])
	}
	all := map[string]any{}
	properties, required := map[string]any{}, []any{}
	for _, part := range parts {
		s := d.object(part)
		maps.Copy(all, s)
		of, _ := s["properties"].(map[string]any)
		maps.Copy(properties, of)
		needs, _ := s["required"].([]any)
		required = append(required, needs...)
	}
	delete(all, "allOf")
	if len(properties) > 0 {
		all["properties"], all["required"] = properties, required
	}
	return all
}

// kindOf is the type of a schema: in OpenAPI 3.1 there may be several.
func kindOf(s map[string]any) string {
	switch kind := s["type"].(type) {
	case string:
		return kind
	case []any:
		for _, k := range kind {
			if text, _ := k.(string); text != "null" {
				return text
			}
		}
	}
	if s["properties"] != nil {
		return "object"
	}
	return ""
}

// exampleObject has the fields that are required and those that hold ids; if there are none,
// the first text, or else the first field.
func (d *document) exampleObject(s map[string]any, depth int) json.RawMessage {
	properties, _ := s["properties"].(map[string]any)
	required, _ := s["required"].([]any)
	object := make(map[string]json.RawMessage)
	names := slices.Sorted(maps.Keys(properties))
	for _, name := range names {
		if slices.Contains(required, any(name)) || d.isID(name) {
			object[name] = d.example(name, properties[name], depth+1)
		}
	}
	if len(object) == 0 && len(names) > 0 {
		chosen := names[0]
		for _, name := range names {
			if p := d.object(properties[name]); kindOf(p) == "string" && p["format"] == nil && p["pattern"] == nil {
				chosen = name
				break
			}
		}
		object[chosen] = d.example(chosen, properties[chosen], depth+1)
	}
	return raw(object)
}

// exampleString is a text with the mark in it wherever that can be.
func (d *document) exampleString(name string, s map[string]any) string {
	switch {
	case d.isID(name):
		return "{" + name + "}"
	case s["format"] == "email", s["format"] == nil && strings.HasSuffix(strings.ToLower(name), "email"):
		return "{mark}@isolation.example"
	}
	switch s["format"] {
	case "uuid":
		return forge("00000000-0000-4000-8000-000000000000")
	case "date-time":
		return time.Now().Add(24 * time.Hour).UTC().Format(time.RFC3339)
	case "date":
		return time.Now().Add(24 * time.Hour).UTC().Format(time.DateOnly)
	case "uri", "url":
		return "https://isolation.example/{mark}"
	}
	if given := givenExample(s); given != nil && s["pattern"] != nil {
		if text, ok := given.(string); ok {
			return text
		}
	}
	return "{mark}"
}

// exampleScalar is a number, a truth value, or what the schema itself gives.
func exampleScalar(s map[string]any) json.RawMessage {
	if given := givenExample(s); given != nil {
		return raw(given)
	}
	switch kindOf(s) {
	case "integer", "number":
		if least, ok := s["minimum"].(float64); ok {
			return raw(least)
		}
		return json.RawMessage("1")
	case "boolean":
		return json.RawMessage("false")
	}
	return json.RawMessage("{}")
}

// givenExample is the value that a schema shows; nil when it shows none.
func givenExample(s map[string]any) any {
	if all, _ := s["examples"].([]any); len(all) > 0 {
		return all[0]
	}
	if one, ok := s["example"]; ok {
		return one
	}
	return s["default"]
}

func raw(value any) json.RawMessage {
	text, err := json.Marshal(value)
	if err != nil {
		return json.RawMessage("null")
	}
	return text
}
