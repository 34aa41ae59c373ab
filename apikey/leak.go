package apikey

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/problem"
)

// Bounds of a report of leaked keys.
const (
	MaxReportLen = 1 << 20 // bytes
	MaxReported  = 1000    // keys
)

// The header fields of a report, as GitHub's secret scanning partner program has them.
const (
	publicKeyField = "Github-Public-Key-Identifier"
	signatureField = "Github-Public-Key-Signature"
)

// reasonLeaked is what the event of a key says that was revoked because of a report.
const reasonLeaked = "leaked"

// Leak is a key that somebody has found where it should not be.
type Leak struct {
	Key Key // which is revoked by now

	// Type, URL and Source are what the report says of it: the name that was agreed upon
	// for the pattern, and where it was found. They come from outside, though signed.
	Type, URL, Source string

	// Before says that the key was no good already when it was reported.
	Before bool
}

// LeakConfig says how a [LeakHandler] works.
type LeakConfig struct {
	// PublicKeys are those of who reports.
	PublicKeys *PublicKeySource

	// OnLeak, when not nil, is told of each key once it is revoked, so that somebody tells its
	// tenant. It is called by the handler, which waits for it.
	OnLeak func(ctx context.Context, leak Leak)
}

// LeakHandler is a webhook that revokes keys which are reported to have leaked, as GitHub does
// when it finds one in what is public (see its documentation of the secret scanning partner
// program; [Format.Pattern] is what to register there). A report is a POST with a JSON array:
//
//	[{"token": "…", "type": "…", "url": "…", "source": "…"}]
//
// signed with ECDSA on P-256 over the SHA-256 of the body, in base64 in the field
// Github-Public-Key-Signature, by the key that Github-Public-Key-Identifier names. What is not
// signed so is refused before it is read, and so is a report of more than [MaxReportLen] bytes.
//
// The answer tells for each token whether it was a key of ours, by its hash in SHA-256 and
// hexadecimal:
//
//	[{"token_hash": "…", "token_type": "…", "label": "true_positive"}]
//
// A report that could not be worked off as a whole, because the database is away, is answered
// as unavailable; what was revoked by then is. The report can be sent again.
type LeakHandler struct {
	keys *Keys
	cfg  LeakConfig
}

// NewLeakHandler makes a LeakHandler.
func NewLeakHandler(keys *Keys, cfg LeakConfig) (*LeakHandler, error) {
	if keys == nil || cfg.PublicKeys == nil {
		return nil, errors.New("apikey: a leak handler needs keys, and the public keys of who reports leaks")
	}
	return &LeakHandler{keys: keys, cfg: cfg}, nil
}

// reported is one element of a report.
type reported struct {
	Token  string `json:"token"`
	Type   string `json:"type"`
	URL    string `json:"url"`
	Source string `json:"source"`
}

// label is what is answered to one element.
type label struct {
	Hash  string `json:"token_hash"`
	Type  string `json:"token_type"`
	Label string `json:"label"`
}

// ServeHTTP works off a report.
func (h *LeakHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		problem.MethodNotAllowed(w, r)
		return
	}
	labels, err := h.work(w, r)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	body, err := json.Marshal(labels)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(append(body, '\n')) // a client that has gone is told nothing
}

// work verifies a report and revokes its keys.
func (h *LeakHandler) work(w http.ResponseWriter, r *http.Request) ([]label, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxReportLen))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, err
	}
	if err != nil {
		return nil, &tenant.Error{Code: tenant.CodeBadRequest, Detail: "the body could not be read to its end", Err: err}
	}
	if err := h.verify(r, body); err != nil {
		return nil, err
	}
	var report []reported
	if err := json.Unmarshal(body, &report); err != nil {
		return nil, &tenant.Error{Code: tenant.CodeBadRequest, Detail: "the body is no array of tokens", Err: err}
	}
	if len(report) > MaxReported {
		return nil, &tenant.Error{Code: tenant.CodePayloadTooLarge, Detail: fmt.Sprintf("more than %d tokens", MaxReported)}
	}
	labels := make([]label, 0, len(report))
	for _, one := range report {
		ours, err := h.revoke(r.Context(), one)
		if err != nil {
			return nil, orUnavailable(fmt.Errorf("apikey: revoke a leaked key: %w", err))
		}
		hash := sha256.Sum256([]byte(one.Token))
		said := label{Hash: hex.EncodeToString(hash[:]), Type: one.Type, Label: "false_positive"}
		if ours {
			said.Label = "true_positive"
		}
		labels = append(labels, said)
	}
	return labels, nil
}

// verify finds out whether a report is signed by one of the public keys.
func (h *LeakHandler) verify(r *http.Request, body []byte) error {
	id, signature := r.Header.Get(publicKeyField), r.Header.Get(signatureField)
	der, err := base64.StdEncoding.DecodeString(signature)
	if id == "" || len(der) == 0 || err != nil {
		return unsigned(errors.New("no key or no signature is named"))
	}
	key, err := h.cfg.PublicKeys.key(r.Context(), id)
	switch {
	case errors.Is(err, errNoPublicKey):
		return unsigned(err)
	case err != nil:
		return &tenant.Error{Code: tenant.CodeUnavailable, Detail: "the public keys are not to be had at the moment", RetryAfter: time.Minute, Err: err}
	}
	digest := sha256.Sum256(body)
	if !ecdsa.VerifyASN1(key, digest[:], der) {
		return unsigned(errors.New("the signature is wrong"))
	}
	return nil
}

func unsigned(err error) error {
	return &tenant.Error{Code: tenant.CodeUnauthenticated, Detail: "the report is not signed by a key that is known", Err: err}
}

// revoke ends a key that was reported, and reports whether it is one.
func (h *LeakHandler) revoke(ctx context.Context, one reported) (ours bool, err error) {
	r, err := h.keys.holder(ctx, one.Token)
	if isFailure(err) || errors.Is(err, ErrMalformed) || errors.Is(err, ErrEnvironment) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	before := !r.key.Usable(h.keys.cfg.Now())
	err = h.keys.revoke(ctx, r.key.TenantID, Minter{}, r.key.ID, reasonLeaked)
	if errors.Is(err, ErrNotFound) {
		return true, nil // forgotten meanwhile, and so is no good
	}
	if err != nil {
		return true, err
	}
	if h.cfg.OnLeak != nil {
		if r, err = readKey(ctx, h.keys.pool, r.key.TenantID, r.key.ID); err != nil {
			return true, err
		}
		h.cfg.OnLeak(ctx, Leak{Key: r.key, Type: one.Type, URL: one.URL, Source: one.Source, Before: before})
	}
	return true, nil
}

// holder is the key of which this is the secret, as the database has it, ended or not. No
// cache and no limit is asked: whoever reports has signed.
func (k *Keys) holder(ctx context.Context, key string) (record, error) {
	id, err := k.format.KeyID(key)
	if err != nil {
		return record{}, err
	}
	r, err := k.lookUp(ctx, id)
	if err != nil {
		return record{}, err
	}
	hash, err := k.hashes.hash(digestOf(key), r.pepper)
	switch {
	case err != nil:
		return record{}, err
	case !hash.equal(r.hash):
		return record{}, errUnknown
	}
	return r, nil
}
