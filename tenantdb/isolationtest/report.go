package isolationtest

import (
	"fmt"
	"strings"
)

// Kind is what somebody in B finds out about A, or does to it.
type Kind string

// The kinds of findings.
const (
	Data      Kind = "data"      // sees what is A's
	Existence Kind = "existence" // can tell an id of A's from one that never was
	Write     Kind = "write"     // changes what is A's
	Confusion Kind = "confusion" // is answered otherwise for naming A, and not refused
	Timing    Kind = "timing"    // can tell an id of A's from one that never was by how long it takes
)

// Finding is one hole.
type Finding struct {
	Kind   Kind
	Route  string // such as GET /v1/notes/{id}
	Way    string // what B did
	Detail string // what B got, beside what it should
}

func (f Finding) String() string {
	return fmt.Sprintf("%s: %s: %s: %s", f.Kind, f.Route, f.Way, f.Detail)
}

// Unproved is a route that says nothing about isolation, and why: most often because A
// itself could not use it as it was called.
type Unproved struct {
	Route, Reason string
}

func (u Unproved) String() string { return fmt.Sprintf("not proved: %s: %s", u.Route, u.Reason) }

// Report is what [Check] has found.
type Report struct {
	Findings []Finding
	Unproved []Unproved
	Walked   []string // the routes that were
	Requests int      // how many were sent
}

// Clean reports whether nothing was found and every route was proved.
func (r *Report) Clean() bool { return len(r.Findings) == 0 && len(r.Unproved) == 0 }

// String is the report for people, one line for each thing.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d routes walked with %d requests: %d findings, %d not proved\n", len(r.Walked), r.Requests, len(r.Findings), len(r.Unproved))
	for _, f := range r.Findings {
		fmt.Fprintln(&b, f)
	}
	for _, u := range r.Unproved {
		fmt.Fprintln(&b, u)
	}
	return b.String()
}

// find adds a finding, once.
func (r *Report) find(f Finding) {
	for _, there := range r.Findings {
		if there.Kind == f.Kind && there.Route == f.Route && there.Way == f.Way {
			return
		}
	}
	r.Findings = append(r.Findings, f)
}

// found reports whether a route has a finding.
func (r *Report) found(route string) bool {
	for _, f := range r.Findings {
		if f.Route == route {
			return true
		}
	}
	return false
}

// unproved adds a route that says nothing, with the first reason.
func (r *Report) unproved(route, format string, args ...any) {
	for _, there := range r.Unproved {
		if there.Route == route {
			return
		}
	}
	r.Unproved = append(r.Unproved, Unproved{route, fmt.Sprintf(format, args...)})
}
