package token

import (
	"testing"
	"time"
)

func FuzzDecodeRecordNeverPanicsAndReadsBackWhatItAccepts(f *testing.F) {
	f.Add(record{value: "at_x", grantID: "gr_1", issuedAt: time.UnixMilli(1), expiresAt: time.UnixMilli(2)}.encode())
	f.Add([]byte{})
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 'a'})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeRecord(b)
		if err != nil {
			return
		}
		if string(r.encode()) != string(b) {
			t.Errorf("%x was read as %+v", b, r)
		}
	})
}
