package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/invite"
)

// enter signs somebody in on the page.
func (b *browser) enter(p person) {
	b.t.Helper()
	b.open("/")
	b.fill("email", p.Email)
	b.press(`//button[text()="Sign in"]`)
}

func TestRefusedFormKeepsWhatWasTypedAndPutsTheFocusWhereItIsWrong(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	b := openBrowser(t, a.url)
	who := a.newPerson(t)
	b.enter(who)
	b.see("You belong to no tenant yet")
	b.fill("name", "Gamma Works")
	b.do(chromedp.Evaluate[chromedp.Void](`document.getElementById("slug").removeAttribute("pattern")`))
	b.fill("slug", "Gamma Works")
	b.press(`//button[text()="Make the tenant"]`)
	b.hasFocus("slug")
	assert.Equal(t, "Gamma Works", b.value("name"))
	assert.Equal(t, "Gamma Works", b.value("slug"))
	b.shoot("20-welcome-refused")

	slug := newSlug()
	b.fill("slug", slug)
	b.press(`//button[text()="Make the tenant"]`)
	b.see("Made Gamma Works. You are its owner.", "There are no notes yet")
	b.shoot("21-no-notes")

	body := strings.Repeat("Donaudampfschifffahrtsgesellschaftskapitän ", 250) // more than 10,000 characters
	b.fill("title", strings.Repeat("x", 201))
	b.fill("body", body)
	b.press(`//button[text()="Write"]`)
	b.hasFocus("title")
	assert.Equal(t, body, b.value("body"))
	b.see("There are no notes yet")
	b.shoot("22-note-refused")
	b.fill("title", strings.Repeat("Donaudampfschifffahrt", 9))
	b.press(`//button[text()="Write"]`)
	b.see("Written.", "Donaudampfschifffahrt")

	b.do(chromedp.Click("summary"))
	const rightToLeft = "ملاحظة من العميل 42"
	b.fill("title", rightToLeft)
	b.fill("body", "\n\nסוף\nend")
	b.press(`//button[text()="Write"]`)
	b.shoot("23-long-words-and-right-to-left")
	assert.Equal(t, "rtl", eval[string](b, `getComputedStyle(document.querySelector(".list h2")).direction`))
	b.press(`//a[text()="` + rightToLeft + `"]`)
	assert.Equal(t, "\n\nסוף\nend", b.value("body"), "with the empty lines that it begins with")

	in := tenantView{}
	for _, m := range as[meView](t, a.do(t, request{method: "GET", path: "/v1/me", token: who.token}), 200).Memberships {
		in.ID, in.Slug = m.Tenant.ID, m.Tenant.Slug
	}
	stored := a.notesOf(t, in, who)[0]
	assert.Equal(t, "\n\nסוף\nend", stored.Body)
	_ = a.do(t, request{
		method: "PATCH", path: "/v1/notes/" + stored.ID, token: who.token, header: headers("X-Tenant-Slug", slug),
		body: jsonOf(t, map[string]string{"body": "somebody else was faster"}),
	})
	b.fill("body", "mine")
	b.press(`//button[text()="Save"]`)
	b.see("Not saved. Somebody else has changed the note since you opened it.", "somebody else was faster")
	assert.Equal(t, "mine", b.value("body"))
	b.shoot("24-overtaken")
	b.press(`//button[text()="Save mine over it"]`)
	b.see("Saved.", "mine")

	b.open("/web/people")
	b.fill("email", "nobody@")
	b.do(chromedp.Evaluate[chromedp.Void](`document.getElementById("email").form.noValidate = true`))
	b.press(`//button[text()="Invite"]`)
	b.hasFocus("email")
	assert.Equal(t, "nobody@", b.value("email"))
	b.shoot("25-invite-refused")
	b.do(chromedp.SetValue("select[id^=role-]", "viewer"))
	b.press(`//button[text()="Change"]`)
	b.see("A tenant keeps at least one owner: make another member an owner first.", "409 last_owner")
	b.hasFocus("Last owner. A tenant keeps at least one owner: make another member an owner first.")
	b.shoot("26-last-owner")

	b.open("/web/keys")
	b.do(chromedp.SetValue(chromedp.ID("name"), strings.Repeat("n", 101)))
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("input[value='notes:write']").checked = true`))
	b.press(`//button[text()="Make a key"]`)
	b.hasFocus("name")
	assert.True(t, eval[bool](b, `document.querySelector("input[value='notes:write']").checked`))
	b.shoot("27-key-refused")

	b.open("/web/nowhere")
	b.see("404 not_found")
	b.shoot("28-not-found")
	b.noComplaints()
}

