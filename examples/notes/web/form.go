package web

import (
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"slices"
)

// form is what a form was sent with, and what the service has said against its fields. The
// zero form is one that nobody has sent: its fields hold what the page gives them.
type form struct {
	sent   url.Values
	wrong  map[string]string // by the field's name
	marked string            // the first field that is wrong, which gets the focus
}

// fieldOfCode is the field that a refusal is about which names none.
var fieldOfCode = map[string]string{"slug_taken": "slug", "already_member": "email"}

// newForm has what was sent, and what was said against those of the fields that the page has.
// What it has no field for is left to be told above the form.
func newForm(sent url.Values, told failure, fields []string) form {
	f := form{sent: sent, wrong: make(map[string]string)}
	for _, e := range told.Errors {
		if slices.Contains(fields, e.Field) && f.wrong[e.Field] == "" {
			f.wrong[e.Field] = e.Message
		}
	}
	if field := fieldOfCode[string(told.Code)]; slices.Contains(fields, field) {
		f.wrong[field] = told.Detail
	}
	for _, field := range fields { // in the order in which they stand
		if f.wrong[field] != "" {
			f.marked = field
			break
		}
	}
	return f
}

// Sent reports whether somebody has sent it.
func (f form) Sent() bool { return f.sent != nil }

// Value is what a field is to hold: what was sent, or otherwise what the page has for it.
func (f form) Value(field, otherwise string) string {
	if f.sent == nil {
		return otherwise
	}
	return f.sent.Get(field)
}

// Chosen reports whether one of a field's values is to be chosen.
func (f form) Chosen(field, value string, otherwise bool) bool {
	if f.sent == nil {
		return otherwise
	}
	return slices.Contains(f.sent[field], value)
}

// Wrong is a field and what is wrong with it, for the template that says so beside the field.
func (f form) Wrong(field string) (said struct{ Field, Message string }) {
	said.Field, said.Message = field, f.wrong[field]
	return said
}

// Mark are the attributes of a field that is wrong.
func (f form) Mark(field string) template.HTMLAttr {
	if f.wrong[field] == "" {
		return ""
	}
	mark := `aria-invalid="true" aria-describedby="wrong-` + field + `"`
	if field == f.marked {
		mark += " autofocus"
	}
	return template.HTMLAttr(mark) //nolint:gosec // field is a constant of the templates
}

// again answers a form that was refused with the page that it stands on: what was typed is
// still there, and what is wrong stands beside its field, or above the page. Where the page
// can't be made either, as when the quota is used up, what was typed is told with the refusal.
func (v *visit) again(err error, fields []string, show func() error) error {
	told, isRefused := errors.AsType[refused](err)
	if !isRefused {
		return err
	}
	v.form = newForm(v.r.PostForm, told.failure, fields)
	v.refusal = &told.failure
	if show() == nil {
		return nil
	}
	for _, field := range fields {
		for _, text := range v.r.PostForm[field] {
			v.kept = append(v.kept, keptField{field, text})
		}
	}
	return err
}

// keptField is a field of a form that could not be shown again.
type keptField struct{ Name, Value string }

// field is a field of the form.
func (v *visit) field(name string) string { return v.r.PostFormValue(name) }

// text is a field of several lines, without the carriage returns that browsers put into it
// (HTML, 4.10.22.4): saved again, a note is to be what it was.
func (v *visit) text(name string) string { return newlines.Replace(v.field(name)) }

// maxForm bounds a form, in bytes: a note's body in the escaping of forms, and some more.
const maxForm = 256 << 10

// bounded reads the form of a request, and refuses one that is too long or can't be read.
func bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		err := r.ParseForm()
		if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong {
			writeProblem(w, r, http.StatusRequestEntityTooLarge, "payload_too_large", "the form is too long")
			return
		}
		if err != nil && r.Method == http.MethodPost {
			writeProblem(w, r, http.StatusBadRequest, "bad_request", "the form can't be read")
			return
		}
		next.ServeHTTP(w, r)
	})
}
