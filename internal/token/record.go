package token

import (
	"encoding/binary"
	"errors"
	"time"

	"casbroker/internal/secret"
)

// The cached record, before it is sealed: its form, issued and expires (unix
// milliseconds), the access version that it carries (8 bytes each), length of the
// grant id, grant id, token. In the first form there was no access version.
const (
	firstForm   = 1
	recordForm  = 2
	firstHeader = 1 + 8 + 8 + 1
)

var errRecord = errors.New("cached token record is not in a known form")

type record struct {
	value     secret.Text
	grantID   string
	issuedAt  time.Time
	expiresAt time.Time
	version   int64 // 0 in the first form: older than every revocation
}

func (r record) encode() []byte {
	b := make([]byte, 0, firstHeader+8+len(r.grantID)+len(r.value))
	b = append(b, recordForm)
	b = binary.BigEndian.AppendUint64(b, uint64(r.issuedAt.UnixMilli()))
	b = binary.BigEndian.AppendUint64(b, uint64(r.expiresAt.UnixMilli()))
	b = binary.BigEndian.AppendUint64(b, uint64(r.version)) //nolint:gosec // read back as it was
	b = append(b, byte(len(r.grantID)))                     //nolint:gosec // an id of ours: 29
	b = append(b, r.grantID...)
	return append(b, r.value.Reveal()...)
}

func decodeRecord(b []byte) (record, error) {
	if len(b) < firstHeader {
		return record{}, errRecord
	}
	r := record{issuedAt: instantAt(b[1:]), expiresAt: instantAt(b[9:])}
	rest := b[17:]
	switch {
	case b[0] == recordForm && len(rest) > 8:
		r.version = int64(binary.BigEndian.Uint64(rest)) //nolint:gosec // written by encode
		rest = rest[8:]
	case b[0] != firstForm:
		return record{}, errRecord
	}
	n := int(rest[0])
	if len(rest) <= 1+n {
		return record{}, errRecord
	}
	text := string(rest[1:])
	r.grantID, r.value = text[:n], secret.Text(text[n:])
	return r, nil
}

func instantAt(b []byte) time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(b))) //nolint:gosec // written by encode
}
