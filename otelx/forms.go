package otelx

import (
	"regexp"
	"strings"
)

// form is what a secret looks like in a text.
type form struct {
	// hints are texts without one of which there is nothing to find: an expression costs far
	// more than a search for them.
	hints []string

	// found is what it looks like. Its groups are what stays: the first in front of the
	// secret, so that a reader sees what it was, and the second behind it.
	found *regexp.Regexp
}

// secretForms are what credentials look like.
var secretForms = []form{
	{ // A private key in PEM (RFC 7468), with real ends of lines or with those of JSON.
		hints: []string{"PRIVATE KEY-----"},
		found: regexp.MustCompile(`(?s)(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(-----END [A-Z ]*PRIVATE KEY-----|$)`),
	},
	{ // A JSON Web Token (RFC 7519), whose header is an object and so begins with eyJ.
		hints: []string{"eyJ"},
		found: regexp.MustCompile(`()eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*`),
	},
	{ // An API key: brand, environment, and a long rest. See apikey.Format.
		hints: []string{"_"},
		found: regexp.MustCompile(`([a-z][a-z0-9]{1,15}_[a-z][a-z0-9]{1,15}_)[A-Za-z0-9]{40,}`),
	},
	{ // The fields of HTTP that are secret as a whole (RFC 9110, 11.6.2; RFC 6265), in lines.
		hints: []string{": "},
		found: regexp.MustCompile(`(?i)\b((?:(?:proxy-)?authorization|(?:set-)?cookie)["']?: +)[^\r\n"]+`),
	},
	{ // The credentials of Authorization (RFC 9110, 11.6.2).
		hints: []string{"earer", "EARER", "asic", "ASIC"},
		found: regexp.MustCompile(`(?i)\b((?:bearer|basic)(?:\s|%20|\+)+)[A-Za-z0-9._~+/=%-]{8,}`),
	},
	{ // The password of a URL of a database or a broker, in which there may be anything.
		hints: []string{"//", `\/`},
		found: regexp.MustCompile(`(?i)\b((?:postgres(?:ql)?|rediss?|mysql|mongodb(?:\+srv)?|amqps?|nats):(?:\\?/){2}[^\s/:@"']*:)[^\s"']+(@)`),
	},
	{ // That of any other (RFC 3986, 3.2.1), up to the last @ in front of the path.
		hints: []string{"//", `\/`},
		found: regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*:(?:\\?/){2}[^\s/:@?#\\]*:)[^\s/?#"'\\]+(@)`),
	},
	{ // SQL's way to set one.
		hints: []string{"'"},
		found: regexp.MustCompile(`(?i)(\bpassword\s+)'(?:[^']|'')*'`),
	},
	{ // name: value, as in YAML and in the fields of HTTP. It has one word, lest a sentence
		// about a token is taken for the token.
		hints: []string{": "},
		found: regexp.MustCompile(`(?i)(\b(?:password|passwd|x-[\w-]*(?:key|token|secret))["']?: +)[^\s,;]+`),
	},
}

// replace is a text without secrets of the form.
func (f *form) replace(text string) string {
	if !containsAny(text, f.hints) {
		return text
	}
	return f.found.ReplaceAllString(text, "${1}"+Redacted+"${2}")
}

// named is a name with what stands between it and its value: name=value, as in a connection
// string, a query, a cookie or a line of a log, and name:value, as fmt prints structures and
// maps. Only for a secret's name is the end of the value looked for, so that a text that
// somebody made to be slow is read once and not once for each name in it.
var named = regexp.MustCompile(`([A-Za-z][\w.-]*)(?:\s*=\s*|:)`)

// replaceNamed is a text without the values of secrets that stand beside their names.
func replaceNamed(text string) string {
	if !strings.ContainsAny(text, "=:") {
		return text
	}
	var out strings.Builder
	kept := 0
	for _, at := range named.FindAllStringSubmatchIndex(text, -1) {
		name := text[at[2]:at[3]]
		if at[0] < kept || secrecyOf(name) == open {
			continue
		}
		end := at[1] + namedEnd(text[at[1]:])
		if !isSecretValue(name, text[at[1]:end]) {
			continue
		}
		out.WriteString(text[kept:at[1]] + Redacted)
		kept = end
	}
	if kept == 0 {
		return text
	}
	out.WriteString(text[kept:])
	return out.String()
}

// namedEnd is where the value ends that a text begins with: a list, a map or a quoted text as a
// whole, and otherwise one word. What does not end goes to the end of the text.
func namedEnd(text string) int {
	list := strings.TrimPrefix(text, "map")
	switch {
	case text == "":
		return 0
	case strings.HasPrefix(list, "["):
		if end := strings.IndexByte(text, ']'); end >= 0 {
			return end + 1
		}
		return len(text)
	case text[0] == '\'' || text[0] == '"':
		for i := 1; i < len(text); i++ {
			switch text[i] {
			case '\\':
				i++
			case text[0]:
				return i + 1
			}
		}
		return len(text)
	}
	if end := strings.IndexAny(text, " \t\n\v\f\r&'\",;)}]"); end >= 0 {
		return end
	}
	return len(text)
}

func containsAny(text string, parts []string) bool {
	for _, part := range parts {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// parameter is what stands in SQL for a value that is sent beside it.
var parameter = regexp.MustCompile(`^(?:\$\d+|\?|:\w+|@\w+)$`)

// isSecretValue reports whether a text that stands beside a name is a secret.
func isSecretValue(name, value string) bool {
	switch says := secrecyOf(name); {
	case says == open, value == "", value == "true", value == "false", parameter.MatchString(value):
		return false
	case says == hidesText:
		return strings.Trim(value, "0123456789.-") != ""
	}
	return true
}

// randomLen is how long 32 random bytes are in URL-safe base64: the secret of an invitation.
const randomLen = 43

// escaped is an escape of a URL (RFC 3986, 2.1) or of a string of JSON (RFC 8259, 7).
var escaped = regexp.MustCompile(`^(?:%[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}|\\[bfnrt])`)

// replaceRandom is a text without words that look like 32 random bytes.
func replaceRandom(text string) string {
	if len(text) < randomLen {
		return text
	}
	var out strings.Builder
	kept := 0
	for i, begin := 0, 0; i <= len(text); i++ {
		if i < len(text) && isBase64(text[i]) {
			continue
		}
		if i-begin == randomLen && isMixed(text[begin:i]) {
			out.WriteString(text[kept:begin] + Redacted)
			kept = i
		}
		if i < len(text) { // the letters of an escape are none of the word behind it
			i += max(len(escaped.FindString(text[i:min(i+6, len(text))]))-1, 0)
		}
		begin = i + 1
	}
	if kept == 0 {
		return text
	}
	out.WriteString(text[kept:])
	return out.String()
}

func isBase64(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}

// isMixed reports whether a text has digits and letters of both cases, as random ones do and
// the names of things seldom.
func isMixed(text string) bool {
	return strings.ContainsAny(text, "0123456789") && strings.ToLower(text) != text && strings.ToUpper(text) != text
}

// field is the name of a field of a JSON object, up to its value. A document that stands in
// a string of another has backslashes in front of its quotes, and more of them the deeper it
// stands.
var field = regexp.MustCompile(`(\\*)"([^"\\]+)(\\*)"\s*:\s*`)

// replaceJSON is a text in which the values of secret fields are out of all JSON, whether it
// is the whole text or somewhere in it.
func replaceJSON(text string) string {
	if !strings.Contains(text, `"`) {
		return text
	}
	var out strings.Builder
	kept := 0
	for _, at := range field.FindAllStringSubmatchIndex(text, -1) {
		if at[0] < kept || at[3]-at[2] != at[7]-at[6] { // in a value that is out already, or no name
			continue
		}
		if name := text[at[4]:at[5]]; !mayHide(name, text[at[1]:]) { // where it ends is of no matter
			continue
		}
		depth := at[3] - at[2]
		end := valueEnd(text[at[1]:], depth) + at[1]
		if !isSecretJSON(text[at[4]:at[5]], text[at[1]:end]) {
			continue
		}
		quote := text[at[2]:at[3]] + `"`
		out.WriteString(text[kept:at[1]])
		out.WriteString(quote + Redacted + quote)
		kept = end
	}
	if kept == 0 {
		return text
	}
	out.WriteString(text[kept:])
	return out.String()
}

// mayHide reports whether a field of the name may be a secret, by what its value begins with.
func mayHide(name, rest string) bool {
	return secrecyOf(name) != open || strings.EqualFold(name, "key") && strings.HasPrefix(strings.TrimLeft(rest, `\`), `"`)
}

// isSecretJSON reports whether a value in JSON is a secret by the name of its field. An empty
// string hides nothing.
func isSecretJSON(name, value string) bool {
	if strings.EqualFold(name, "key") && strings.HasPrefix(strings.TrimLeft(value, `\`), `"`) {
		return strings.Trim(value, `\"`) != ""
	}
	return value != "null" && strings.Trim(value, `\"`) != "" && isSecretValue(name, value)
}

// valueEnd is where the JSON value ends that a text begins with, when its quotes have so many
// backslashes in front of them. One that does not end goes to the end of the text.
func valueEnd(text string, backslashes int) int {
	rest := strings.TrimLeft(text, `\`)
	if rest == "" {
		return len(text)
	}
	switch rest[0] {
	case '"':
		begin := len(text) - len(rest) + 1
		return begin + stringEnd(text[begin:], backslashes)
	case '{', '[':
		return nestedEnd(text, backslashes)
	}
	if end := strings.IndexAny(text, ",}] \t\r\n\\\""); end >= 0 {
		return end
	}
	return len(text)
}

// stringEnd is where a string ends of which the first quote is past. A quote with more
// backslashes in front of it is a part of the string, or ends what is in it; when they are
// of the string's own end and of escaped backslashes before it, their number tells.
func stringEnd(text string, backslashes int) int {
	run := 0
	for i := range len(text) {
		switch text[i] {
		case '\\':
			run++
			continue
		case '"':
			if run >= backslashes && (run-backslashes)/(backslashes+1)%2 == 0 {
				return i + 1
			}
		}
		run = 0
	}
	return len(text)
}

// nestedEnd is where an object or an array ends.
func nestedEnd(text string, backslashes int) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i += stringEnd(text[i+1:], backslashes)
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(text)
}
