package otelx

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Redacted stands where a secret was.
const Redacted = "[redacted]"

// MaxText is how many bytes of a text, or of all texts in one attribute of a log record, are
// looked at. What is behind them has not been looked at, and so is left out.
const MaxText = 64 << 10

// leftOut stands where something was left out, because there is too much of it.
const leftOut = "[left out]"

// Redactor takes secrets out of what is about to leave the program: the value of an
// attribute, of a field or of a map's key whose name says that it is one, and in any text
// what has the form of one. It is the second net. The first is not to log secrets, and it
// has the finer mesh: a password in a sentence has no form by which it could be told.
//
// A Redactor may be used by several goroutines at once.
type Redactor struct {
	own []*regexp.Regexp // beside secretForms
}

// secretNames are the parts of a name that say that its value is a secret.
var secretNames = []string{
	"authorization", "cookie", "password", "passwd", "passphrase", "passcode", "pwd", "secret", "token", "jwt", "bearer",
	"apikey", "accesskey", "privatekey", "signingkey", "encryptionkey", "hmackey", "credential", "pepper",
}

// harmlessNames are names of which a part says so wrongly.
var harmlessNames = []string{"apikeyid", "accesskeyid", "tokentype", "tokencount"}

// DefaultRedactor knows the usual names and forms: Authorization fields, JSON Web Tokens,
// API keys of the form of package apikey, secrets of invitations, private keys, passwords in
// URLs and connection strings, and fields of JSON.
func DefaultRedactor() *Redactor { return &Redactor{} }

// NewRedactor makes a Redactor that knows further forms of secrets, beside those of
// [DefaultRedactor]. What the first group of a pattern matches is kept in front of
// [Redacted], and what the second does behind it.
func NewRedactor(forms ...*regexp.Regexp) (*Redactor, error) {
	r := DefaultRedactor()
	for _, form := range forms {
		if form == nil {
			return nil, errors.New("otelx: NewRedactor: a pattern is nil")
		}
		if form.MatchString("") {
			return nil, fmt.Errorf("otelx: NewRedactor: the pattern %q matches the empty text, and so everything", form)
		}
		r.own = append(r.own, form)
	}
	return r, nil
}

// lastLook is how much of what was looked at is given up where a text was cut: in it there
// may be the beginning of a secret, whose end would have told that it is one.
const lastLook = 4 << 10

// Text is text without the secrets in it. Of one that is longer than [MaxText] the end is
// left out.
func (r *Redactor) Text(text string) string {
	cut := len(text) > MaxText
	if cut {
		text = text[:MaxText]
	}
	text = replaceJSON(text)
	for _, form := range secretForms {
		text = form.replace(text)
	}
	text = replaceRandom(replaceNamed(text))
	for _, form := range r.own {
		text = form.ReplaceAllString(text, "${1}"+Redacted+"${2}")
	}
	if !cut {
		return text
	}
	end := max(len(text)-lastLook, 0)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + leftOut
}

// Attr is attr without the secrets in it: in groups, what [slog.LogValuer] resolves to,
// structures, maps, slices, errors and texts, at whatever depth. A value in which there is
// none stays as it is; in the place of another comes what of it can be told, as a text, a
// map or a slice. So it does when there is too much to look at, see [MaxText], or when it
// never ends.
func (r *Redactor) Attr(attr slog.Attr) slog.Attr { return r.attr(attr, open) }

// attr is Attr in a group whose name says something about its members.
func (r *Redactor) attr(attr slog.Attr, in secrecy) slog.Attr {
	l := look{redactor: r, parts: maxParts, text: MaxText}
	return l.attr(attr, 0, in)
}

// secrecy is what a name says about its value.
type secrecy int

const (
	open       secrecy = iota
	hidesText          // numbers are a count of secrets, and none themselves
	hidesValue         // whatever it is
)

// secrecyOf is what a name says, however it is spelled. A token_count is a number and no
// secret, and so are tokens; a password that is a number is one.
func secrecyOf(name string) secrecy {
	plain := plainName(name)
	for _, harmless := range harmlessNames {
		plain = strings.ReplaceAll(plain, harmless, "")
	}
	says := open
	for _, part := range secretNames {
		switch {
		case strings.HasSuffix(plain, part):
			return hidesValue
		case strings.Contains(plain, part):
			says = hidesText
		}
	}
	return says
}

// plainName is a name in lower case, without what stands between its words.
func plainName(name string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c >= 'A' && c <= 'Z':
			return c + ('a' - 'A')
		case c == '_', c == '-', c == '.', c == ' ', c == '/', c == '[', c == ']':
			return -1
		}
		return c
	}, name)
}
