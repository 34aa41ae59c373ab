package isolationtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ignored are fields and headers that differ between any two answers.
var ignored = [...]string{
	"request_id", "requestid", "instance", "trace_id", "traceid", "correlation_id", "timestamp",
	"date", "age", "content-length", "x-request-id", "x-correlation-id", "x-trace-id", "traceparent", "tracestate", "server-timing",
	"ratelimit", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset",
}

// times are written by services that say when they answered, in the forms of RFC 3339 and of
// HTTP (RFC 9110, 5.6.7).
var times = regexp.MustCompile(`\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:?\d{2})?|[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT`)

// view is an answer as a list of what it says, each with its place, such as $.errors[0].
// What the client itself has sent stands there by its name.
type view map[string]string

// status is the place of the status.
const statusPlace = "status"

// viewOf reads an answer. sent are the values that the client has sent, with their names.
func (c *checker) viewOf(a answer, sent map[string]string) view {
	v := view{statusPlace: strconv.Itoa(a.status)}
	normal := func(s string) string { return replaceWords(times.ReplaceAllString(s, "{time}"), sent) }
	for name, values := range a.header {
		if !c.ignores(name) {
			v["header "+name] = normal(strings.Join(values, ", "))
		}
	}
	var document any
	decoder := json.NewDecoder(bytes.NewReader(a.body))
	decoder.UseNumber()
	if decoder.Decode(&document) != nil || decoder.Decode(new(any)) != io.EOF {
		v["body"] = normal(string(a.body))
		return v
	}
	c.flatten(v, "$", document, normal)
	return v
}

func (c *checker) flatten(v view, place string, value any, normal func(string) string) {
	switch value := value.(type) {
	case map[string]any:
		v[place] = "{}"
		for name, field := range value {
			if !c.ignores(name) {
				c.flatten(v, place+"."+normal(name), field, normal)
			}
		}
	case []any:
		v[place] = fmt.Sprintf("[%d]", len(value))
		for i, element := range value {
			c.flatten(v, fmt.Sprintf("%s[%d]", place, i), element, normal)
		}
	default:
		v[place] = normal(fmt.Sprint(value))
	}
}

func (c *checker) ignores(name string) bool {
	same := func(other string) bool { return strings.EqualFold(name, other) }
	return slices.ContainsFunc(ignored[:], same) || slices.ContainsFunc(c.cfg.Ignore, same)
}

// noise are the places where two views of the same thing differ.
func noise(a, b view) map[string]bool {
	found := make(map[string]bool)
	for _, place := range places(a, b) {
		one, inOne := a[place]
		two, inTwo := b[place]
		if one != two || inOne != inTwo {
			found[place] = true
		}
	}
	return found
}

// difference tells where got is not what was expected, but for what is noise, or is empty.
func difference(got, want view, noise map[string]bool) string {
	var told []string
	for _, place := range places(got, want) {
		one, inOne := got[place]
		two, inTwo := want[place]
		switch {
		case noise[place] || one == two && inOne == inTwo:
			continue
		case !inTwo:
			told = append(told, fmt.Sprintf("%s is %s, and is not there otherwise", place, short(one)))
		case !inOne:
			told = append(told, fmt.Sprintf("%s is not there, and is %s otherwise", place, short(two)))
		default:
			told = append(told, fmt.Sprintf("%s is %s, and %s otherwise", place, short(one), short(two)))
		}
	}
	if len(told) > 3 {
		told = append(told[:3], fmt.Sprintf("and %d differences more", len(told)-3))
	}
	return strings.Join(told, "; ")
}

// places are those of both views, with the status first.
func places(a, b view) []string {
	all := make(map[string]bool)
	for _, v := range []view{a, b} {
		for place := range v {
			all[place] = true
		}
	}
	delete(all, statusPlace)
	return append([]string{statusPlace}, slices.Sorted(maps.Keys(all))...)
}

func short(s string) string { return shortTo(80, s) }

func shortTo(most int, s string) string {
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strconv.Quote(s)
}

// replaceWords puts names in the place of values, where a value stands as a word of its own:
// an id may be as short as 7.
func replaceWords(s string, names map[string]string) string {
	values := slices.SortedFunc(maps.Keys(names), func(a, b string) int { return len(b) - len(a) })
	for _, value := range values {
		s = replaceWord(s, value, "{"+names[value]+"}")
	}
	return s
}

func replaceWord(s, word, with string) string {
	if word == "" {
		return s
	}
	var out strings.Builder
	done := 0 // s up to here is in out
	for {
		at := strings.Index(s[done:], word)
		if at < 0 {
			out.WriteString(s[done:])
			return out.String()
		}
		at += done
		end := at + len(word)
		out.WriteString(s[done:at])
		if at > 0 && isWordByte(s[at-1]) || end < len(s) && isWordByte(s[end]) {
			out.WriteString(word)
		} else {
			out.WriteString(with)
		}
		done = end
	}
}

func isWordByte(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}
