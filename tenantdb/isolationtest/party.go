package isolationtest

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// party is a tenant during a check, with what was created for it.
type party struct {
	Tenant
	name    string            // A or B
	word    string            // what the check writes into what it creates
	created map[string]string // ids by collection and by name
	jar     http.CookieJar    // its own, or what one is told would count for the other
}

func newParty(t Tenant, name string) *party {
	jar, _ := cookiejar.New(nil) // which never fails
	return &party{jar: jar, Tenant: t, name: name, word: "iso" + strings.ToLower(name+rand.Text()[:12]), created: make(map[string]string)}
}

// sign makes an ordinary request of the tenant's.
func (p *party) sign(r *http.Request) {
	p.Credential(r)
	if len(p.Names) > 0 {
		p.Names[0].Apply(r)
	}
}

// value is the tenant's value for a slot.
func (p *party) value(s slot) (string, bool) {
	if v, ok := p.created[s.collection]; ok && s.collection != "" {
		return v, true
	}
	if v, ok := p.Params[s.name]; ok {
		return v, true
	}
	v, ok := p.created[s.name]
	return v, ok
}

// ids are all that are known by a name, for places that no route declares.
func (p *party) ids() map[string]string {
	ids := maps.Clone(p.Params)
	if ids == nil {
		ids = make(map[string]string)
	}
	for name, id := range p.created {
		if !strings.HasPrefix(name, "/") {
			ids[name] = id
		}
	}
	return ids
}

// shortest is how long an id must be to be looked for in answers to the other tenant: shorter
// ones are there by chance.
const shortest = 8

// marks are texts that only the tenant itself may see.
func (p *party) marks() []string {
	marks := append([]string{p.word}, p.Marks...)
	for _, ids := range []map[string]string{p.created, p.Params} {
		for _, id := range ids {
			if len(id) >= shortest {
				marks = append(marks, id)
			}
		}
	}
	slices.Sort(marks)
	return slices.Compact(marks)
}

// seen is what of the tenant's shows in an answer, in whatever form, but for what the client
// has sent.
func (p *party) seen(a answer, sent map[string]string) string {
	said := readings(string(a.body))
	for _, values := range a.header {
		for _, value := range values {
			said = append(said, readings(value)...)
		}
	}
	for _, m := range p.marks() {
		if _, own := sent[m]; own || m == "" {
			continue
		}
		for _, spelling := range spellings(m) {
			if slices.ContainsFunc(said, func(text string) bool { return strings.Contains(text, spelling) }) {
				return m
			}
		}
	}
	return ""
}

// idOf finds the id of what was created in an answer. names are how it may be called.
func idOf(a answer, names ...string) (string, error) {
	var document any
	decoder := json.NewDecoder(bytes.NewReader(a.body))
	decoder.UseNumber()
	if decoder.Decode(&document) == nil {
		for _, name := range names {
			switch id := field(document, name).(type) {
			case string:
				if id != "" {
					return id, nil
				}
			case json.Number:
				return id.String(), nil
			}
		}
	}
	if location, err := url.Parse(a.header.Get("Location")); err == nil {
		if id := location.Path[strings.LastIndexByte(location.Path, '/')+1:]; id != "" {
			return id, nil
		}
	}
	return "", fmt.Errorf("its answer has no field %s and no Location: say where the id is in Route.ID", strings.Join(names, ", "))
}

// field is a field of a field of a document; nil when there is none.
func field(document any, path string) any {
	for name := range strings.SplitSeq(path, ".") {
		object, _ := document.(map[string]any)
		document = object[name]
	}
	return document
}

var uuids = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// forge makes a value of the same form that never was: of the same length, with the same kind in
// front (note_…), and of the same alphabet.
func forge(value string) string {
	switch {
	case value != "" && strings.Trim(value, "0123456789") == "":
		return fmt.Sprint(1_900_000_000 + random(200_000_000)) // fits 32 bits
	case uuids.MatchString(value):
		forged := []byte(strings.ToLower(value))
		for i := range forged {
			if forged[i] != '-' && i != 14 && i != 19 { // its version and variant
				forged[i] = "0123456789abcdef"[random(16)]
			}
		}
		return string(forged)
	}
	kept := 0
	if kind := strings.LastIndexByte(value, '_') + 1; len(value)-kind >= shortest {
		kept = kind + 1 // the first character too: that of a ULID is at most 7
	}
	lower, upper := alphabet(value[kept:], 'a'), alphabet(value[kept:], 'A')
	for {
		forged := value[:kept] + strings.Map(func(r rune) rune { return another(r, lower, upper) }, value[kept:])
		if forged != value || !strings.ContainsFunc(value, isAlphanumeric) {
			return forged
		}
	}
}

// alphabet are the letters that may stand in an id, of the case of first: those that do, for an
// id in base 16 with a letter of none is refused for its form. Of too few there is nothing to be
// made, and any may stand there.
func alphabet(id string, first rune) string {
	var all, found strings.Builder
	for r := first; r < first+26; r++ {
		all.WriteRune(r)
		if strings.ContainsRune(id, r) {
			found.WriteRune(r)
		}
	}
	if found.Len() < 3 && !strings.ContainsAny(id, "0123456789") {
		return all.String()
	}
	return found.String()
}

func isAlphanumeric(r rune) bool { return r < 128 && isWordByte(byte(r)) }

// another is another character of the same kind.
func another(r rune, lower, upper string) rune {
	switch {
	case r >= '0' && r <= '9':
		return '0' + rune(random(10))
	case r >= 'a' && r <= 'z':
		return rune(lower[random(int64(len(lower)))])
	case r >= 'A' && r <= 'Z':
		return rune(upper[random(int64(len(upper)))])
	}
	return r
}

func random(n int64) int64 {
	i, err := rand.Int(rand.Reader, big.NewInt(n))
	if err != nil {
		panic(err) // it never fails
	}
	return i.Int64()
}
