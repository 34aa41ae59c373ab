package main

import (
	"iter"
	"net/http"
	"strconv"
	"strings"

	"github.com/tenantwall/tenantwall/tenant"
)

// etag is the entity tag of a note's version.
func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// unchanged reports whether a client that sent these headers has this version already:
// one of the tags in If-None-Match is its tag (RFC 9110, 13.1.2).
func unchanged(h http.Header, version int64) bool {
	for tag := range tagsIn(h, "If-None-Match") {
		if tag == "*" || strings.TrimPrefix(tag, "W/") == etag(version) {
			return true
		}
	}
	return false
}

// precondition is what a request's If-Match headers say (RFC 9110, 13.1.1): which
// versions of a note a change is meant for. A nil precondition is for any.
type precondition []int64

// ifMatch reads the If-Match headers. Tags that no note can have, weak ones among them,
// match nothing; headers of nothing else let no change through.
func ifMatch(h http.Header) precondition {
	if len(h.Values("If-Match")) == 0 {
		return nil
	}
	versions := precondition{}
	for tag := range tagsIn(h, "If-Match") {
		if tag == "*" {
			return nil
		}
		version, err := strconv.ParseInt(strings.Trim(tag, `"`), 10, 64)
		if err == nil && tag == etag(version) {
			versions = append(versions, version)
		}
	}
	return versions
}

// tagsIn yields the entity tags in all lines of a header. A tag may hold a comma; ours
// have none, so what such a tag falls into is as unknown as the whole.
func tagsIn(h http.Header, name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, line := range h.Values(name) {
			for tag := range strings.SplitSeq(line, ",") {
				if !yield(strings.TrimSpace(tag)) {
					return
				}
			}
		}
	}
}

// errStale says that the note has changed since the client read it.
var errStale = &tenant.Error{Code: tenant.CodePreconditionFailed, Detail: "the note is no longer in the version that If-Match names"}
