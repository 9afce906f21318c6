package store_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/audit"
	"casbroker/internal/secret"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
	"casbroker/internal/webhook"
)

// block blocks a user, which is the shortest way to an event.
func block(t *testing.T, s *store.DB, subject string) {
	t.Helper()
	c := access.Change{Kind: access.Block, Subject: subject, Reason: "stolen phone", At: savedAt, Actor: "admin/x"}
	if _, err := s.ChangeAccess(t.Context(), c, audit.New(t.Context(), savedAt, "admin/x", audit.UserBlock, subject, "")); err != nil {
		t.Error(err)
	}
}

// addEndpoint adds a webhook that was made with the API.
func addEndpoint(t *testing.T, s *store.DB, name string) {
	t.Helper()
	e := webhook.Endpoint{Name: name, URL: "https://app.example", Secrets: []secret.Text{"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"}}
	if err := s.AddEndpoint(t.Context(), e, savedAt, audit.New(t.Context(), savedAt, "admin/x", audit.WebhookChange, "", name)); err != nil {
		t.Fatal(err)
	}
}

// number gives all events their positions.
func number(t *testing.T, s *store.DB) {
	t.Helper()
	if _, err := s.NumberEvents(t.Context(), savedAt, 1000); err != nil {
		t.Error(err)
	}
}

func eventsAfter(t *testing.T, s *store.DB, after int64) []webhook.Event {
	t.Helper()
	list, _, err := s.Events(t.Context(), after, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestEventThatIsCommittedLateIsNotSkipped(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	s, raw := storetest.Open(t, url, storetest.NewBox(t)), storetest.SQL(t, url)
	slow, err := raw.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = slow.Rollback() }()
	if _, err := slow.ExecContext(t.Context(), `INSERT INTO events (id, type, subject, who, at_ms, object) VALUES ('ev_slow', 'user.blocked', 'app:1', 'x', 1, '{}')`); err != nil {
		t.Fatal(err)
	}
	block(t, s, "app:fast")
	number(t, s)
	first := eventsAfter(t, s, 0)
	if len(first) != 1 || first[0].Subject != "app:fast" || first[0].Seq != 1 {
		t.Fatalf("got %+v, want the event that is committed", first)
	}
	if err := slow.Commit(); err != nil {
		t.Fatal(err)
	}
	number(t, s)
	if rest := eventsAfter(t, s, first[0].Seq); len(rest) != 1 || rest[0].ID != "ev_slow" || rest[0].Seq != 2 {
		t.Errorf("got %+v after the first, want the event that was inserted before and committed after it", rest)
	}
}

func TestReaderOfEventsMissesNoneOfConcurrentReplicas(t *testing.T) {
	t.Parallel()
	url, box := storetest.Postgres(t), storetest.NewBox(t)
	replicas := []*store.DB{storetest.Open(t, url, box), storetest.Open(t, url, box), storetest.Open(t, url, box)}
	const users, each = 4, 10
	var writers, numberers sync.WaitGroup
	done := make(chan struct{})
	for i, s := range replicas {
		for u := range users {
			writers.Go(func() {
				for n := range each {
					block(t, s, fmt.Sprintf("app:%d-%d-%d", i, u, n))
				}
			})
		}
		numberers.Go(func() {
			for {
				select {
				case <-done:
					return
				case <-s.Emitted():
					number(t, s)
				}
			}
		})
	}
	seen, last := map[string]bool{}, int64(0)
	read := func() {
		for _, e := range eventsAfter(t, replicas[0], last) {
			if e.Seq != last+1 || seen[e.ID] {
				t.Errorf("got position %d after %d", e.Seq, last)
			}
			last, seen[e.ID] = e.Seq, true
		}
	}
	written := make(chan struct{})
	go func() { writers.Wait(); close(written) }()
	for reading := true; reading; {
		select {
		case <-written:
			reading = false
		default:
		}
		read()
	}
	close(done)
	numberers.Wait()
	number(t, replicas[1])
	read()
	if want := len(replicas) * users * each; len(seen) != want {
		t.Errorf("got %d events, want %d", len(seen), want)
	}
}

func TestErasureRemovesTheUserFromEvents(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		s := storetest.Open(t, url, storetest.NewBox(t))
		block(t, s, "app:1")
		block(t, s, "app:2")
		number(t, s)
		execute(t, url, `UPDATE events SET traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'`)
		for range 2 {
			if _, err := s.Erase(t.Context(), "app:1", audit.New(t.Context(), savedAt, "app:1", audit.DataErase, "app:1", "")); err != nil {
				t.Fatal(err)
			}
		}
		number(t, s)
		var got []string
		for _, e := range eventsAfter(t, s, 0) {
			got = append(got, string(e.Type)+" "+e.Subject)
		}
		if want := "user.blocked ,user.blocked app:2,user.erased app:1,user.erased app:1"; strings.Join(got, ",") != want {
			t.Errorf("got %s, want %s", strings.Join(got, ","), want)
		}
		var hashes int
		if err := storetest.SQL(t, url).QueryRowContext(t.Context(), `SELECT COUNT(*) FROM events WHERE type = 'user.blocked' AND who <> ''`).Scan(&hashes); err != nil || hashes != 1 {
			t.Errorf("got %d hashes of users, %v, want that of the other user", hashes, err)
		}
		var traces int
		var of string
		err := storetest.SQL(t, url).QueryRowContext(t.Context(), `SELECT COUNT(*), MAX(subject) FROM events WHERE traceparent IS NOT NULL`).Scan(&traces, &of)
		if err != nil || traces != 1 || of != "app:2" {
			t.Errorf("got %d traces, one of %q, %v; want that of the other user alone", traces, of, err)
		}
	})
}

func TestOldEventsAreDeletedAndPositionsGoOn(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		block(t, s, "app:1")
		number(t, s)
		if n, err := s.ExpireEvents(t.Context(), savedAt); err != nil || n != 1 {
			t.Errorf("got %d, %v, want 1 deleted", n, err)
		}
		block(t, s, "app:2")
		number(t, s)
		if list, newest, err := s.Events(t.Context(), 0, 10); err != nil || len(list) != 1 || list[0].Seq != 2 || newest != 2 {
			t.Errorf("got %+v, %d, %v, want the second event at position 2", list, newest, err)
		}
	})
}

func TestKeySetAsideByAllReplicasIsOneEvent(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		for _, at := range []time.Duration{0, time.Second, 2 * time.Minute} {
			if err := s.AddKeySetAside(t.Context(), "spare", "refused", savedAt.Add(at)); err != nil {
				t.Fatal(err)
			}
		}
		number(t, s)
		list := eventsAfter(t, s, 0)
		if len(list) != 2 || list[0].Object != (webhook.Object{KeyName: "spare", Reason: "refused"}) {
			t.Errorf("got %+v, want one event in a minute", list)
		}
	})
}
