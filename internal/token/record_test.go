package token

import (
	"encoding/binary"
	"testing"
	"time"
)

func FuzzDecodeRecordNeverPanicsAndReadsBackWhatItAccepts(f *testing.F) {
	f.Add(record{value: "at_x", grantID: "gr_1", issuedAt: time.UnixMilli(1), expiresAt: time.UnixMilli(2), version: 3}.encode())
	f.Add(firstFormOf("gr_1", "at_x"))
	f.Add([]byte{})
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 'a'})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeRecord(b)
		if err != nil {
			return
		}
		if b[0] == recordForm && string(r.encode()) != string(b) {
			t.Errorf("%x was read as %+v", b, r)
		}
	})
}

// firstFormOf writes a record as brokers did that knew no revocations.
func firstFormOf(grantID, value string) []byte {
	b := []byte{firstForm}
	b = binary.BigEndian.AppendUint64(b, 1000)
	b = binary.BigEndian.AppendUint64(b, 2000)
	return append(append(b, byte(len(grantID))), grantID+value...) //nolint:gosec // a short one
}

func TestARecordOfAnOlderBrokerCountsAsOlderThanEveryRevocation(t *testing.T) {
	t.Parallel()
	r, err := decodeRecord(firstFormOf("gr_1", "at_x"))
	want := record{value: "at_x", grantID: "gr_1", issuedAt: time.UnixMilli(1000), expiresAt: time.UnixMilli(2000)}
	if err != nil || r != want {
		t.Errorf("got %+v, %v", r, err)
	}
}
