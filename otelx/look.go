package otelx

import (
	"encoding"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
)

// maxParts is how many parts of one attribute's value are looked at, and maxDepth how deep
// one may be inside of others. A value may be huge, and may contain itself.
const (
	maxParts = 1000
	maxDepth = 16
)

// look is one look at an attribute's value, and what may still be looked at. Whoever writes
// the value sees more of it than one handler alone does: encoding/json follows pointers and
// reads exported fields, package fmt reads the others too, and both ask the value's methods.
// So a secret in any of these has the value replaced.
type look struct {
	redactor *Redactor
	parts    int
	text     int // bytes
}

// attr is [Redactor.Attr] inside of something else.
func (l *look) attr(attr slog.Attr, depth int, in secrecy) slog.Attr {
	says := max(in, secrecyOf(attr.Key))
	value := attr.Value.Resolve()
	switch value.Kind() {
	case slog.KindGroup:
		return slog.Attr{Key: attr.Key, Value: slog.GroupValue(l.group(value.Group(), depth, says)...)}
	case slog.KindBool, slog.KindDuration, slog.KindTime:
		return slog.Attr{Key: attr.Key, Value: value}
	default:
	}
	clean, changed := l.value(reflect.ValueOf(value.Any()), 0, says)
	if !changed {
		return slog.Attr{Key: attr.Key, Value: value}
	}
	return slog.Any(attr.Key, clean)
}

// group is a group's members without the secrets in them.
func (l *look) group(members []slog.Attr, depth int, says secrecy) []slog.Attr {
	clean := make([]slog.Attr, 0, len(members))
	for _, member := range members {
		if l.parts--; l.parts < 0 || depth >= maxDepth {
			return append(clean, slog.String(member.Key, leftOut))
		}
		clean = append(clean, l.attr(member, depth+1, says))
	}
	return clean
}

// value is v without the secrets in it, and whether that is anything else than v.
func (l *look) value(v reflect.Value, depth int, says secrecy) (clean any, changed bool) {
	if l.parts--; l.parts < 0 || depth > maxDepth {
		return leftOut, true
	}
	if !v.IsValid() {
		return nil, false
	}
	told, clean, changed := l.said(v, depth, says)
	if told == everything || changed {
		return clean, changed
	}
	inner, changed := l.inside(v, depth, says)
	switch {
	case !changed:
		return asItIs(v), false
	case told == aSentence:
		return clean, true
	case told == something && isEmpty(inner): // what it says of itself may be what is not to be seen
		return Redacted, true
	}
	return inner, true
}

// inside is what v is made of, without the secrets in it.
func (l *look) inside(v reflect.Value, depth int, says secrecy) (any, bool) {
	switch v.Kind() {
	case reflect.String:
		return l.string(v.String(), says)
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() || v.Kind() == reflect.Pointer && !v.CanInterface() { // nobody prints what that points to
			return asItIs(v), false
		}
		return l.value(v.Elem(), depth+1, says)
	case reflect.Struct:
		return l.structure(v, depth, says)
	case reflect.Map:
		if !v.CanInterface() { // somebody may be writing into it at this moment
			return leftOut, v.Len() > 0
		}
		return l.mapping(v, depth, says)
	case reflect.Slice, reflect.Array:
		return l.list(v, depth, says)
	case reflect.Bool, reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return asItIs(v), false
	default: // numbers
		if says == hidesValue {
			return Redacted, true
		}
		return asItIs(v), false
	}
}

// asItIs is v, or nil when it is of a field that is not exported.
func asItIs(v reflect.Value) any {
	if !v.CanInterface() {
		return nil
	}
	return v.Interface()
}

func (l *look) string(text string, says secrecy) (any, bool) {
	switch {
	case text == "":
		return text, false
	case says != open:
		return Redacted, true
	case l.text <= 0:
		return leftOut, true
	}
	l.text -= len(text)
	clean := l.redactor.Text(text)
	return clean, clean != text
}

// structure is a map of a structure's exported fields, by the names that JSON has for them.
func (l *look) structure(v reflect.Value, depth int, says secrecy) (any, bool) {
	fields, changed := make(map[string]any), false
	for i := range v.NumField() {
		field := v.Type().Field(i)
		tag, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		clean, differs := l.value(v.Field(i), depth+1, max(says, secrecyOf(field.Name), secrecyOf(tag)))
		changed = changed || differs
		switch {
		case !field.IsExported() || tag == "-" || field.Type.Kind() == reflect.Func || field.Type.Kind() == reflect.Chan:
		case tag != "":
			fields[tag] = clean
		default:
			fields[field.Name] = clean
		}
		if l.parts < 0 {
			break
		}
	}
	if !changed {
		return asItIs(v), false
	}
	return fields, true
}

