package token

import (
	"encoding/binary"
	"testing"
	"time"
)

func FuzzDecodedTokenEncodesToTheSameBytes(f *testing.F) {
	f.Add(cachedToken{value: "at_x", grantID: "gr_1", issuedAt: time.UnixMilli(1), expiresAt: time.UnixMilli(2), version: 3}.encode())
	f.Add(cachedToken{value: "at_x", grantID: "gr_1", issuedAt: time.UnixMilli(1), expiresAt: time.UnixMilli(2), version: 3, features: 5}.encode())
	f.Add(encodeFormat1("gr_1", "at_x"))
	f.Add([]byte{})
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 'a'})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeCachedToken(b)
		if err != nil {
			return
		}
		if b[0] != format1 && string(r.encode()) != string(b) {
			t.Errorf("%x decodes to %+v, which encodes to other bytes", b, r)
		}
	})
}

// encodeFormat1 encodes a token as brokers without revocations did.
func encodeFormat1(grantID, value string) []byte {
	b := []byte{format1}
	b = binary.BigEndian.AppendUint64(b, 1000)
	b = binary.BigEndian.AppendUint64(b, 2000)
	return append(append(b, byte(len(grantID))), grantID+value...) //nolint:gosec // short in these tests
}

func TestTokenCachedByAnOlderBrokerHasVersionZero(t *testing.T) {
	t.Parallel()
	r, err := decodeCachedToken(encodeFormat1("gr_1", "at_x"))
	want := cachedToken{value: "at_x", grantID: "gr_1", issuedAt: time.UnixMilli(1000), expiresAt: time.UnixMilli(2000)}
	if err != nil || r != want {
		t.Errorf("got %+v, %v, want %+v", r, err, want)
	}
}
