package store_test

import (
	"slices"
	"strings"
	"testing"

	"casbroker/internal/audit"
	"casbroker/internal/testkit/storetest"
)

// broken fails the test unless the verification, with anchors, finds exactly this.
func (w trail) broken(t *testing.T, sentence string, want []audit.Damage, anchors ...audit.Anchor) {
	t.Helper()
	var got []audit.Damage
	_, err := w.Verify(t.Context(), func(b audit.Break) {
		got = append(got, b.Damage)
		t.Log(b)
	}, anchors...)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", sentence, got, want)
	}
}

// allowAnySeq drops what makes the database refuse records with impossible numbers.
func (w trail) allowAnySeq(t *testing.T) {
	t.Helper()
	if strings.HasPrefix(w.url, "sqlite:") {
		w.do(t, "DROP TRIGGER audit_seq_inserted", "DROP TRIGGER audit_seq_updated")
		return
	}
	w.do(t, "ALTER TABLE audit DROP CONSTRAINT audit_seq")
}

// forge returns a statement that inserts a copy of the record 1 with another id.
func forge(writer, seq string) string {
	return `INSERT INTO audit (id, at_ms, actor, role, action, subject, object, outcome, detail, request_id, address, user_agent, writer, seq, origin, mac)
		SELECT 'au_forged', at_ms, actor, role, action, 'demo:other', object, outcome, detail, request_id, address, user_agent, ` + writer + `, ` + seq + `, origin, mac
		FROM audit WHERE seq = 1`
}

func TestVerifyCoversRecordsWithImpossibleNumbers(t *testing.T) {
	t.Parallel()
	eachTrail(t, func(t *testing.T, w trail) {
		w.append(t, w.db, 3)
		if _, err := w.raw.ExecContext(t.Context(), forge("writer", "-1")); err == nil {
			t.Error("the database took a record with the number -1")
		}
		w.allowAnySeq(t)
		for _, seq := range []string{"-1", "0", "-9223372036854775808"} {
			w.do(t, forge("writer", seq))
			w.broken(t, "a record with the number "+seq, []audit.Damage{audit.Added})
			w.do(t, "DELETE FROM audit WHERE id = 'au_forged'")
		}
		w.whole(t, 3)
	})
}

func TestVerifyNoticesRecordsWithoutAChain(t *testing.T) {
	t.Parallel()
	eachTrail(t, func(t *testing.T, w trail) {
		w.append(t, w.db, 6)
		w.do(t, forge("''", "0"))
		w.broken(t, "a record was made up", []audit.Damage{audit.Added})
		w.do(t, "UPDATE audit_unchained SET records = 1")
		w.broken(t, "and the number of them changed", []audit.Damage{audit.WrongHead})
		w.do(t, "DELETE FROM audit_unchained")
		w.broken(t, "or removed", []audit.Damage{audit.WrongHead})
	})
}

func TestVerifyNoticesTheNewestWriterCutLoose(t *testing.T) {
	t.Parallel()
	eachTrail(t, func(t *testing.T, w trail) {
		w.append(t, w.db, 2)
		w.append(t, w.open(t, nil), 3)
		w.whole(t, 5)
		w.do(t, "UPDATE audit SET writer = '', seq = 0, subject = 'demo:other' WHERE writer = (SELECT writer FROM audit_writers WHERE place = 2)",
			"DELETE FROM audit_writers WHERE place = 2")
		w.broken(t, "the newest writer's records lost their chain", []audit.Damage{audit.Added})
	})
}

// An old copy of the row of a writer has a valid seal, but later writers know the chain.
func TestVerifyNoticesAChainCutShortToAnOldHead(t *testing.T) {
	t.Parallel()
	eachTrail(t, func(t *testing.T, w trail) {
		w.append(t, w.db, 2)
		w.do(t, "CREATE TABLE writers_were AS SELECT * FROM audit_writers")
		w.append(t, w.db, 3)
		w.append(t, w.open(t, nil), 1)
		w.whole(t, 6)
		w.do(t, "DELETE FROM audit WHERE seq > 2 AND writer = (SELECT writer FROM audit_writers WHERE place = 1)",
			"DELETE FROM audit_writers WHERE place = 1",
			"INSERT INTO audit_writers SELECT * FROM writers_were")
		w.broken(t, "the tail was cut after an old head", []audit.Damage{audit.CutOff})
	})
}

func TestAnchorShowsThatTheDatabaseIsOlder(t *testing.T) {
	t.Parallel()
	eachTrail(t, func(t *testing.T, w trail) {
		w.append(t, w.db, 2)
		w.do(t, "CREATE TABLE audit_was AS SELECT * FROM audit", "CREATE TABLE writers_were AS SELECT * FROM audit_writers")
		old := w.anchor(t)
		w.append(t, w.db, 2)
		w.append(t, w.open(t, nil), 1)
		newer := w.anchor(t)
		w.append(t, w.db, 1) // after the anchor
		w.broken(t, "a whole trail", nil, old, newer)

		w.do(t, "DELETE FROM audit", "DELETE FROM audit_writers", "INSERT INTO audit SELECT * FROM audit_was", "INSERT INTO audit_writers SELECT * FROM writers_were")
		w.broken(t, "without an anchor an old copy looks whole", nil)
		w.broken(t, "with an anchor as old as the copy", nil, old)
		w.broken(t, "with a newer anchor", []audit.Damage{audit.CutOff, audit.NoWriter}, old, newer)

		w.append(t, w.open(t, nil), 6) // the copy goes on
		w.broken(t, "after the copy went on", []audit.Damage{audit.CutOff, audit.Rewritten}, newer)
	})
}

// anchor returns an anchor of the trail as read from a log.
func (w trail) anchor(t *testing.T) audit.Anchor {
	t.Helper()
	a, err := w.NewAnchor(t.Context(), savedAt)
	if err != nil {
		t.Fatal(err)
	}
	list, err := audit.Anchors(w.Box, []byte(`{"msg":"audit anchor","anchor":"`+a.String()+`"}`+"\n"))
	if err != nil || len(list) != 1 {
		t.Fatalf("got %v %v", list, err)
	}
	return list[0]
}

func TestAnchorsThatWereChangedAreRefused(t *testing.T) {
	t.Parallel()
	w := trail{Service: &audit.Service{Box: storetest.NewBox(t)}}
	a := audit.NewAnchor(w.Box, savedAt, []audit.Head{{Writer: "wr_1", Number: 1, Seq: 6, MAC: []byte("0123456789abcdef")}})
	later := a
	later.State = audit.State{{Seq: 5, Tag: a.State[0].Tag}}
	foreign := audit.NewAnchor(storetest.NewBox(t), savedAt, nil)
	for sentence, text := range map[string]string{
		"no anchor": "", "cut short": a.String()[:40], "another state": later.String(), "another key": foreign.String(), "no base64": "anchor1.A",
		"one of two": a.String() + "\n" + later.String(),
	} {
		if list, err := audit.Anchors(w.Box, []byte(text)); err == nil {
			t.Errorf("%s: got %v", sentence, list)
		}
	}
}
