package web

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// attempt is one try to get at another tenant, and what came of it.
type attempt struct {
	attack
	Request string // what was sent, the credential cut short
	Status  int
	Code    string
	Detail  string
	Refused bool
}

// attack is a request that must not be answered with anything of the other tenant.
type attack struct {
	Name string
	Idea string // what an attacker hopes for
	Wall string // why it is in vain
	call call
}

// attacked is what the panel shows.
type attacked struct {
	Other    string
	Control  *attempt // the same note, asked for by a member of its tenant: it is there
	Attempts []attempt
	Refused  int
}

// attack explains the panel.
func (p *page) attack(v *visit) error {
	other, err := v.victim()
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "attack", "Attack", "attack", attacked{Other: other.name})
}

// runAttack tries, and shows what the service has answered.
func (p *page) runAttack(v *visit) error {
	other, err := v.victim()
	if err != nil {
		return err
	}
	shown := attacked{Other: other.name}
	if shown.Control, err = v.control(other); err != nil {
		return err
	}
	attacks, err := v.attacks(other)
	if err != nil {
		return err
	}
	for _, a := range attacks {
		came, err := v.try(a)
		if err != nil {
			return err
		}
		if came.Refused {
			shown.Refused++
		}
		shown.Attempts = append(shown.Attempts, came)
	}
	return v.show(http.StatusOK, "attack", "Attack", "attack", shown)
}

// victim is another tenant, and one of its notes.
type victim struct{ slug, name, id, note, email, token string }

// victim finds a tenant to attack. The demonstration looks at it with the eyes of an account
// there, for a guess at a note's id would prove nothing.
func (v *visit) victim() (victim, error) {
	at := slices.IndexFunc(v.page.cfg.Accounts, func(a Account) bool { return a.Tenant != "" && a.Tenant != v.session.Tenant })
	if at < 0 {
		return victim{}, refuse(http.StatusNotFound, "not_found", "there is no other tenant of the demonstration to attack")
	}
	account := v.page.cfg.Accounts[at]
	eyes := &visit{page: v.page, w: v.w, r: v.r}
	if err := eyes.signIn(account.Email); err != nil {
		return victim{}, err
	}
	found := victim{slug: account.Tenant, email: eyes.session.Email, token: eyes.session.Token}
	var list struct {
		Notes []note `json:"notes"`
	}
	if err := eyes.get("/v1/notes?limit=1", account.Tenant, &list); err != nil {
		return victim{}, err
	}
	if len(list.Notes) > 0 {
		found.note = list.Notes[0].ID
	}
	var there struct{ Tenant tenantName }
	if err := eyes.get("/v1/me", account.Tenant, &there); err != nil {
		return victim{}, err
	}
	found.id, found.name = there.Tenant.ID, there.Tenant.Name
	return found, nil
}

// control asks for the note as a member of its tenant, so that it is seen that there is
// something to steal; nil when the other tenant has no notes.
func (v *visit) control(other victim) (*attempt, error) {
	if other.note == "" {
		return nil, nil //nolint:nilnil // there is nothing to show, and nothing has failed
	}
	came, err := v.try(attack{
		Name: "First, the rightful way",
		Idea: other.email + " belongs to " + other.name + " and reads one of its notes. So the note is there, and this is its true id.",
		call: call{method: http.MethodGet, path: "/v1/notes/" + other.note, token: other.token, tenant: other.slug},
	})
	return &came, err
}

// neverWas is the id of no note.
const neverWas = "00000000-0000-7000-8000-000000000000"

// attacks are made with a token for the user's own tenant.
func (v *visit) attacks(other victim) ([]attack, error) {
	got, err := v.call(http.MethodPost, "/v1/switch", "", map[string]string{"tenant": v.session.Tenant}, nil)
	if err != nil {
		return nil, err
	}
	var own struct{ Token string }
	if err := got.into(&own); err != nil {
		return nil, err
	}
	forged, err := forge(own.Token, other.id)
	if err != nil {
		return nil, err
	}
	in, _ := v.membership()
	mine := in.Tenant.Name
	return []attack{
		{
			"The other tenant’s note id", "Ask for that note by its true id, with my own token for " + mine + ". Many services look a row up by its id alone, and forget to ask whose it is.",
			"The statement runs as " + mine + "’s own role in " + mine + "’s own schema. The note’s row is not filtered out there: PostgreSQL does not let that role see the table it is in.",
			call{method: http.MethodGet, path: "/v1/notes/" + cmp.Or(other.note, neverWas), token: own.Token},
		},
		{
			"An id that never was", "Ask for an id that nobody has, and compare: a different answer would tell which ids exist elsewhere.",
			"It is the same answer as the one above. Even that a note exists is not to be learnt.",
			call{method: http.MethodGet, path: "/v1/notes/" + neverWas, token: own.Token},
		},
		{
			"A conflicting header", "Name my tenant in the path and the other one in a header, and hope that one part of the service checks the first and another part acts on the second.",
			"Host, path, header and credential are all asked. When two of them name different tenants, the request is refused before anything is looked up for it.",
			call{method: http.MethodGet, path: "/t/" + v.session.Tenant + "/v1/notes", token: v.session.Token, tenant: other.slug},
		},
		{
			"The other tenant’s name", "Name the other tenant in the header, with a token that was made for mine.",
			"A header names a tenant and authorises nothing. A token is good for the tenant that it was made for, and for no other, even where its user belongs to both.",
			call{method: http.MethodGet, path: "/v1/notes", token: own.Token, tenant: other.slug},
		},
		{
			"A forged token", "Write the other tenant’s id into my token, and leave its signature as it was.",
			"The signature is over the tenant’s id too, and only the service’s private key can make one. One changed byte, and the token is nobody’s.",
			call{method: http.MethodGet, path: "/v1/notes", token: forged},
		},
		{
			"A token without a signature", "Say in the token’s own head that it needs no signature (“alg”: “none”).",
			"The service knows which algorithm it signs with, and does not ask the token.",
			call{method: http.MethodGet, path: "/v1/notes", token: unsigned(forged)},
		},
	}, nil
}

// try makes an attack.
func (v *visit) try(a attack) (attempt, error) {
	answered, err := v.page.api.do(v.r, a.call)
	if err != nil {
		return attempt{}, err
	}
	told, isRefused := answered.failed()
	return attempt{
		attack: a, Request: a.call.text(), Status: answered.Status,
		Code: string(told.Code), Detail: told.Detail, Refused: isRefused,
	}, nil
}

// text is a call as it goes over the wire. Of the credential it shows what it is.
func (c call) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", c.method, c.path)
	if c.tenant != "" {
		fmt.Fprintf(&b, "X-Tenant-Slug: %s\n", c.tenant)
	}
	fmt.Fprintf(&b, "Authorization: Bearer %.12s…\n", c.token)
	return b.String()
}

// forge is a token with another tenant in it. Nobody can sign it.
func forge(token, tenantID string) (string, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", fmt.Errorf("web: a token has %d parts", len(parts))
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", err
	}
	var claims map[string]any
	if err := json.Unmarshal(text, &claims); err != nil {
		return "", err
	}
	claims["tid"] = tenantID
	if text, err = json.Marshal(claims); err != nil {
		return "", err
	}
	parts[1] = base64.RawURLEncoding.EncodeToString(text)
	return strings.Join(parts, "."), nil
}

// unsigned is a token that claims to need no signature.
func unsigned(token string) string {
	parts := strings.Split(token, ".")
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + parts[1] + "."
}
