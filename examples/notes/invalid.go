package main

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/tenant"
)

// invalid gathers what is wrong with a request's fields, so that a client hears all of
// it at once. The zero value has found nothing.
type invalid []tenant.FieldError

func (v *invalid) add(field, message string) {
	*v = append(*v, tenant.FieldError{Field: field, Message: message})
}

// text checks a text that PostgreSQL is to keep; a nil text is a field that the request
// does not have, which is not looked at.
func (v *invalid) text(field string, text *string, limit textLimit) {
	switch {
	case text == nil:
	case strings.ContainsRune(*text, 0):
		v.add(field, "must not contain the character U+0000")
	case !limit.holds(*text):
		v.add(field, limit.String())
	}
}

// required checks that the request has a field at all.
func (v *invalid) required(field string, text *string) {
	if text == nil {
		v.add(field, "is required")
	}
}

// because adds a field that err says is not valid, if err is not nil.
func (v *invalid) because(field string, err error) {
	if err != nil {
		v.add(field, err.Error())
	}
}

// role reads the name of a role, which is required.
func (v *invalid) role(field string, name *string, roles *invite.Roles) invite.Role {
	if name == nil {
		v.required(field, name)
		return ""
	}
	if role := invite.Role(*name); slices.Contains(roles.Names(), role) {
		return role
	}
	v.add(field, fmt.Sprintf("must be one of %v", roles.Names()))
	return ""
}

// slug checks a slug that a tenant is to get; nil as for text.
func (v *invalid) slug(field string, slug *string) {
	if slug == nil {
		return
	}
	if _, err := tenant.ParseSlug(*slug); err != nil {
		v.add(field, err.Error())
	}
}

// tenantName checks a name that a tenant is to get, as the catalog will; nil as for text.
func (v *invalid) tenantName(field string, name *string) {
	switch limit := (textLimit{min: 1, max: tenant.MaxNameLen, bytes: true}); {
	case name == nil:
	case strings.ContainsFunc(*name, unicode.IsControl):
		v.add(field, "must not contain control characters")
	case !limit.holds(*name):
		v.add(field, limit.String())
	}
}

// err is the error of everything found, and nil when that is nothing.
func (v *invalid) err() error {
	if len(*v) == 0 {
		return nil
	}
	return &tenant.Error{Code: tenant.CodeValidationFailed, Detail: "the request has fields that are not valid", Fields: *v}
}

// textLimit bounds a text in characters or in bytes of UTF-8.
type textLimit struct {
	min, max int
	bytes    bool
}

func (l textLimit) holds(s string) bool {
	n := len(s)
	if !l.bytes {
		n = utf8.RuneCountInString(s)
	}
	return l.min <= n && n <= l.max
}

func (l textLimit) String() string {
	unit := "characters"
	if l.bytes {
		unit = "bytes"
	}
	return fmt.Sprintf("must have %d to %d %s", l.min, l.max, unit)
}
