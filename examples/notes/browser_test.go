package main

import (
	"context"
	_ "embed" // of the audit
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdp "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// screenshots is where what the browser saw is put, for a person to look at.
const screenshots = "screenshots"

// browser is a tab of a headless Chromium, as fresh as one of a new user.
type browser struct {
	t   testing.TB
	ctx context.Context
	url string

	mu         sync.Mutex
	complaints []string // of scripts and of the Content-Security-Policy, and what a script says in a dialog
}

// openBrowser starts Chromium. Without one the test is skipped: scripts/setup installs it
// where it knows how.
func openBrowser(t testing.TB, url string) *browser {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("there is no Chromium; make setup installs it on Debian")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.WindowSize(1280, 800))
	if os.Geteuid() == 0 {
		opts = append(opts, chromedp.NoSandbox) // Chromium refuses to be root in a sandbox
	}
	process, stop := chromedp.NewExecAllocator(context.Background(), opts...)
	t.Cleanup(stop)
	tab, closeTab := chromedp.NewContext(process)
	t.Cleanup(closeTab)
	limited, cancel := context.WithTimeout(tab, 4*time.Minute)
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: limited, url: url}
	_, err := chromedp.Call(b.ctx, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	require.NoError(t, err, "have the tab in front")
	go b.hear(chromedp.Console(limited))
	go b.confirm(chromedp.Events(limited, cdp.JavascriptDialogOpening))
	return b
}

// hear keeps what a page that works does not write to the console. An answer that refuses
// something is told there too, and is no complaint.
func (b *browser) hear(messages func(func(chromedp.ConsoleMessage, error) bool)) {
	for m, err := range messages {
		if err != nil {
			return
		}
		bad := m.Type == chromedp.ConsoleError || m.Type == chromedp.ConsoleException
		if bad && !strings.Contains(m.Text, "the server responded with a status of 4") {
			b.complain(m.String())
		}
	}
}

// confirm agrees to what the page asks. Anything but a question is a script's that got in.
func (b *browser) confirm(dialogs func(func(cdp.EventJavascriptDialogOpening, error) bool)) {
	for dialog, err := range dialogs {
		if err != nil {
			return
		}
		if dialog.Type != "confirm" {
			b.complain("a dialog: " + dialog.Message)
		}
		_, _ = chromedp.Call(b.ctx, cdp.HandleJavaScriptDialog, cdp.HandleJavaScriptDialogParams{Accept: true})
	}
}

func (b *browser) complain(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.complaints = append(b.complaints, text)
}

// noComplaints demands that no script failed and nothing was blocked.
func (b *browser) noComplaints() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	assert.Empty(b.t, b.complaints)
}

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	require.NoError(b.t, chromedp.Do(b.ctx, steps...))
}

func (b *browser) open(path string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.url + path))
}

// press clicks what an XPath leads to, and waits for the page that follows.
func (b *browser) press(path string) {
	b.t.Helper()
	_, err := chromedp.RunResponse(b.ctx, chromedp.Click(path, chromedp.NodeVisible))
	require.NoError(b.t, err, "press %s", path)
}

// switchTo chooses another tenant, as without a script: by the list and the button.
func (b *browser) switchTo(slug string) {
	b.t.Helper()
	b.do(chromedp.SetValue(chromedp.ID("tenant"), slug))
	b.press(`//button[text()="Switch"]`)
}

func (b *browser) fill(field, text string) {
	b.t.Helper()
	b.do(chromedp.SetValue(chromedp.ID(field), text, chromedp.NodeVisible))
}

// value is what a field holds.
func (b *browser) value(field string) string {
	b.t.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Value(chromedp.ID(field)))
	require.NoError(b.t, err, "read %s", field)
	return value
}

// text is what a person reads in an element.
func (b *browser) text(element string) string {
	b.t.Helper()
	text, err := chromedp.Run(b.ctx, chromedp.Text(chromedp.CSS(element), chromedp.NodeVisible))
	require.NoError(b.t, err, "read %s", element)
	return text
}

func (b *browser) see(texts ...string) {
	b.t.Helper()
	main := b.text("main")
	for _, text := range texts {
		assert.Contains(b.t, main, text)
	}
}

func (b *browser) seeNot(texts ...string) {
	b.t.Helper()
	main := b.text("main")
	for _, text := range texts {
		assert.NotContains(b.t, main, text)
	}
}

// await waits until an element has one of some texts, which a script brings.
func (b *browser) await(element string, texts ...string) {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		has := b.text(element)
		return slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(has, text) })
	}, 20*time.Second, 100*time.Millisecond, "%s never has %q", element, texts)
}

// eval is what an expression of JavaScript comes to.
func eval[T any](b *browser, expression string) T {
	b.t.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	require.NoError(b.t, err, "%s", expression)
	return value
}

// hasFocus demands that the element with an id has the focus, or one without an id whose
// text begins with that line. It waits: a field with autofocus gets it when the browser first
// draws the page, which may be after the page has loaded (HTML, 6.6.7).
func (b *browser) hasFocus(idOrLine string) {
	b.t.Helper()
	var has string
	for began := time.Now(); time.Since(began) < 20*time.Second; time.Sleep(50 * time.Millisecond) {
		has = eval[string](b, `document.activeElement.id || document.activeElement.innerText.trim().split("\n")[0]`)
		if has == idOrLine {
			return
		}
	}
	assert.Equal(b.t, idOrLine, has, "the focus")
}

// audit finds what can't be read, reached or touched on a page.
//
//go:embed testdata/audit.js
var audit string

// shoot audits the page as on a desk, a tablet and a phone, in light and in dark, and takes
// pictures of the whole of it: of two of these, for they take long, or of each for whoever
// sets NOTES_SCREENSHOTS to all.
func (b *browser) shoot(name string) {
	b.t.Helper()
	require.NoError(b.t, os.MkdirAll(screenshots, 0o755))
	for _, width := range []int64{375, 768, 1280} {
		b.do(chromedp.EmulateViewport(width, 800))
		for _, scheme := range []string{"light", "dark"} {
			_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
			})
			require.NoError(b.t, err)
			as := fmt.Sprintf("%s-%d-%s", name, width, scheme)
			assert.Empty(b.t, eval[[]string](b, audit), as)
			if os.Getenv("NOTES_SCREENSHOTS") != "all" && (width == 768 || (width == 375) == (scheme == "light")) {
				continue
			}
			png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
			require.NoError(b.t, err)
			require.NoError(b.t, os.WriteFile(filepath.Join(screenshots, as+".png"), png, 0o644))
		}
	}
}
