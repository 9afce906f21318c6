package token

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math"
	"time"

	"casbroker/internal/id"
	"casbroker/internal/secret"
)

// GatewayToken is the content of a gateway token. It says all that is needed to check the
// token, so nothing is looked up.
type GatewayToken struct {
	Subject   string
	GrantID   string    // "gr_…"
	ExpiresAt time.Time // in whole seconds, before 2106
	Features  Features
	Version   int64 // from AccessPolicy.Admit
}

// The layout of a gateway token before it is sealed: format (1 byte), grant id (16 bytes),
// expiry (unix seconds, 4 bytes), features (1 byte), access version (uvarint), subject. It
// is sealed and not only signed, so that a browser does not learn the user's id, and since
// the key can be rotated.
const (
	gatewayFormat = 1
	gatewayHeader = 1 + 16 + 4 + 1
	gatewayData   = "gateway token" // the associated data
	gatewayLength = 83              // of a token, with a key id of 2 bytes, a subject of 6 and a version under 128
)

// ErrNotOurs is returned for a token that this broker did not make, or that is damaged.
var ErrNotOurs = errors.New("not a gateway token of this broker")

// tokenEncoding refuses texts that decode to the same bytes as another.
var tokenEncoding = base64.RawURLEncoding.Strict()

// seal returns t as the text of a token.
func (t GatewayToken) seal(box *secret.Box) (secret.Text, error) {
	grant, ok := id.Bytes("gr", t.GrantID)
	seconds := t.ExpiresAt.Unix()
	if !ok || seconds < 0 || seconds > math.MaxUint32 || t.Version < 0 {
		return "", errFormat
	}
	b := make([]byte, 0, gatewayHeader+binary.MaxVarintLen64+len(t.Subject))
	b = append(b, gatewayFormat)
	b = append(b, grant[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(seconds))
	b = append(b, byte(t.Features))
	b = binary.AppendUvarint(b, uint64(t.Version))
	b = append(b, t.Subject...)
	return secret.Text(prefix + tokenEncoding.EncodeToString(box.Seal(gatewayData, b))), nil
}

// OpenGatewayToken returns the content of a token that a Service with the same keys made.
// It returns ErrNotOurs for any other text. It does not check the expiry.
func OpenGatewayToken(box *secret.Box, value string) (GatewayToken, error) {
	if !WellFormed(value) { // the decoder would ignore line breaks
		return GatewayToken{}, ErrNotOurs
	}
	sealed, err := tokenEncoding.DecodeString(value[len(prefix):])
	if err != nil {
		return GatewayToken{}, ErrNotOurs
	}
	b, err := box.Open(gatewayData, sealed)
	if err != nil {
		return GatewayToken{}, errors.Join(ErrNotOurs, err)
	}
	return decodeGatewayToken(b)
}

func decodeGatewayToken(b []byte) (GatewayToken, error) {
	if len(b) < gatewayHeader || b[0] != gatewayFormat {
		return GatewayToken{}, ErrNotOurs
	}
	version, n := binary.Uvarint(b[gatewayHeader:])
	if n <= 0 || version > math.MaxInt64 || len(b) == gatewayHeader+n {
		return GatewayToken{}, ErrNotOurs
	}
	return GatewayToken{
		GrantID:   id.FromBytes("gr", [16]byte(b[1:17])),
		ExpiresAt: time.Unix(int64(binary.BigEndian.Uint32(b[17:])), 0),
		Features:  Features(b[21]),
		Version:   int64(version),
		Subject:   string(b[gatewayHeader+n:]),
	}, nil
}
