package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/secret"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
	"casbroker/internal/token"
)

// trail is an audit trail with direct access to its tables.
type trail struct {
	*audit.Service
	db  *store.DB
	url string
	raw *sql.DB
}

func eachTrail(t *testing.T, test func(t *testing.T, w trail)) {
	t.Helper()
	storetest.EachURL(t, func(t *testing.T, url string) {
		w := trail{Service: &audit.Service{Box: storetest.NewBox(t)}, url: url, raw: storetest.SQL(t, url)}
		w.db = w.open(t, nil)
		w.Store, w.Chains = w.db, w.db
		if _, err := w.db.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		storetest.SealUnchained(t, url, w.Box)
		test(t, w)
	})
}

// open opens the database again, as another replica.
func (w trail) open(t *testing.T, unaudited func(error)) *store.DB {
	t.Helper()
	db, err := store.Open(store.Options{URL: secret.URL(w.url), Box: w.Box, Unaudited: unaudited})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func (w trail) do(t *testing.T, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := w.raw.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

func (w trail) verify(t *testing.T) (audit.Report, []audit.Break) {
	t.Helper()
	var list []audit.Break
	report, err := w.Verify(t.Context(), func(b audit.Break) { list = append(list, b) })
	if err != nil {
		t.Fatal(err)
	}
	if int(report.Broken) != len(list) {
		t.Errorf("%d broken chains, reported %v", report.Broken, list)
	}
	return report, list
}

// whole fails the test unless all chains are intact and have this many records.
func (w trail) whole(t *testing.T, records int64) audit.Report {
	t.Helper()
	report, broken := w.verify(t)
	if len(broken) > 0 || report.Records != records {
		t.Errorf("want %d records, got %+v %v", records, report, broken)
	}
	return report
}

// entry returns an audit record about subject.
func entry(subject string) audit.Record {
	return audit.New(context.Background(), savedAt, "demo:admin", audit.AdminRead, subject, "grants").WithRole("admin").WithDetail("page=1")
}

func (w trail) append(t *testing.T, db *store.DB, n int) {
	t.Helper()
	for i := range n {
		if err := db.Append(t.Context(), entry(fmt.Sprint("demo:", i))); err != nil {
			t.Fatal(err)
		}
	}
}

// swap returns statements that swap two records of the only chain.
func swap(a, b int) []string {
	return []string{
		fmt.Sprintf("UPDATE audit SET seq = 1000 WHERE seq = %d", a),
		fmt.Sprintf("UPDATE audit SET seq = %d WHERE seq = %d", a, b),
		fmt.Sprintf("UPDATE audit SET seq = %d WHERE seq = 1000", b),
	}
}

func TestVerifyReportsTheFirstBrokenLink(t *testing.T) {
	t.Parallel()
	type tampering struct {
		sentence   string
		statements []string
		damage     audit.Damage
		seq        int64
	}
	cases := []tampering{
		{"a hash was changed", []string{"UPDATE audit SET mac = (SELECT mac FROM audit WHERE seq = 1) WHERE seq = 3"}, audit.WrongMAC, 3},
		{"the last hash was changed", []string{"UPDATE audit SET mac = (SELECT mac FROM audit WHERE seq = 1) WHERE seq = 6"}, audit.WrongMAC, 6},
		{"a hash was removed", []string{"UPDATE audit SET mac = NULL WHERE seq = 2"}, audit.WrongMAC, 2},
		{"one in the middle was deleted", []string{"DELETE FROM audit WHERE seq = 3"}, audit.Missing, 3},
		{"the first was deleted", []string{"DELETE FROM audit WHERE seq = 1"}, audit.Missing, 1},
		{"the last was deleted", []string{"DELETE FROM audit WHERE seq = 6"}, audit.CutOff, 6},
		{"all were deleted", []string{"DELETE FROM audit"}, audit.CutOff, 1},
		{"the last was deleted and the head restored", []string{
			"DELETE FROM audit WHERE seq = 6",
			"UPDATE audit_writers SET seq = 5, mac = (SELECT mac FROM audit WHERE seq = 5)",
		}, audit.WrongHead, 5},
		{"only the head was restored", []string{
			"UPDATE audit_writers SET seq = 4, mac = (SELECT mac FROM audit WHERE seq = 4)",
		}, audit.WrongHead, 6},
		{"the head was deleted", []string{"DELETE FROM audit_writers"}, audit.NoHead, 0},
		{"two were swapped", swap(2, 5), audit.Reordered, 2},
		{"two neighbors were swapped", swap(3, 4), audit.Reordered, 3},
		{"the first two were swapped", swap(1, 2), audit.Reordered, 1},
		{"the first and the last were swapped", swap(1, 6), audit.Reordered, 1},
		{"one took the position of a deleted one", []string{
			"DELETE FROM audit WHERE seq = 3", "UPDATE audit SET seq = 3 WHERE seq = 6",
		}, audit.Reordered, 3},
		{"two have the same position", []string{
			"DROP INDEX audit_chains", "UPDATE audit SET seq = 2 WHERE seq = 5",
		}, audit.Reordered, 2},
	}
	for _, column := range []string{
		"id", "actor", "role", "action", "subject", "object", "outcome", "detail", "request_id", "address", "user_agent",
	} {
		cases = append(cases,
			tampering{column + " was changed", []string{"UPDATE audit SET " + column + " = 'other' WHERE seq = 4"}, audit.Changed, 4},
			tampering{column + " of the last was changed", []string{"UPDATE audit SET " + column + " = 'other' WHERE seq = 6"}, audit.Changed, 6})
	}
	cases = append(cases, tampering{"origin was changed", []string{"UPDATE audit SET origin = mac WHERE seq = 4"}, audit.Changed, 4})
	cases = append(cases, tampering{"at_ms was changed", []string{"UPDATE audit SET at_ms = at_ms + 1 WHERE seq = 4"}, audit.Changed, 4})
	eachTrail(t, func(t *testing.T, w trail) {
		w.append(t, w.db, 6)
		w.whole(t, 6)
		w.do(t, "CREATE TABLE audit_was AS SELECT * FROM audit", "CREATE TABLE writers_were AS SELECT * FROM audit_writers")
		for _, c := range cases {
			w.do(t, c.statements...)
			_, broken := w.verify(t)
			if len(broken) != 1 || broken[0].Damage != c.damage || broken[0].Seq != c.seq || broken[0].String() == "" {
				t.Errorf("%s: got %v", c.sentence, broken)
			}
			w.do(t, "DELETE FROM audit", "DELETE FROM audit_writers",
				"INSERT INTO audit SELECT * FROM audit_was", "INSERT INTO audit_writers SELECT * FROM writers_were",
				"CREATE UNIQUE INDEX IF NOT EXISTS audit_chains ON audit (writer, seq) WHERE writer <> ''")
		}
		w.whole(t, 6)
	})
}

func TestChainStaysIntactWhenAnErasureRemovesAddresses(t *testing.T) {
	t.Parallel()
	eachTrail(t, func(t *testing.T, w trail) {
		w.append(t, w.db, 3)
		w.do(t, "UPDATE audit SET address = '', user_agent = '' WHERE seq = 2")
		w.whole(t, 3)
	})
}

func TestVerifyReportsADeletedWriter(t *testing.T) {
	t.Parallel()
	eachTrail(t, func(t *testing.T, w trail) {
		for range 3 { // one process after another
			w.append(t, w.open(t, nil), 2)
		}
		if report := w.whole(t, 6); report.Writers != 3 {
			t.Errorf("got %+v", report)
		}
		w.do(t, "DELETE FROM audit WHERE writer = (SELECT writer FROM audit_writers WHERE place = 2)",
			"DELETE FROM audit_writers WHERE place = 2")
		_, broken := w.verify(t)
		if len(broken) != 1 || broken[0].Damage != audit.NoWriter || broken[0].Seq != 2 {
			t.Errorf("got %v", broken)
		}
		// Closing the gap in the numbers of the writers does not hide it.
		w.do(t, "UPDATE audit_writers SET place = 2 WHERE place = 3")
		if _, broken = w.verify(t); len(broken) != 1 || broken[0].Damage != audit.WrongHead {
			t.Errorf("got %v", broken)
		}
	})
}

func TestChainsAreIntactDuringConcurrentWrites(t *testing.T) {
	t.Parallel()
	const replicas, writers, each = 2, 16, 8
	eachTrail(t, func(t *testing.T, w trail) {
		var writing sync.WaitGroup
		for replica := range replicas {
			db := w.open(t, nil)
			for n := range writers {
				writing.Go(func() {
					for i := range each {
						id := fmt.Sprintf("gr_%d_%d_%d", replica, n, i/2) // every second id exists already, so the change fails
						g := token.Grant{ID: id, Subject: "demo:asha", Mode: token.ModeDirect}
						r := audit.New(t.Context(), savedAt, g.Subject, audit.TokenMint, g.Subject, id)
						if err := db.RecordGrant(t.Context(), g, r); (err != nil) != (i%2 == 1) {
							t.Errorf("%s: got %v", id, err)
						}
					}
				})
			}
		}
		written := make(chan struct{})
		go func() { writing.Wait(); close(written) }()
		for looking := true; looking; {
			select {
			case <-written:
				looking = false
			default:
			}
			if _, broken := w.verify(t); len(broken) > 0 {
				t.Fatalf("got %v", broken)
			}
		}
		if report := w.whole(t, replicas*writers*each/2); report.Writers > replicas*writers {
			t.Errorf("got %+v", report)
		}
	})
}

// TestManyRecordsAreOneChain: many are inserted by few statements.
func TestManyRecordsAreOneChain(t *testing.T) {
	t.Parallel()
	eachTrail(t, func(t *testing.T, w trail) {
		want := int64(0)
		for _, n := range []int{1, 49, 50, 51, 120} {
			records := make([]audit.Record, n)
			for i := range records {
				records[i] = entry(fmt.Sprint("demo:", i))
				records[i].At = savedAt.Add(time.Duration(i) * time.Second)
			}
			twice := append(slices.Clone(records), records[n-1]) // all or none
			if err := w.db.AppendOrFail(t.Context(), twice...); err == nil {
				t.Errorf("%d records: the same id was stored twice", n)
			}
			if err := w.db.AppendOrFail(t.Context(), records...); err != nil {
				t.Fatal(err)
			}
			want += int64(n)
			w.whole(t, want)
		}
		list, err := w.db.Records(t.Context(), audit.Filter{Subject: "demo:119"}, audit.Cursor{}, 10)
		if err != nil || len(list) != 1 || list[0].Seq != want || !list[0].At.Equal(savedAt.Add(119*time.Second)) {
			t.Errorf("got %+v, %v, want the last record", list, err)
		}
	})
}

func TestRolledBackChangeLeavesNoGapInTheChain(t *testing.T) {
	t.Parallel()
	eachTrail(t, func(t *testing.T, w trail) {
		twice := entry("demo:asha")
		for range 3 {
			w.append(t, w.db, 1)
			if err := w.db.Append(t.Context(), entry("demo:ravi"), twice, twice); err == nil {
				t.Error("the same record was stored twice")
			}
			gone, leave := context.WithCancel(t.Context())
			leave()
			if err := w.db.Append(gone, entry("demo:ravi")); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		}
		w.whole(t, 3)
	})
}

func TestForeignRecordInAChainInUseIsDetected(t *testing.T) {
	t.Parallel()
	eachTrail(t, func(t *testing.T, w trail) {
		w.append(t, w.db, 3)
		w.do(t, "CREATE TABLE writers_were AS SELECT * FROM audit_writers")
		w.append(t, w.db, 1)
		w.do(t, "DELETE FROM audit WHERE seq = 4", "DELETE FROM audit_writers", "INSERT INTO audit_writers SELECT * FROM writers_were")
		w.whole(t, 3) // not detectable so far
		if err := w.db.Append(t.Context(), entry("demo:asha")); err == nil {
			t.Error("the chain was extended")
		}
		w.append(t, w.db, 1) // in an intact chain
		if report := w.whole(t, 4); report.Writers != 2 {
			t.Errorf("got %+v", report)
		}
	})
}

func TestChangeWithoutAuditRecordFailsUnlessUnauditedIsSet(t *testing.T) {
	t.Parallel()
	eachTrail(t, func(t *testing.T, w trail) {
		w.append(t, w.db, 1)
		w.do(t, "ALTER TABLE audit RENAME TO audit_renamed")
		grant := func(db *store.DB, id string) error {
			g := token.Grant{ID: id, Subject: "demo:asha", Mode: token.ModeDirect, IssuedAt: savedAt, ExpiresAt: savedAt.Add(time.Hour)}
			return db.RecordGrant(t.Context(), g, audit.New(t.Context(), savedAt, g.Subject, audit.TokenMint, g.Subject, id))
		}
		var reported []error
		tolerant := w.open(t, func(err error) { reported = append(reported, err) })
		if err := grant(w.db, "gr_1"); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("got %v, want %v", err, store.ErrUnavailable)
		}
		if err := errors.Join(grant(tolerant, "gr_2"), tolerant.Append(t.Context(), entry("demo:asha"))); err != nil {
			t.Error(err)
		}
		if err := tolerant.AppendOrFail(t.Context(), entry("demo:asha")); err == nil {
			t.Error("got nil, want an error")
		}
		if len(reported) != 2 {
			t.Errorf("reported %v", reported)
		}
		list, err := w.db.Grants(t.Context(), "demo:asha", token.Grant{}, all)
		if err != nil || len(list) != 1 || list[0].ID != "gr_2" {
			t.Errorf("got %v %v", list, err)
		}
		w.do(t, "ALTER TABLE audit_renamed RENAME TO audit")
		if err := errors.Join(grant(w.db, "gr_3"), grant(tolerant, "gr_4")); err != nil {
			t.Error(err)
		}
		w.whole(t, 3)
	})
}

func TestRecordsOlderThanChainsAreReadAndCounted(t *testing.T) {
	t.Parallel()
	eachTrail(t, func(t *testing.T, w trail) {
		w.do(t, `INSERT INTO audit (id, at_ms, actor, action, subject, object, request_id, address, user_agent)
			VALUES ('au_1', 1, 'demo:asha', 'token.mint', 'demo:asha', 'gr_1', '', '', '')`)
		storetest.SealUnchained(t, w.url, w.Box)
		w.append(t, w.db, 1)
		if report := w.whole(t, 1); report.Unchained != 1 {
			t.Errorf("got %+v", report)
		}
		list, err := w.db.Records(t.Context(), audit.Filter{}, audit.Cursor{}, all)
		if err != nil || len(list) != 2 || list[1].ID != "au_1" || list[1].Writer != "" {
			t.Errorf("got %v %v", list, err)
		}
	})
}
