package token

import (
	"encoding/binary"
	"errors"
	"time"

	"casbroker/internal/secret"
)

// The cached record, before it is sealed: version, issued and expires (unix
// milliseconds, 8 bytes each), length of the grant id, grant id, token.
const (
	recordVersion = 1
	recordHeader  = 1 + 8 + 8 + 1
)

var errRecord = errors.New("cached token record is not in a known form")

type record struct {
	value     secret.Text
	grantID   string
	issuedAt  time.Time
	expiresAt time.Time
}

func (r record) encode() []byte {
	b := make([]byte, 0, recordHeader+len(r.grantID)+len(r.value))
	b = append(b, recordVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(r.issuedAt.UnixMilli()))
	b = binary.BigEndian.AppendUint64(b, uint64(r.expiresAt.UnixMilli()))
	b = append(b, byte(len(r.grantID))) //nolint:gosec // an id of ours: 29
	b = append(b, r.grantID...)
	return append(b, r.value.Reveal()...)
}

func decodeRecord(b []byte) (record, error) {
	if len(b) < recordHeader || b[0] != recordVersion || len(b) <= recordHeader+int(b[17]) {
		return record{}, errRecord
	}
	text := string(b[recordHeader:])
	n := int(b[17])
	return record{
		value:     secret.Text(text[n:]),
		grantID:   text[:n],
		issuedAt:  time.UnixMilli(int64(binary.BigEndian.Uint64(b[1:]))), //nolint:gosec // written by encode
		expiresAt: time.UnixMilli(int64(binary.BigEndian.Uint64(b[9:]))), //nolint:gosec // written by encode
	}, nil
}
