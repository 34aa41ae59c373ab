package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/tenantwall/tenantwall/tenant"
)

const (
	// maxRequestBody bounds every request's body.
	maxRequestBody = 1 << 20

	// maxDiscard is how much of a body that is too large is read nevertheless, because a
	// client that writes all before it reads would see a broken connection in place of
	// the answer.
	maxDiscard = 16 << 20
)

// fields says which members a request's JSON object may have, and where their values go.
type fields map[string]any

// decode reads a request's body: one JSON object with no other members than those of
// into. A member that is missing leaves its value as it was, so a value that is a pointer
// tells a missing member from an empty one. null is none of the values that a member may
// have.
//
// It is stricter than package json: names are compared exactly, no name comes twice,
// nothing follows the object, and what is not UTF-8 or escapes half a character is
// refused, not repaired.
func decode(r *http.Request, into fields) error {
	body, err := readBody(r)
	if err != nil {
		return err
	}
	if !utf8.Valid(body) {
		return badRequest("the body is not valid UTF-8")
	}
	if !json.Valid(body) {
		return badRequest("the body is not one JSON value")
	}
	if hasLoneSurrogate(body) {
		return badRequest("the body has an escape of half a character")
	}
	if bytes.TrimLeft(body, " \t\r\n")[0] != '{' {
		return badRequest("the body is not a JSON object")
	}
	members, err := objectMembers(body)
	if err != nil {
		return err
	}
	var bad invalid
	for _, m := range members {
		target, known := into[m.name]
		if !known {
			return badRequest(fmt.Sprintf("unknown field %.40q", m.name))
		}
		if string(m.value) == "null" {
			bad.add(m.name, "must not be null")
		} else if err := json.Unmarshal(m.value, target); err != nil {
			bad.add(m.name, "has the wrong type")
		}
	}
	return bad.err()
}

// readBody reads a body that is declared to be JSON and keeps within maxRequestBody.
func readBody(r *http.Request) ([]byte, error) {
	if err := checkJSON(r.Header); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequestBody+1))
	if err != nil {
		return nil, badRequest("the body could not be read to its end")
	}
	if len(body) > maxRequestBody {
		_, _ = io.CopyN(io.Discard, r.Body, maxDiscard) // the answer is the same whatever comes of it
		return nil, &tenant.Error{Code: tenant.CodePayloadTooLarge, Detail: fmt.Sprintf("the body is larger than %d bytes", maxRequestBody)}
	}
	return body, nil
}

// checkJSON refuses a body that does not say to be plain JSON.
func checkJSON(h http.Header) error {
	mediaType, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	charset, hasCharset := params["charset"]
	switch {
	case err != nil || mediaType != "application/json":
		return unsupported("the body must be sent with Content-Type: application/json")
	case hasCharset && !strings.EqualFold(charset, "utf-8"):
		return unsupported("JSON is in UTF-8, in no other charset")
	case h.Get("Content-Encoding") != "":
		return unsupported("the body must be sent without a Content-Encoding")
	}
	return nil
}

// hasLoneSurrogate reports whether valid JSON has an escape of one half of a surrogate pair
// without the other (RFC 8259, 8.2), in whose place package json would put U+FFFD.
func hasLoneSurrogate(valid []byte) bool {
	for {
		backslash := bytes.IndexByte(valid, '\\')
		if backslash < 0 {
			return false
		}
		valid = valid[backslash:]
		half := escaped(valid)
		if !utf16.IsSurrogate(half) {
			valid = valid[len(`\n`):]
			continue
		}
		valid = valid[len(`\ud800`):]
		if utf16.DecodeRune(half, escaped(valid)) == utf8.RuneError {
			return true
		}
		valid = valid[len(`\udc00`):]
	}
}

// escaped is what an escape such as \u00e9 at the beginning of valid JSON stands for, or 0.
func escaped(valid []byte) rune {
	if !bytes.HasPrefix(valid, []byte(`\u`)) {
		return 0
	}
	unit, err := strconv.ParseUint(string(valid[2:6]), 16, 16)
	if err != nil {
		return 0 // not in valid JSON
	}
	return rune(unit)
}

// member is one name and value of a JSON object.
type member struct {
	name  string
	value json.RawMessage
}

// objectMembers splits a valid JSON object, whose names must differ.
func objectMembers(object []byte) ([]member, error) {
	dec := json.NewDecoder(bytes.NewReader(object))
	if _, err := dec.Token(); err != nil { // the opening brace
		return nil, err
	}
	var members []member
	seen := make(map[string]bool)
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, err
		}
		var m member
		m.name, _ = token.(string) // nothing else stands there in valid JSON
		if err := dec.Decode(&m.value); err != nil {
			return nil, err
		}
		if seen[m.name] {
			return nil, badRequest(fmt.Sprintf("the field %.40q comes twice", m.name))
		}
		seen[m.name] = true
		members = append(members, m)
	}
	return members, nil
}

func badRequest(detail string) error {
	return &tenant.Error{Code: tenant.CodeBadRequest, Detail: detail}
}

func unsupported(detail string) error {
	return &tenant.Error{Code: tenant.CodeUnsupportedMediaType, Detail: detail}
}
