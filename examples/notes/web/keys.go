package web

import (
	"net/http"
	"time"
)

type apiKey struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Scopes     []string   `json:"scopes"`
	Key        string     `json:"key"` // once, when it is made
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  *time.Time `json:"expires_at"`
	LastUsedAt *time.Time `json:"last_used_at"`
	RevokedAt  *time.Time `json:"revoked_at"`
}

// keys lists the tenant's API keys.
func (p *page) keys(v *visit) error { return v.showKeys(http.StatusOK, nil) }

// showKeys shows the list, and above it a key that has just been made: it can't be shown
// again, so it is not redirected away.
func (v *visit) showKeys(status int, made *apiKey) error {
	var got struct {
		Keys []apiKey `json:"api_keys"`
	}
	if err := v.get("/v1/api-keys", v.session.Tenant, &got); err != nil {
		if made == nil {
			return err
		}
		got.Keys = nil // the key is shown now or never
	}
	return v.show(status, "keys", "API keys", "keys", map[string]any{
		"Keys": partOf(v, "/web/keys", "keys", got.Keys), "Made": made, "Origin": v.origin(),
	})
}

func (p *page) createKey(v *visit) error {
	want := map[string]any{"name": v.field("name"), "scopes": append([]string{}, v.r.PostForm["scopes"]...)}
	if life, err := time.ParseDuration(v.field("expires_at")); err == nil && life > 0 {
		want["expires_at"] = time.Now().Add(life).UTC().Truncate(time.Second)
	}
	return v.makeKey("/v1/api-keys", want, []string{"name", "scopes", "expires_at"})
}

// rotateKey makes a key in the place of another, which works on for the overlap.
func (p *page) rotateKey(v *visit) error {
	return v.makeKey("/v1/api-keys/"+v.id()+"/rotate", map[string]any{"overlap": v.field("overlap")}, nil)
}

func (v *visit) makeKey(path string, want any, fields []string) error {
	got, err := v.call(http.MethodPost, path, v.session.Tenant, want, nil)
	if err != nil {
		return v.again(err, fields, func() error { return v.showKeys(http.StatusOK, nil) })
	}
	var made apiKey
	if err := got.into(&made); err != nil {
		return err
	}
	return v.showKeys(http.StatusCreated, &made)
}

func (p *page) revokeKey(v *visit) error {
	if err := v.send(http.MethodDelete, "/v1/api-keys/"+v.id(), nil); err != nil {
		return v.again(err, nil, func() error { return v.showKeys(http.StatusOK, nil) })
	}
	return v.done("Revoked. It is refused from now on.", "/web/keys")
}

// origin is where the browser has found the service, for a command that a person copies.
func (v *visit) origin() string {
	if v.page.cfg.Secure {
		return "https://" + v.r.Host
	}
	return "http://" + v.r.Host
}
