package apikey

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// GitHubPublicKeys is where GitHub publishes the keys that its secret scanning signs with.
const GitHubPublicKeys = "https://api.github.com/meta/public_keys/secret_scanning"

// Bounds of a [PublicKeySource].
const (
	publicKeysMaxLen   = 1 << 20 // bytes of the document
	publicKeysMax      = 1000
	publicKeysTTL      = time.Hour
	publicKeysInterval = time.Minute // between two fetches because of an unknown key
	publicKeysTimeout  = 10 * time.Second
)

// errNoPublicKey says that there is no public key with an id.
var errNoPublicKey = errors.New("no public key with this id")

// PublicKeySource has the public keys of who reports leaked keys. It remembers them for an
// hour, and asks again for one that it does not know, but once a minute at most. It may be
// used by several goroutines at once, and needs no Close.
type PublicKeySource struct {
	fetch func(ctx context.Context) (io.ReadCloser, error)
	now   func() time.Time

	turn   chan struct{} // has an element while nobody fetches; whoever has it may use these
	asked  time.Time     // when it was fetched last
	failed error         // what came of it

	mu   sync.Mutex
	keys map[string]*ecdsa.PublicKey
	read time.Time // when the keys were fetched
}

// NewPublicKeySource makes a source of a function that fetches the document in which the keys
// are published, as GitHub does at [GitHubPublicKeys]:
//
//	{"public_keys": [{"key_identifier": "…", "key": "-----BEGIN PUBLIC KEY-----\n…", "is_current": true}]}
//
// The source reads up to a MiB of it, and closes it. now is the clock; nil means [time.Now].
func NewPublicKeySource(fetch func(ctx context.Context) (io.ReadCloser, error), now func() time.Time) (*PublicKeySource, error) {
	if fetch == nil {
		return nil, errors.New("apikey: a source of public keys needs a function that fetches them, such as FetchPublicKeys makes")
	}
	if now == nil {
		now = time.Now
	}
	s := &PublicKeySource{fetch: fetch, now: now, turn: make(chan struct{}, 1)}
	s.turn <- struct{}{}
	return s, nil
}

// FetchPublicKeys makes a function for [NewPublicKeySource] that gets the document from a
// URL, such as [GitHubPublicKeys]. The token, which may be empty, is one of the client's own at
// GitHub, where those without one get few answers; nil for the client means
// [http.DefaultClient].
func FetchPublicKeys(client *http.Client, url, token string) func(ctx context.Context) (io.ReadCloser, error) {
	if client == nil {
		client = http.DefaultClient
	}
	return func(ctx context.Context) (io.ReadCloser, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Accept", "application/json")
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		res, err := client.Do(req)
		if err != nil {
			return nil, err
		}
		if res.StatusCode != http.StatusOK {
			_ = res.Body.Close()
			return nil, fmt.Errorf("the answer is %s", res.Status)
		}
		return res.Body, nil
	}
}

// key is the public key with an id. The error is errNoPublicKey, or that of the fetch.
func (s *PublicKeySource) key(ctx context.Context, id string) (*ecdsa.PublicKey, error) {
	if key, known := s.known(id); known {
		return key, nil
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.turn:
	}
	defer func() { s.turn <- struct{}{} }()
	if key, known := s.known(id); known { // another has fetched it meanwhile
		return key, nil
	}
	if err := s.refresh(ctx); err != nil {
		return nil, err
	}
	if key, known := s.known(id); known {
		return key, nil
	}
	return nil, errNoPublicKey
}

// refresh fetches the keys, if it is time to. Otherwise the error is that of the last fetch.
func (s *PublicKeySource) refresh(ctx context.Context) error {
	if now := s.now(); s.asked.IsZero() || now.Sub(s.asked) >= publicKeysInterval {
		s.asked = now
		s.failed = s.download(ctx)
	}
	return s.failed
}

func (s *PublicKeySource) known(id string) (*ecdsa.PublicKey, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key, found := s.keys[id]
	return key, found && s.now().Sub(s.read) < publicKeysTTL
}

// download reads the published keys. Those that can't be used are left out. It goes on when
// the caller, whom nobody has verified yet, gives up: what came of it is said to everybody
// for a minute.
func (s *PublicKeySource) download(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), publicKeysTimeout)
	defer cancel()
	began := s.now()
	text, err := s.document(ctx)
	if err != nil {
		return fmt.Errorf("fetch the public keys: %w", err)
	}
	var document struct {
		Keys []struct {
			ID  string `json:"key_identifier"`
			PEM string `json:"key"`
		} `json:"public_keys"`
	}
	if err := json.Unmarshal(text, &document); err != nil {
		return fmt.Errorf("read the public keys: %w", err)
	}
	if len(document.Keys) > publicKeysMax {
		return fmt.Errorf("read the public keys: more than %d", publicKeysMax)
	}
	keys := make(map[string]*ecdsa.PublicKey)
	for _, published := range document.Keys {
		if key, err := parsePublicKey(published.PEM); err == nil && published.ID != "" {
			keys[published.ID] = key
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys, s.read = keys, began
	return nil
}

// document is the text in which the keys are published.
func (s *PublicKeySource) document(ctx context.Context) ([]byte, error) {
	body, err := s.fetch(ctx)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(body, publicKeysMaxLen+1))
	if err := errors.Join(err, body.Close()); err != nil {
		return nil, err
	}
	if len(text) > publicKeysMaxLen {
		return nil, fmt.Errorf("more than %d bytes", publicKeysMaxLen)
	}
	return text, nil
}

// parsePublicKey reads a public key on P-256 from PEM.
func parsePublicKey(text string) (*ecdsa.PublicKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("it is no PEM")
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("it is no ECDSA key on P-256")
	}
	return key, nil
}
