package store_test

import (
	"testing"
	"time"

	"casbroker/internal/audit"
)

// appendAt appends n records, written at this time.
func (w trail) appendAt(t *testing.T, n int, at time.Time) {
	t.Helper()
	for range n {
		r := entry("demo:asha")
		r.At = at
		if err := w.db.Append(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTrailVerifiesAfterItsOldRecordsWereDeleted(t *testing.T) {
	t.Parallel()
	eachTrail(t, func(t *testing.T, w trail) {
		year := 365 * 24 * time.Hour
		w.appendAt(t, 4, savedAt.Add(-year))
		old := w.anchor(t)
		w.appendAt(t, 2, savedAt)
		newer := w.anchor(t)
		n, err := w.db.ExpireRecords(t.Context(), savedAt.Add(-year/2), savedAt)
		if n != 4 || err != nil {
			t.Fatalf("deleted %d, %v", n, err)
		}
		w.whole(t, 3)
		w.broken(t, "anchors of before", nil, old, newer)
		list, err := w.db.Records(t.Context(), audit.Filter{Action: audit.AuditExpire}, audit.Cursor{}, all)
		if err != nil || len(list) != 1 || list[0].Detail != "count=4" || list[0].Actor != audit.Retention {
			t.Errorf("got %v %v", list, err)
		}
		if n, err := w.db.ExpireRecords(t.Context(), savedAt.Add(-year/2), savedAt); n != 0 || err != nil {
			t.Errorf("a second time: deleted %d, %v", n, err)
		}
		if n, err := w.db.ExpireRecords(t.Context(), savedAt, savedAt.Add(time.Hour)); n != 3 || err != nil {
			t.Errorf("all: deleted %d, %v", n, err)
		}
		w.append(t, w.db, 1)
		w.whole(t, 2)

		w.do(t, "UPDATE audit_writers SET stump_seq = stump_seq - 1")
		w.broken(t, "the note of what was removed was changed", []audit.Damage{audit.WrongHead})
		w.do(t, "UPDATE audit_writers SET stump_seq = stump_seq + 1", "DELETE FROM audit WHERE seq = 8")
		w.broken(t, "the first record left was removed, too", []audit.Damage{audit.Missing})
	})
}

func TestOldRecordsOfADamagedChainAreKept(t *testing.T) {
	t.Parallel()
	eachTrail(t, func(t *testing.T, w trail) {
		w.append(t, w.db, 4)
		w.do(t, "UPDATE audit SET subject = 'demo:other' WHERE seq = 2")
		if n, err := w.db.ExpireRecords(t.Context(), savedAt.Add(time.Hour), savedAt.Add(time.Hour)); n != 0 || err == nil {
			t.Errorf("deleted %d, %v", n, err)
		}
		w.broken(t, "the damage is still found", []audit.Damage{audit.Changed})
	})
}
