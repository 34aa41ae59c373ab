package temporalx

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"

	"github.com/tenantwall/tenantwall/tenant"
)

// Encryption seals what workflows and activities hand to each other (arguments, results,
// signals, queries, updates, memos, heartbeats, the texts of errors) with a key of their
// tenant, so that whoever reads the namespace or its database reads nothing, and a
// payload that is put into another tenant's workflow can't be opened there.
//
// Not sealed are the names of things: workflow ids and types, queues, search attributes,
// and the header, which is signed instead ([Config.Keys]).
type Encryption struct {
	// Keys has the keys of each tenant, and those of the system under the zero ID.
	Keys PayloadKeys

	// AllowPlain lets payloads be read that are not sealed. Set it while encryption is turned
	// on for a service that has workflows running, and take it away once they are done: while
	// it is set, whoever may write to the namespace can make a payload.
	AllowPlain bool

	// MaxPayload bounds one payload before it is sealed, in bytes; 0 means 2 MiB, which is
	// what servers take by default. At most 64 MiB.
	MaxPayload int

	// Rand is the source of nonces; nil means [rand.Reader].
	Rand io.Reader
}

// The errors of payloads, found by [errors.Is]. What is wrong with a payload that someone
// has tampered with is not told apart from a wrong key.
var (
	ErrPayloadNoTenant = errors.New("the payload is nobody's: neither the workflow id nor the context names a tenant or the system")
	ErrPayloadTenant   = errors.New("the payload is another tenant's")
	ErrPayloadPlain    = errors.New("the payload is not encrypted")
	ErrPayloadDamaged  = errors.New("the payload can't be decrypted: it was changed, or its key is another")
	ErrPayloadTooLarge = errors.New("the payload is too large")
)

const (
	defaultMaxPayload = 2 << 20
	maxMaxPayload     = 64 << 20

	// The metadata of a sealed payload.
	sealedEncoding = "binary/tenantwall-aes256gcm"
	metaKeyID      = "tenantwall-key"
	metaTenant     = "tenantwall-tenant"
)

func (e Encryption) complete() (Encryption, error) {
	switch {
	case e.Keys == nil:
		return e, errors.New("the setting Encryption.Keys is nil: payloads are sealed with a key of their tenant")
	case e.MaxPayload < 0 || e.MaxPayload > maxMaxPayload:
		return e, fmt.Errorf("the setting Encryption.MaxPayload is %d, and must be from 0 to %d", e.MaxPayload, maxMaxPayload)
	}
	if e.MaxPayload == 0 {
		e.MaxPayload = defaultMaxPayload
	}
	if e.Rand == nil {
		e.Rand = rand.Reader
	}
	return e, nil
}

// Codec returns the codec of one tenant, or of the system for the zero ID: for a codec
// server that shows payloads to people ([converter.NewPayloadCodecHTTPHandler]), which has
// to find out first whose they may see. Workers and clients need it not: [Plugin] gives
// them a converter that finds the tenant by itself.
//
// The errors of Decode are [ErrPayloadTenant], [ErrPayloadPlain], [ErrPayloadDamaged],
// [ErrPayloadTooLarge] and [ErrNoPayloadKey]; that of Codec is about the settings.
func (e Encryption) Codec(of tenant.ID) (converter.PayloadCodec, error) {
	e, err := e.complete()
	if err != nil {
		return nil, fmt.Errorf("temporalx: %w", err)
	}
	return sealer{enc: &e, of: of}, nil
}

// sealer seals and opens the payloads of one tenant.
type sealer struct {
	enc *Encryption
	of  tenant.ID // zero is the system
}

// Encode implements [converter.PayloadCodec].
func (s sealer) Encode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	sealed := make([]*commonpb.Payload, len(payloads))
	for i, p := range payloads {
		var err error
		if sealed[i], err = s.seal(p); err != nil {
			return nil, fmt.Errorf("seal payload: %w", err)
		}
	}
	return sealed, nil
}