func TestPageIsUsedWithTheKeyboardAlone(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	who := a.newPerson(t)
	first, second := a.newTenant(t, who), a.newTenant(t, who)
	a.write(t, second, who, "a note of the second")
	b := openBrowser(t, a.url)
	tab := func(times int) {
		for range times {
			b.do(chromedp.KeyEvent(kb.Tab))
		}
	}
	enter := func() {
		_, err := chromedp.RunResponse(b.ctx, chromedp.KeyEvent(kb.Enter))
		require.NoError(t, err)
	}

	b.open("/")
	tab(1)
	b.hasFocus("Skip to content")
	b.do(chromedp.KeyEvent(kb.Enter))
	b.hasFocus("main")
	tab(len(demoAccounts()) + 1)
	b.hasFocus("email") // what was skipped is not come by
	b.do(chromedp.KeyEvent(who.Email))
	enter()
	b.see("Signed in as " + who.Email)

	at := func() string {
		return eval[string](b, `document.querySelector("#tenant").selectedOptions[0].value`)
	}
	now, other := first, second
	if at() == string(second.Slug) {
		now, other = second, first
	}
	tab(3)
	b.hasFocus("tenant")
	key := kb.ArrowDown
	if eval[int](b, `document.querySelector("#tenant").selectedIndex`) == 1 {
		key = kb.ArrowUp
	}
	b.do(chromedp.KeyEvent(key))
	assert.Equal(t, string(other.Slug), at())
	b.see("Signed in as") // it is no surprise that arrows leave the page alone
	tab(1)
	b.hasFocus("Switch")
	enter()
	b.see("You are in ")
	assert.Equal(t, string(other.Slug), at())
	assert.NotEqual(t, now.Slug, other.Slug)
	b.noComplaints()
}

func TestPagesOfLongListsAreLinked(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	who := a.newPerson(t)
	in := a.newTenant(t, who)
	for i := range 45 {
		a.write(t, in, who, fmt.Sprintf("note %02d", i))
	}
	viewer := a.newPerson(t)
	a.join(t, in, viewer, invite.RoleViewer)
	b := openBrowser(t, a.url)
	b.enter(who)
	b.see("note 44", "note 25")
	b.seeNot("note 24")
	b.press(`//a[text()="Older →"]`)
	b.see("note 24", "note 05")
	b.seeNot("note 25", "note 04")
	b.shoot("30-second-page")
	b.press(`//a[text()="Older →"]`)
	b.see("note 04", "note 00")
	b.seeNot("Older")
	b.press(`//a[text()="← Newest"]`)
	b.see("note 44")
	b.open("/web/notes?q=nothing+like+it")
	b.see("No note has “nothing like it” in it.")
	b.shoot("31-nothing-found")
	b.press(`//button[text()="Sign out"]`)

	b.enter(viewer)
	b.see("note 44", "You are a viewer here")
	b.seeNot("New note")
	b.press(`//a[text()="API keys"]`)
	b.see("403 forbidden", "your role in this tenant")
	b.shoot("32-forbidden")
	b.noComplaints()
}

func TestBarsMoveAndKeepTheirPlace(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	who := a.newPerson(t)
	in := a.newTenant(t, who)
	b := openBrowser(t, a.url)
	b.enter(who)
	b.open("/web/usage")
	seats := func() float64 { return eval[float64](b, `[...document.querySelectorAll("meter")].at(-1).value`) }
	assert.InDelta(t, 2, seats(), 0)
	b.do(chromedp.Evaluate[chromedp.Void](`[...document.querySelectorAll("meter")].at(-1).seen = true`))
	a.join(t, in, a.newPerson(t), invite.RoleMember)
	require.Eventually(t, func() bool { return seats() == 1 }, 20*time.Second, 100*time.Millisecond, "the bar never moves")
	assert.True(t, eval[bool](b, `[...document.querySelectorAll("meter")].at(-1).seen`), "it is another one, and has lost the focus")
	b.noComplaints()
}

func TestQuotaThatIsUsedUpIsToldAndLosesNothing(t *testing.T) {
	t.Parallel()
	slow := plans()
	slow[0].Rates[0].Limit, slow[0].Rates[0].Per, slow[0].Rates[0].Burst = 1, time.Hour, 10 // it does not fill up while the test runs
	a, _ := startOn(t, startServer(t), slog.New(slog.DiscardHandler), config{demo: true, plans: slow, temporal: onTemporal(t)})
	b := openBrowser(t, a.url)
	who := a.newPerson(t)
	in := a.newTenant(t, who)
	b.enter(who)
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("details").open = true`))
	b.fill("title", "kept")
	b.fill("body", "word for word")
	for a.list(t, in, who).status == http.StatusOK {
		continue
	}
	b.press(`//button[text()="Write"]`)
	b.see("429 quota_exceeded", "What you typed is kept")
	assert.Equal(t, "kept", b.value("kept-0"))
	assert.Equal(t, "word for word", b.value("kept-1"))
	b.shoot("33-quota")
	b.noComplaints()
}

func TestPageWorksWithoutScripts(t *testing.T) {
	t.Parallel()
	a := startAPI(t)
	b := openBrowser(t, a.url)
	_, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	require.NoError(t, err)
	who := a.newPerson(t)
	first, second := a.newTenant(t, who), a.newTenant(t, who)
	b.enter(who)
	b.open("/web/usage")
	b.see("Look again")
	for _, in := range []tenantView{second, first} {
		b.switchTo(string(in.Slug))
		b.see("You are in "+in.Name+" now.", "Usage")
	}
	b.press(`//button[text()="Export the notes"]`)
	require.Eventually(t, func() bool {
		b.do(chromedp.Reload())
		return strings.Contains(b.text("main"), "The export is done: 0 notes.")
	}, 20*time.Second, 300*time.Millisecond)
}
