package main

import (
	"net/http"
	"net/url"
	"slices"
	"sync"

	"github.com/tenantwall/tenantwall/invite"
)

// maxOutbox is how many mails the demonstration keeps, the newest ones.
const maxOutbox = 1000

// outbox keeps the mails of the demonstration, in this process's memory, where whoever
// tries it reads them. It is for that alone: its mails have the secrets of invitations.
type outbox struct {
	mu    sync.Mutex
	mails []message // the oldest first
}

func (o *outbox) add(m message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.mails) == maxOutbox {
		o.mails = slices.Delete(o.mails, 0, 1)
	}
	o.mails = append(o.mails, m)
}

// to are the mails to an address in canonical form, or all of them if it is empty, the
// newest first.
func (o *outbox) to(email string) []message {
	o.mu.Lock()
	defer o.mu.Unlock()
	mails := []message{}
	for _, m := range slices.Backward(o.mails) {
		if email == "" || m.To == email {
			mails = append(mails, m)
		}
	}
	return mails
}

// showOutbox lists the mails that the demonstration has sent, to one address if it is
// given.
func (s *server) showOutbox(w http.ResponseWriter, r *http.Request) error {
	params, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return badRequest("the query string is malformed")
	}
	if len(params["email"]) > 1 {
		return badRequest("email may be given once")
	}
	email := params.Get("email")
	if email != "" {
		var bad invalid
		email, err = invite.CanonicalEmail(email)
		bad.because("email", err)
		if err := bad.err(); err != nil {
			return err
		}
	}
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, http.StatusOK, map[string]any{"mails": s.mail.outbox.to(email)})
}
