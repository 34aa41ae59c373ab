package rediscache

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/tenantwall/tenantwall/resolve"
	"github.com/tenantwall/tenantwall/tenant"
)

const (
	messageVersion = 1
	maxMessageLen  = 2048 // a subject grows to six times its length when each byte is escaped
	maxKindLen     = 32
	maxSubjectLen  = 256
)

// message is a change on the wire.
type message struct {
	V       int    `json:"v"`
	Kind    string `json:"kind"`
	Tenant  string `json:"tenant,omitempty"` // empty: all
	Subject string `json:"subject,omitempty"`
	Version int64  `json:"version,omitempty"`
}

var errMalformed = errors.New("malformed message")

func encodeChange(c resolve.Change) (string, error) {
	m := message{V: messageVersion, Kind: string(c.Kind), Subject: c.Subject, Version: c.Version}
	if !c.Tenant.IsZero() {
		m.Tenant = c.Tenant.String()
	}
	if err := m.check(); err != nil {
		return "", err
	}
	text, err := json.Marshal(m)
	if err == nil && len(text) > maxMessageLen {
		err = fmt.Errorf("%w: more than %d bytes", errMalformed, maxMessageLen)
	}
	return string(text), err
}

func decodeChange(text string) (resolve.Change, error) {
	if len(text) > maxMessageLen {
		return resolve.Change{}, fmt.Errorf("%w: more than %d bytes", errMalformed, maxMessageLen)
	}
	var m message
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return resolve.Change{}, fmt.Errorf("%w: %w", errMalformed, err)
	}
	if err := m.check(); err != nil {
		return resolve.Change{}, err
	}
	c := resolve.Change{Kind: resolve.Kind(m.Kind), Subject: m.Subject, Version: m.Version}
	if m.Tenant == "" {
		return c, nil
	}
	var err error
	if c.Tenant, err = tenant.ParseID(m.Tenant); err != nil {
		return resolve.Change{}, fmt.Errorf("%w: %w", errMalformed, err)
	}
	return c, nil
}

// check holds a message to the limits, those that are sent too: what this process can't read
// it doesn't write.
func (m message) check() error {
	switch {
	case m.V != messageVersion:
		return fmt.Errorf("%w: version %d, not %d", errMalformed, m.V, messageVersion)
	case m.Kind == "" || len(m.Kind) > maxKindLen || strings.Trim(m.Kind, "abcdefghijklmnopqrstuvwxyz_") != "":
		return fmt.Errorf("%w: a kind is 1 to %d of a-z and _", errMalformed, maxKindLen)
	case len(m.Subject) > maxSubjectLen:
		return fmt.Errorf("%w: a subject of more than %d bytes", errMalformed, maxSubjectLen)
	case m.Version < 0:
		return fmt.Errorf("%w: a version below 0", errMalformed)
	}
	return nil
}
