package temporalx

import (
	"encoding/json"
	"errors"
	"fmt"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"

	"github.com/tenantwall/tenantwall/tenant"
)

// headerName is the field of Temporal's headers that carries an [Identity].
const headerName = "tenantwall"

// maxHeader bounds what is parsed, in bytes: more than what [Identity.check] lets through
// takes when JSON escapes all of it.
const maxHeader = 8 << 10

// The metadata of the header's payload, beside its encoding.
const (
	metaKey       = "tenantwall-key"       // the ID of the key that signed
	metaSignature = "tenantwall-signature" // see [Key.sign]
)

const jsonEncoding = "json/plain"

// wire is an [Identity] in the header. A field that a later version adds is ignored by an
// earlier one; a change of meaning is a new version.
type wire struct {
	Version   int        `json:"v"`
	Tenant    string     `json:"tenant,omitempty"`
	Plan      string     `json:"plan,omitempty"`
	RequestID string     `json:"request_id,omitempty"`
	Principal *principal `json:"principal,omitempty"`
	System    string     `json:"system,omitempty"`

	// Scheduled says that the workflow's id gets the time of each run behind it.
	Scheduled bool `json:"scheduled,omitempty"`
}

type principal struct {
	Kind  tenant.PrincipalKind `json:"kind"`
	ID    string               `json:"id"`
	Email string               `json:"email,omitempty"`
}

const wireVersion = 1

// carried is what a header holds, before anybody has found it to be right.
type carried struct {
	found     bool
	bad       error // why it is malformed
	identity  Identity
	scheduled bool

	body      []byte // what is signed
	keyID     string
	signature []byte
}

// encode makes the header of a workflow, or of the activities of one, or of a message to one.
func encode(id Identity, workflowID string, scheduled bool, keys []Key) (*commonpb.Payload, error) {
	if err := id.check(); err != nil {
		return nil, err
	}
	w := wire{
		Version: wireVersion, Plan: id.Plan, RequestID: id.RequestID, System: id.System, Scheduled: scheduled,
	}
	if !id.IsSystem() {
		w.Tenant = id.Tenant.String()
	}
	if p := id.Principal; p.Kind != "" {
		w.Principal = &principal{Kind: p.Kind, ID: p.ID, Email: p.Email}
	}
	body, err := json.Marshal(w)
	if err != nil {
		return nil, err
	}
	header := &commonpb.Payload{Metadata: map[string][]byte{converter.MetadataEncoding: []byte(jsonEncoding)}, Data: body}
	if len(keys) > 0 {
		header.Metadata[metaKey] = []byte(keys[0].ID)
		header.Metadata[metaSignature] = keys[0].sign(workflowID, body)
	}
	return header, nil
}

// parse reads a header. It never fails: what is wrong stands in the result, for whoever
// may refuse.
func parse(header *commonpb.Payload) carried {
	if header == nil {
		return carried{}
	}
	c := carried{
		found:     true,
		body:      header.GetData(),
		keyID:     string(header.GetMetadata()[metaKey]),
		signature: header.GetMetadata()[metaSignature],
	}
	c.identity, c.scheduled, c.bad = read(c.body, string(header.GetMetadata()[converter.MetadataEncoding]))
	return c
}

// read is what the body of a header says, and whether it is a schedule's.
func read(body []byte, encoding string) (Identity, bool, error) {
	var w wire
	if err := w.unmarshal(body, encoding); err != nil {
		return Identity{}, false, err
	}
	id, err := w.identity()
	if err != nil {
		return Identity{}, false, err
	}
	return id, w.Scheduled, nil
}

func (w *wire) unmarshal(body []byte, encoding string) error {
	if len(body) > maxHeader {
		return fmt.Errorf("it has %d bytes, more than %d", len(body), maxHeader)
	}
	if encoding != jsonEncoding {
		return errors.New("its encoding is not " + jsonEncoding)
	}
	if err := json.Unmarshal(body, w); err != nil {
		return errors.New("it is not the JSON of a header") // the reason could repeat what is in it
	}
	if w.Version != wireVersion {
		return fmt.Errorf("its version is %d, not %d", w.Version, wireVersion)
	}
	return nil
}

func (w *wire) identity() (Identity, error) {
	id := Identity{Plan: w.Plan, RequestID: w.RequestID, System: w.System}
	if w.Tenant != "" {
		var err error
		if id.Tenant, err = tenant.ParseID(w.Tenant); err != nil {
			return Identity{}, err
		}
	}
	if p := w.Principal; p != nil {
		if p.Kind == "" {
			return Identity{}, errors.New("its principal has no kind")
		}
		id.Principal = tenant.Principal{Kind: p.Kind, ID: p.ID, Email: p.Email, Tenant: id.Tenant}
	}
	return id, id.check()
}
