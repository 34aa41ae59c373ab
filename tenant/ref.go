package tenant

import (
	"cmp"
	"fmt"
)

// Ref names a tenant in one of the three ways that there are: by slug, by id, or by a
// domain of the tenant's own. Refs can be compared with == and used as map keys. The zero
// Ref names none.
type Ref struct {
	kind RefKind
	id   ID
	name string // slug or domain
}

// RefKind is the way in which a [Ref] names its tenant.
type RefKind uint8

const (
	RefNone RefKind = iota // the zero Ref
	RefSlug
	RefID
	RefDomain
)

// BySlug names the tenant with a slug. The empty slug makes the zero Ref; text that is no
// slug is simply found nowhere.
func BySlug(s Slug) Ref {
	if s == "" {
		return Ref{}
	}
	return Ref{kind: RefSlug, name: string(s)}
}

// ByID names the tenant with an id. The zero ID makes the zero Ref.
func ByID(id ID) Ref {
	if id.IsZero() {
		return Ref{}
	}
	return Ref{kind: RefID, id: id}
}

// ByDomain names the tenant that owns a domain, such as notes.acme.example. The domain is
// taken in lower case, without a port and without the dot at its end; a name with
// anything else of that kind is simply found nowhere.
func ByDomain(domain string) Ref {
	if domain == "" {
		return Ref{}
	}
	return Ref{kind: RefDomain, name: domain}
}

// ParseRef reads a slug or an id, as people and programs write them in one field. No text
// is both, for [ParseSlug] refuses that of an id. The error is [ErrBadSlug]; for text in the
// form of an id it is [ErrBadID].
func ParseRef(s string) (Ref, error) {
	var badID error
	if hasIDForm(s) {
		var id ID
		if id, badID = ParseID(s); badID == nil {
			return ByID(id), nil
		}
	}
	slug, badSlug := ParseSlug(s)
	if badSlug == nil {
		return BySlug(slug), nil
	}
	return Ref{}, fmt.Errorf("neither a tenant's id nor its slug: %w", cmp.Or(badID, badSlug))
}

// IsZero reports whether r names no tenant.
func (r Ref) IsZero() bool { return r.kind == RefNone }

// Kind tells in which way r names its tenant.
func (r Ref) Kind() RefKind { return r.kind }

// Slug is the slug of a ref made with [BySlug]; otherwise empty.
func (r Ref) Slug() Slug {
	if r.kind != RefSlug {
		return ""
	}
	return Slug(r.name)
}

// ID is the id of a ref made with [ByID]; otherwise zero.
func (r Ref) ID() ID { return r.id }

// Domain is the domain of a ref made with [ByDomain]; otherwise empty.
func (r Ref) Domain() string {
	if r.kind != RefDomain {
		return ""
	}
	return r.name
}

// Names reports whether t is the tenant that r names, as far as a [Tenant] tells: by slug
// and id, for it does not know its domains.
func (r Ref) Names(t Tenant) bool {
	switch r.kind {
	case RefSlug:
		return t.Slug == Slug(r.name)
	case RefID:
		return t.ID == r.id
	}
	return false
}

// String is the ref for logs: slug:acme-corp, id:…, domain:… or none. What stands in a
// request is not to be trusted in a log without quotes; a Ref made by [ParseRef] is safe.
func (r Ref) String() string {
	switch r.kind {
	case RefSlug:
		return "slug:" + r.name
	case RefID:
		return "id:" + r.id.String()
	case RefDomain:
		return "domain:" + r.name
	}
	return "none"
}