// Decode implements [converter.PayloadCodec].
func (s sealer) Decode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	opened := make([]*commonpb.Payload, len(payloads))
	for i, p := range payloads {
		var err error
		if opened[i], err = s.open(p); err != nil {
			return nil, fmt.Errorf("open payload: %w", err)
		}
	}
	return opened, nil
}

func (s sealer) seal(p *commonpb.Payload) (*commonpb.Payload, error) {
	if proto.Size(p) > s.enc.MaxPayload {
		return nil, fmt.Errorf("%w: %d bytes, more than %d", ErrPayloadTooLarge, proto.Size(p), s.enc.MaxPayload)
	}
	plain, err := proto.Marshal(p)
	if err != nil {
		return nil, err
	}
	key, err := s.enc.Keys.Current(s.of)
	if err != nil {
		return nil, err
	}
	aead, err := key.aead()
	if err != nil {
		return nil, err
	}
	// The nonce stands before what it was used for. Of random ones a key may seal 2^32
	// payloads (NIST SP 800-38D, 8.3), which is why each tenant has a key of its own.
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plain)+aead.Overhead())
	if _, err := io.ReadFull(s.enc.Rand, nonce); err != nil {
		return nil, fmt.Errorf("read nonce: %w", err)
	}
	return &commonpb.Payload{
		Metadata: map[string][]byte{
			converter.MetadataEncoding: []byte(sealedEncoding),
			metaKeyID:                  []byte(key.ID),
			metaTenant:                 []byte(s.of.String()),
		},
		Data: aead.Seal(nonce, nonce, plain, s.associated(key.ID)),
	}, nil
}

func (s sealer) open(p *commonpb.Payload) (*commonpb.Payload, error) {
	if string(p.GetMetadata()[converter.MetadataEncoding]) != sealedEncoding {
		if s.enc.AllowPlain {
			return p, nil
		}
		return nil, ErrPayloadPlain
	}
	// Sealing added less than this.
	const most = 1 << 10
	if len(p.GetData()) > s.enc.MaxPayload+most {
		return nil, fmt.Errorf("%w: %d bytes, more than %d", ErrPayloadTooLarge, len(p.GetData()), s.enc.MaxPayload)
	}
	// To be told so is for people; what holds is the associated data below.
	if string(p.GetMetadata()[metaTenant]) != s.of.String() {
		return nil, ErrPayloadTenant
	}
	keyID := string(p.GetMetadata()[metaKeyID])
	if keyID == "" || len(keyID) > MaxPayloadKeyID {
		return nil, ErrPayloadDamaged
	}
	key, err := s.enc.Keys.Find(s.of, keyID)
	if err != nil {
		return nil, err
	}
	aead, err := key.aead()
	if err != nil {
		return nil, err
	}
	if len(p.GetData()) < aead.NonceSize() {
		return nil, ErrPayloadDamaged
	}
	nonce, sealed := p.GetData()[:aead.NonceSize()], p.GetData()[aead.NonceSize():]
	plain, err := aead.Open(nil, nonce, sealed, s.associated(keyID))
	if err != nil {
		return nil, ErrPayloadDamaged
	}
	opened := new(commonpb.Payload)
	if err := proto.Unmarshal(plain, opened); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPayloadDamaged, err)
	}
	return opened, nil
}

// associated is what a payload is bound to beyond its key: the tenant, so that a payload
// opens for no other even where two had one key, and the key's id. The workflow's id is
// not in it, because the server adds a time to that of a schedule's run after the
// arguments were sealed.
func (s sealer) associated(keyID string) []byte {
	data := append([]byte("tenantwall/payload/1\x00"), s.of[:]...)
	data = binary.BigEndian.AppendUint32(data, uint32(len(keyID)))
	return append(data, keyID...)
}

func (k PayloadKey) aead() (cipher.AEAD, error) {
	if err := k.check(); err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(k.Secret)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
