package web

import (
	"bytes"
	"html/template"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// functions are what templates may call beside html/template's own.
var functions = template.FuncMap{
	"date":     func(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04") + " UTC" },
	"machine":  func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"sentence": sentence,
	"excerpt":  excerpt,
	"quarter":  func(n int64) int64 { return n / 4 },
}

var newlines = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// sentence is what the API says, which begins small and has no full stop, as a sentence.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	first, size := utf8.DecodeRuneInString(text)
	text = string(unicode.ToUpper(first)) + text[size:]
	if strings.ContainsRune(".!?", rune(text[len(text)-1])) {
		return text
	}
	return text + "."
}

// maxExcerpt is how much of a note its list shows, in characters.
const maxExcerpt = 280

// excerpt is the beginning of a text.
func excerpt(text string) string {
	characters := 0
	for at := range text {
		if characters == maxExcerpt {
			return strings.TrimSpace(text[:at]) + "…"
		}
		characters++
	}
	return text
}

// view is what the layout shows. Data is the page's own.
type view struct {
	Title    string
	Tab      string // of the navigation; empty for none
	SignedIn bool
	Me       me
	Tenant   string // slug
	Name     string // of the tenant
	Role     string
	Flash    string
	Refused  bool     // whether the form that was sent was
	Refusal  *failure // why, told above the page; nil when a field tells it
	Form     form
	Accounts []Account
	Data     any
}

// Writes reports whether the role may write notes, and Manages whether it may manage people and keys.
func (v view) Writes() bool  { return rank(v.Role) >= rank("member") }
func (v view) Manages() bool { return rank(v.Role) >= rank("admin") }

// show renders a page. After a form that was refused it has the status of the refusal.
func (v *visit) show(status int, name, title, tab string, data any) error {
	out := v.view(title, tab, data)
	if out.Flash != "" { // said once
		v.session.Flash = ""
		if err := v.page.sessions.write(v.w, v.session); err != nil {
			return err
		}
	}
	if v.refusal != nil {
		status = v.refusal.Status
		if v.refusal.RetryAfter != "" {
			v.w.Header().Set("Retry-After", v.refusal.RetryAfter)
		}
	}
	v.page.render(v.w, status, name, out)
	return nil
}

func (v *visit) view(title, tab string, data any) view {
	in, _ := v.membership()
	out := view{
		Title: title, Tab: tab, SignedIn: v.session.Email != "", Me: v.me,
		Tenant: v.session.Tenant, Name: in.Tenant.Name, Role: in.Role,
		Flash: v.session.Flash, Refused: v.refusal != nil, Form: v.form, Accounts: v.page.cfg.Accounts, Data: data,
	}
	if v.form.marked == "" {
		out.Refusal = v.refusal
	}
	return out
}

// render writes a page, or nothing of it when it can't be made.
func (p *page) render(w http.ResponseWriter, status int, name string, out view) {
	p.execute(w, status, name, "layout", out)
}

// fragment writes a part of a page, for the page's script to put in the place of what it shows.
func (p *page) fragment(w http.ResponseWriter, name, part string, data any) {
	p.execute(w, http.StatusOK, name, part, data)
}

func (p *page) execute(w http.ResponseWriter, status int, name, part string, data any) {
	var body bytes.Buffer
	if err := p.templates["templates/page_"+name+".html"].ExecuteTemplate(&body, part, data); err != nil {
		panic(err) // the templates are part of the program; tests render each
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // a client that has gone is told nothing
}
