package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// quota is GET /v1/quota.
type quota struct {
	Plan   string `json:"plan"`
	Limits []struct {
		Name         string  `json:"name"`
		Limit        int64   `json:"limit"`
		Remaining    int64   `json:"remaining"`
		ResetSeconds float64 `json:"reset_seconds"`
	} `json:"limits"`
	Seats seats `json:"seats"`
}

type seats struct {
	Used  int64 `json:"used"`
	Limit int64 `json:"limit"`
}

// Left is how many more people fit in. It is never below zero, as it is after a move to a
// smaller plan.
func (s seats) Left() int64 { return max(0, s.Limit-s.Used) }

// export is GET /v1/exports/{id}.
type export struct {
	ID     string  `json:"id"`
	Status string  `json:"status"`
	Notes  int     `json:"notes"`
	Result *string `json:"result"`
}

// usage shows what the plan allows and what is left of it.
func (p *page) usage(v *visit) error { return v.showUsage() }

func (v *visit) showUsage() error {
	var q quota
	if err := v.get("/v1/quota", v.session.Tenant, &q); err != nil {
		return err
	}
	data := map[string]any{"Quota": q, "Burst": burstSize}
	if tenant, id, kept := strings.Cut(v.session.Export, " "); kept && tenant == v.session.Tenant {
		data["Export"] = id
	}
	return v.show(http.StatusOK, "usage", "Usage", "usage", data)
}

// meters are the bars alone, which the page's script asks for again and again.
func (p *page) meters(v *visit) error {
	var q quota
	if err := v.get("/v1/quota", v.session.Tenant, &q); err != nil {
		return err
	}
	p.fragment(v.w, "usage", "meters", q)
	return nil
}

// burstSize is how many requests the button sends: more than the free plan has at once.
const burstSize = 25

// burst spends the quota, so that the bars move.
func (p *page) burst(v *visit) error {
	passed, denied := 0, 0
	for range burstSize {
		_, err := v.call(http.MethodGet, "/v1/notes?limit=1", v.session.Tenant, nil, nil)
		told, isRefused := errors.AsType[refused](err)
		switch {
		case err == nil:
			passed++
		case isRefused && told.Status == http.StatusTooManyRequests:
			denied++
		default:
			return err
		}
	}
	if denied == 0 {
		return v.done(fmt.Sprintf("All %d requests passed: the plan has room for more at once. Try it in a tenant on the free plan.", passed), "/web/usage")
	}
	return v.done(fmt.Sprintf("Of %d requests %d passed and %d were over the quota.", burstSize, passed, denied), "/web/usage")
}

// startExport starts a job in the background.
func (p *page) startExport(v *visit) error {
	got, err := v.call(http.MethodPost, "/v1/exports", v.session.Tenant, nil, nil)
	if err != nil {
		return v.again(err, nil, v.showUsage)
	}
	var e export
	if err := got.into(&e); err != nil {
		return err
	}
	v.session.Export = v.session.Tenant + " " + e.ID
	return v.done("The export has begun.", "/web/exports/"+url.PathEscape(e.ID))
}

// export shows how far an export is.
func (p *page) export(v *visit) error {
	e, err := v.export()
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "export", "Export", "usage", e)
}

// exportProgress is the part that changes, which the page's script asks for.
func (p *page) exportProgress(v *visit) error {
	e, err := v.export()
	if err != nil {
		return err
	}
	p.fragment(v.w, "export", "progress", e)
	return nil
}

func (v *visit) export() (e export, err error) {
	err = v.get("/v1/exports/"+v.id(), v.session.Tenant, &e)
	return e, err
}

// download is the result as a file.
func (p *page) download(v *visit) error {
	e, err := v.export()
	if err != nil {
		return err
	}
	if e.Result == nil {
		return refuse(http.StatusNotFound, "not_found", "the export has no result yet")
	}
	h := v.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Disposition", `attachment; filename="notes-of-`+v.session.Tenant+`.json"`)
	_, err = io.WriteString(v.w, *e.Result)
	return err
}

// maxPreview is how much of a result is shown, in bytes. The rest is in the file.
const maxPreview = 8 << 10

// Preview is the beginning of the result, for people to read.
func (e export) Preview() string {
	if e.Result == nil {
		return ""
	}
	if len(*e.Result) > maxPreview {
		return strings.ToValidUTF8((*e.Result)[:maxPreview], "") + "…"
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, []byte(*e.Result), "", "  "); err != nil {
		return *e.Result
	}
	return indented.String()
}

// Size is how long the result is, in bytes.
func (e export) Size() int {
	if e.Result == nil {
		return 0
	}
	return len(*e.Result)
}
