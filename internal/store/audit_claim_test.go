package store_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/store"
)

// run is the life of a process that appends n records.
func (w trail) run(t *testing.T, n int) {
	t.Helper()
	db := w.open(t, nil)
	w.append(t, db, n)
	w.end(t, db)
}

func (w trail) end(t *testing.T, db *store.DB) {
	t.Helper()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// count returns the number that a query finds.
func (w trail) count(t *testing.T, query string) (n int64) {
	t.Helper()
	if err := w.raw.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func TestEachStartContinuesTheChainOfTheLast(t *testing.T) {
	t.Parallel()
	eachTrail(t, func(t *testing.T, w trail) {
		for range 20 {
			w.run(t, 2)
		}
		if report := w.whole(t, 40); report.Writers != 1 {
			t.Errorf("got %d chains after 20 starts, want 1", report.Writers)
		}
		// Without a record, too.
		w.run(t, 0)
		if n, err := w.db.ExpireRecords(t.Context(), savedAt, savedAt); n != 40 || err != nil {
			t.Errorf("deleted %d, %v", n, err)
		}
		w.end(t, w.db) // which has noted that
		w.run(t, 2)
		if n := w.count(t, "SELECT COUNT(*) FROM audit_writers"); n != 1 {
			t.Errorf("got %d chains after retention has removed their records, want 1", n)
		}
	})
}

func TestReplicasThatStartAtOnceUseDifferentChains(t *testing.T) {
	t.Parallel()
	const replicas = 6
	eachTrail(t, func(t *testing.T, w trail) {
		var earlier []*store.DB
		for range replicas - 2 {
			db := w.open(t, nil)
			w.append(t, db, 1)
			earlier = append(earlier, db)
		}
		for _, db := range earlier {
			w.end(t, db)
		}
		var all sync.WaitGroup
		for i := range replicas {
			db := w.open(t, nil)
			all.Go(func() {
				for range 3 {
					if err := db.Append(t.Context(), entry(fmt.Sprint("demo:replica", i))); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		if report := w.whole(t, 4+3*replicas); report.Writers != replicas {
			t.Errorf("got %d chains, want %d", report.Writers, replicas)
		}
		if n := w.count(t, "SELECT COUNT(DISTINCT writer) FROM audit WHERE subject LIKE 'demo:replica%'"); n != replicas {
			t.Errorf("%d replicas used %d chains", replicas, n)
		}
		if n := w.count(t, "SELECT COUNT(DISTINCT holder) FROM audit_writers"); n != replicas {
			t.Errorf("%d processes have the chains of %d replicas", n, replicas)
		}
	})
}

// A process that was killed does not give up its chain, as little as one that stays open here.
func TestChainOfAKilledProcessIsContinuedAfterItsLease(t *testing.T) {
	t.Parallel()
	eachTrail(t, func(t *testing.T, w trail) {
		w.append(t, w.db, 2)
		if left := w.count(t, "SELECT lease_ms FROM audit_writers") - time.Now().UnixMilli(); left <= 0 {
			t.Errorf("the lease has ended %d ms ago", -left)
		}
		w.run(t, 1)
		if report := w.whole(t, 3); report.Writers != 2 {
			t.Errorf("got %d chains while the lease runs, want 2", report.Writers)
		}
		w.do(t, fmt.Sprint("UPDATE audit_writers SET lease_ms = ", time.Now().UnixMilli(), " WHERE place = 1"))
		w.run(t, 4)
		if n := w.count(t, "SELECT seq FROM audit_writers WHERE place = 1"); n != 6 {
			t.Errorf("got %d records in the chain of the killed process, want 6", n)
		}
		if err := w.db.Append(t.Context(), entry("demo:asha")); err == nil {
			t.Error("it was only frozen, and extends the chain that another has continued")
		}
		w.append(t, w.db, 1) // in another chain
		if report := w.whole(t, 8); report.Writers != 2 {
			t.Errorf("got %+v", report)
		}
	})
}

func TestChainOfAnEarlierReleaseIsNotContinued(t *testing.T) {
	t.Parallel()
	eachTrail(t, func(t *testing.T, w trail) {
		w.run(t, 1)
		w.do(t, "CREATE TABLE writers_were AS SELECT * FROM audit_writers", "DELETE FROM audit_writers",
			"INSERT INTO audit_writers (writer, place, seq, mac, links, seal) SELECT writer, place, seq, mac, links, seal FROM writers_were")
		w.run(t, 1)
		if report := w.whole(t, 2); report.Writers != 2 {
			t.Errorf("got %d chains, want another one", report.Writers)
		}
	})
}

func TestChainThatWasCutIsNotContinued(t *testing.T) {
	t.Parallel()
	eachTrail(t, func(t *testing.T, w trail) {
		w.run(t, 5)
		w.do(t, "CREATE TABLE audit_was AS SELECT * FROM audit", "CREATE TABLE writers_were AS SELECT * FROM audit_writers")
		for _, c := range []struct {
			statement string
			damage    audit.Damage
		}{
			{"DELETE FROM audit WHERE seq = 5", audit.CutOff},
			{"DELETE FROM audit", audit.CutOff},
			{"UPDATE audit_writers SET seq = 4, mac = (SELECT mac FROM audit WHERE seq = 4)", audit.WrongHead},
			{"UPDATE audit_writers SET seq = 0, mac = NULL, stump_seq = 0", audit.WrongHead},
			{"UPDATE audit_writers SET stump_seq = 5, stump_mac = mac, stump_seal = seal", audit.WrongHead},
			{"UPDATE audit_writers SET links = NULL", audit.WrongHead},
			{"UPDATE audit SET seq = 7 WHERE seq = 5", audit.Missing},
			{"UPDATE audit SET mac = (SELECT mac FROM audit WHERE seq = 1) WHERE seq = 5", audit.WrongMAC},
		} {
			w.do(t, c.statement)
			w.run(t, 2)
			w.broken(t, c.statement, []audit.Damage{c.damage})
			if n := w.count(t, "SELECT COUNT(*) FROM audit_writers"); n != 2 {
				t.Errorf("%s: got %d chains, want another one", c.statement, n)
			}
			w.do(t, "DELETE FROM audit", "DELETE FROM audit_writers",
				"INSERT INTO audit SELECT * FROM audit_was", "INSERT INTO audit_writers SELECT * FROM writers_were")
		}
	})
}

// Old copies of rows have a valid seal.
func TestVerifyNoticesAChainCutShortBeforeItWasContinued(t *testing.T) {
	t.Parallel()
	eachTrail(t, func(t *testing.T, w trail) {
		first, other, second := w.open(t, nil), w.open(t, nil), w.open(t, nil)
		w.append(t, first, 2) // chain 1
		w.append(t, other, 2)
		w.end(t, first)
		w.do(t, "CREATE TABLE writers_were AS SELECT * FROM audit_writers")
		w.append(t, other, 3)
		w.append(t, second, 1) // continues chain 1, which has learnt of chain 2 only now
		w.end(t, other)
		w.whole(t, 8)
		w.do(t, "DELETE FROM audit WHERE seq > 2 AND writer = (SELECT writer FROM audit_writers WHERE place = 2)",
			"DELETE FROM audit_writers WHERE place = 2",
			"INSERT INTO audit_writers SELECT * FROM writers_were WHERE place = 2", "UPDATE audit_writers SET lease_ms = 0 WHERE place = 2")
		w.broken(t, "chain 2 was cut after an old head", []audit.Damage{audit.CutOff})
		w.run(t, 1)
		w.broken(t, "and was continued", []audit.Damage{audit.CutOff})
		w.run(t, 5)
		w.broken(t, "and is longer than it was", []audit.Damage{audit.Rewritten})

		// What chain 1 knows is not replaced by what is there now.
		w.append(t, w.db, 1) // has chain 2
		w.end(t, second)
		w.run(t, 1)
		w.broken(t, "and chain 1 was free", []audit.Damage{audit.Rewritten})
		if n := w.count(t, "SELECT seq FROM audit_writers WHERE place = 1"); n != 3 {
			t.Errorf("got %d records in chain 1, want 3 as before", n)
		}
	})
}
