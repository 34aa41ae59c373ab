package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/tenantwall/tenantwall/tenant"
)

// operatorOnly lets the operator through, who is whoever has the operator's token.
func (s *server) operatorOnly(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		token, err := bearer(r.Header)
		if err != nil {
			return err
		}
		// Hashes, because a comparison of texts of different lengths takes less time.
		sent, want := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(s.operatorToken))
		if subtle.ConstantTimeCompare(sent[:], want[:]) != 1 {
			return unauthenticated("the credential is not the operator's token")
		}
		return next(w, r)
	}
}

func (s *server) suspendTenant(w http.ResponseWriter, r *http.Request) error {
	t, err := s.lookUpSlug(r)
	if err != nil {
		return err
	}
	if _, err := s.catalog.Suspend(r.Context(), t.ID); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *server) resumeTenant(w http.ResponseWriter, r *http.Request) error {
	t, err := s.lookUpSlug(r)
	if err != nil {
		return err
	}
	if _, err := s.catalog.Resume(r.Context(), t.ID); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *server) setPlan(w http.ResponseWriter, r *http.Request) error {
	t, err := s.lookUpSlug(r)
	if err != nil {
		return err
	}
	var plan string
	if err := decode(r, fields{"plan": &plan}); err != nil {
		return err
	}
	var bad invalid
	if err := bad.checkPlan(r.Context(), "plan", plan, s.quotas.book); err != nil {
		return err
	}
	if err := bad.err(); err != nil {
		return err
	}
	if _, err := s.catalog.SetPlan(r.Context(), t.ID, plan); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// bearer is the token of a request, which is its one credential.
func bearer(h http.Header) (string, error) {
	if err := oneCredential(h); err != nil {
		return "", err
	}
	scheme, token, _ := strings.Cut(h.Get("Authorization"), " ")
	if token = strings.TrimSpace(token); token == "" || !strings.EqualFold(scheme, "Bearer") {
		return "", unauthenticated("the request needs Authorization: Bearer and a token")
	}
	return token, nil
}

func unauthenticated(detail string) error {
	return &tenant.Error{Code: tenant.CodeUnauthenticated, Detail: detail}
}
