package store_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

// storedReasons returns what the database has of the reasons of blocks: "TABLE reason sealed" of each
// row, where sealed is in clear or not, in the order of subjects and versions.
func (v *keyring) storedReasons(t *testing.T) (list []string) {
	t.Helper()
	for _, table := range []string{"access_changes", "blocks"} {
		rows, err := storetest.SQL(t, v.url).QueryContext(t.Context(), `SELECT reason, sealed_reason FROM `+table+` ORDER BY subject, version`)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var reason string
			var sealed []byte
			if err := rows.Scan(&reason, &sealed); err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(sealed, []byte("phone")) {
				t.Errorf("%s has %q in clear", table, sealed)
			}
			list = append(list, fmt.Sprintf("%s %s %t", table, reason, sealed != nil))
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

// wantStored fails the test unless the database has the reasons of blocks like want.
func (v *keyring) wantStored(t *testing.T, want ...string) {
	t.Helper()
	if got := v.storedReasons(t); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// reasons returns the reason of the block of subject, and those of its history, newest first.
func reasons(t *testing.T, s *store.DB, subject string) string {
	t.Helper()
	b, err := s.ActiveBlock(t.Context(), subject, savedAt)
	if err != nil {
		t.Fatal(err)
	}
	history, err := s.AccessHistory(t.Context(), subject, 10)
	if err != nil {
		t.Fatal(err)
	}
	text := "none"
	if b != nil {
		text = b.Reason
	}
	for _, c := range history {
		text += "|" + c.Reason
	}
	return text
}

func TestReasonsOfBlocksAreSealed(t *testing.T) {
	t.Parallel()
	eachKeyring(t, func(t *testing.T, v *keyring) {
		s := v.open(t, "k1")
		block := func(subject, reason string) access.Outcome {
			return mustAlter(t, s, access.Change{Kind: access.Block, Subject: subject, Reason: reason}, savedAt)
		}
		block("demo:asha", "stolen phone")
		block("demo:ravi", "")
		if o := block("demo:asha", "stolen phone"); !o.Already || o.Reason != "stolen phone" {
			t.Errorf("got %+v, want the block that exists", o)
		}
		block("demo:asha", "(sealed)")
		v.wantStored(t, "access_changes (sealed) true", "access_changes (sealed) true", "access_changes  false", "blocks (sealed) true", "blocks  false")
		for subject, want := range map[string]string{"demo:asha": "(sealed)|(sealed)|stolen phone", "demo:ravi": "|"} {
			if got := reasons(t, s, subject); got != want {
				t.Errorf("%s: got %q, want %q", subject, got, want)
			}
		}
		snap, err := s.AccessSnapshot(t.Context(), savedAt, savedAt.Add(-time.Hour))
		if err != nil || len(snap.Blocks) != 2 || len(snap.Revocations) != 3 {
			t.Errorf("got %+v, %v, want both blocks", snap, err)
		}
		erase(t, s, "demo:asha") // its block is in force, and stays with its reason
		v.wantStored(t, "access_changes  false", "access_changes  false", "access_changes  false", "access_changes  false", "blocks (sealed) true", "blocks  false")
		if got := reasons(t, s, "demo:asha"); got != "(sealed)||" {
			t.Errorf("after the erasure: got %q", got)
		}
	})
}

// blockAsBefore blocks n users, demo:old-000 and so on, like releases that did not encrypt reasons.
func (v *keyring) blockAsBefore(t *testing.T, n int) {
	t.Helper()
	tx, err := storetest.SQL(t, v.url).BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		subject, reason := fmt.Sprintf("demo:old-%03d", i), fmt.Sprint("old phone ", i)
		_, err := tx.ExecContext(t.Context(), `INSERT INTO access_changes (version, kind, subject, grant_id, reason, until_ms, at_ms, actor)
			VALUES ($1, 'block', $2, '', $3, 0, $4, 'admin/asha')`, 1000+i, subject, reason, savedAt.UnixMilli())
		if err == nil {
			_, err = tx.ExecContext(t.Context(), `INSERT INTO blocks (subject, version, reason, until_ms, at_ms, actor)
				VALUES ($1, $2, $3, 0, $4, 'admin/asha')`, subject, 1000+i, reason, savedAt.UnixMilli())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

// TestReasonsOfAnEarlierReleaseAreSealed: it may go on writing in clear on another replica.
func TestReasonsOfAnEarlierReleaseAreSealed(t *testing.T) {
	t.Parallel()
	eachKeyring(t, func(t *testing.T, v *keyring) {
		s := v.open(t, "k1")
		v.blockAsBefore(t, 250) // several batches
		for _, subject := range []string{"demo:asha", "demo:ravi"} {
			mustAlter(t, s, access.Change{Kind: access.Block, Subject: subject, Reason: "new phone"}, savedAt)
		}
		// What an earlier release does to rows of this one: another block, and an erasure.
		v.change(t, `UPDATE blocks SET reason = 'other phone' WHERE subject = 'demo:asha'`)
		v.change(t, `UPDATE access_changes SET reason = '' WHERE subject = 'demo:ravi' AND reason <> ''`)
		want := map[string]string{"demo:old-007": "old phone 7|old phone 7", "demo:asha": "other phone|new phone", "demo:ravi": "new phone|"}
		check := func(when string) {
			t.Helper()
			for subject, want := range want {
				if got := reasons(t, s, subject); got != want {
					t.Errorf("%s, %s: got %q, want %q", when, subject, got, want)
				}
			}
		}
		check("before")
		for _, want := range []int{502, 0} {
			if n, err := s.SealReasons(t.Context()); err != nil || n != want {
				t.Errorf("got %d, %v, want %d", n, err, want)
			}
		}
		check("after")
		for _, line := range v.storedReasons(t) {
			if line != "access_changes (sealed) true" && line != "blocks (sealed) true" && line != "access_changes  false" {
				t.Errorf("got %s, want it sealed", line)
			}
		}
		v.change(t, `UPDATE blocks SET reason = 'in clear' WHERE subject = 'demo:ravi'`)
		if r := reseal(t, v.open(t, "k2", "k1"))["blocks"]; r.Rows != 251 { // but for the new one
			t.Errorf("got %+v, want all blocks under the new key", r)
		}
		s = v.open(t, "k2")
		want["demo:ravi"] = "in clear|"
		check("under a new key")
	})
}

func TestBlockIsInForceThoughItsReasonCannotBeDecrypted(t *testing.T) {
	t.Parallel()
	eachKeyring(t, func(t *testing.T, v *keyring) {
		mustAlter(t, v.open(t, "lost"), access.Change{Kind: access.Block, Subject: "demo:asha", Reason: "stolen phone"}, savedAt)
		s := v.open(t, "k1")
		if got := reasons(t, s, "demo:asha"); got != access.Unreadable+"|"+access.Unreadable {
			t.Errorf("got %q", got)
		}
		if err := give(t.Context(), s, "gr_1", "demo:asha", savedAt, 1); err == nil {
			t.Error("a blocked user got a token")
		}
		if o := mustAlter(t, s, access.Change{Kind: access.Block, Subject: "demo:asha", Reason: "stolen phone"}, savedAt); o.Already {
			t.Errorf("got %+v, want the reason stored again", o)
		}
		if got := reasons(t, s, "demo:asha"); got != "stolen phone|stolen phone|"+access.Unreadable {
			t.Errorf("got %q", got)
		}
	})
}