func (l *look) mapping(v reflect.Value, depth int, says secrecy) (any, bool) {
	entries, changed := make(map[string]any), false
	for each := v.MapRange(); each.Next(); {
		if l.parts < 0 {
			entries[leftOut], changed = leftOut, true
			break
		}
		key, differs := l.key(each.Key(), depth)
		clean, also := l.value(each.Value(), depth+1, max(says, secrecyOf(key)))
		entries[key], changed = clean, changed || differs || also
	}
	if !changed {
		return asItIs(v), false
	}
	return entries, true
}

// key is the text of a map's key, and whether a secret was in it.
func (l *look) key(v reflect.Value, depth int) (string, bool) {
	clean, changed := l.value(v, depth+1, open)
	if !changed && v.Kind() == reflect.String {
		return v.String(), false
	}
	return fmt.Sprint(clean), changed
}

func (l *look) list(v reflect.Value, depth int, says secrecy) (any, bool) {
	switch kind := v.Type().Elem().Kind(); {
	case kind == reflect.Uint8 && v.Kind() == reflect.Slice:
		clean, changed := l.string(string(v.Bytes()[:min(v.Len(), MaxText+1)]), says)
		if !changed {
			return asItIs(v), false
		}
		return clean, true
	case kind >= reflect.Bool && kind <= reflect.Complex128: // numbers, however many
		if says == hidesValue && v.Len() > 0 {
			return Redacted, true
		}
		return asItIs(v), false
	}
	elements, changed := make([]any, 0, min(v.Len(), maxParts)), false
	for i := range v.Len() {
		if l.parts < 0 {
			elements, changed = append(elements, leftOut), true
			break
		}
		clean, differs := l.value(v.Index(i), depth+1, says)
		elements, changed = append(elements, clean), changed || differs
	}
	if !changed {
		return asItIs(v), false
	}
	return elements, true
}

// isEmpty reports whether nothing is left of a value.
func isEmpty(clean any) bool {
	fields, ok := clean.(map[string]any)
	return ok && len(fields) == 0
}

// extent is how much of a value its methods tell.
type extent int

const (
	nothing    extent = iota // it has none
	something                // who does not ask them sees what is inside
	aSentence                // it is an error, inside of something
	everything               // who writes it asks them
)

// said is what the methods of v say about it, without the secrets in that.
func (l *look) said(v reflect.Value, depth int, says secrecy) (told extent, clean any, changed bool) {
	if !v.CanInterface() {
		return nothing, nil, false
	}
	value := v.Interface()
	if valuer, ok := value.(slog.LogValuer); ok { // which handlers ask only of what is not inside of something
		member := l.attr(slog.Any("", valuer), depth+1, says)
		return everything, plain(member.Value), true
	}
	forms := formsOf(value)
	switch {
	case len(forms) == 0:
		return nothing, nil, false
	case v.Kind() == reflect.Pointer && v.IsNil():
		return everything, value, false
	}
	for i, form := range forms {
		text, ok := ask(form)
		if !ok {
			return everything, "[its methods panic]", true
		}
		said, changed := l.string(text, says)
		if changed {
			return everything, said, true
		}
		if i == 0 {
			clean = said
		}
	}
	_, isError := value.(error)
	_, isText := value.(encoding.TextMarshaler)
	switch {
	case isText, isError && depth == 0:
		return everything, value, false
	case isError:
		return aSentence, clean, false
	}
	return something, clean, false
}

// plain is a value of a log as encoding/json takes it, which knows no groups.
func plain(v slog.Value) any {
	if v.Kind() != slog.KindGroup {
		return v.Any()
	}
	members := make(map[string]any)
	for _, member := range v.Group() {
		members[member.Key] = plain(member.Value)
	}
	return members
}

// formsOf are the ways in which a value says how it is to be written, the usual one first.
func formsOf(value any) (forms []func() string) {
	if v, ok := value.(error); ok {
		forms = append(forms, v.Error)
	}
	if v, ok := value.(encoding.TextMarshaler); ok {
		forms = append(forms, func() string { return orNothing(v.MarshalText()) })
	}
	if v, ok := value.(json.Marshaler); ok {
		forms = append(forms, func() string { return orNothing(v.MarshalJSON()) })
	}
	switch v := value.(type) {
	case fmt.Formatter:
		forms = append(forms, func() string { return fmt.Sprintf("%+v", v) })
	case fmt.Stringer:
		forms = append(forms, v.String)
	}
	return forms
}

// orNothing is a text, if there is one: whoever writes the value then says that it fails.
func orNothing(text []byte, err error) string {
	if err != nil {
		return ""
	}
	return string(text)
}

// ask calls a method of a value that is about to be logged. It reports false when that panics,
// which package slog does not let through either.
func ask(form func() string) (text string, ok bool) {
	defer func() {
		if recover() != nil {
			text, ok = "", false
		}
	}()
	return form(), true
}
