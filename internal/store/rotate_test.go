package store_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/gateway"
	"casbroker/internal/link"
	"casbroker/internal/portfolio"
	"casbroker/internal/secret"
	"casbroker/internal/store"
	"casbroker/internal/testkit/logtest"
	"casbroker/internal/testkit/storetest"
)

// keyring is a database that several brokers open with different keys.
type keyring struct {
	url  string
	hash secret.Text
	keys map[string]secret.Text
	log  logtest.Log
}

// eachKeyring runs test on a new, migrated database of each dialect.
func eachKeyring(t *testing.T, test func(t *testing.T, v *keyring)) {
	t.Helper()
	storetest.EachURL(t, func(t *testing.T, url string) {
		v := &keyring{url: url, hash: secret.RandomKey(), keys: map[string]secret.Text{}}
		if _, err := v.open(t, "any").Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		test(t, v)
	})
}

// open opens the database with the keys of these ids; the first one seals.
func (v *keyring) open(t *testing.T, ids ...string) *store.DB {
	t.Helper()
	var keys []secret.Key
	for _, id := range ids {
		if v.keys[id] == "" {
			v.keys[id] = secret.RandomKey()
		}
		keys = append(keys, secret.Key{ID: id, Secret: v.keys[id]})
	}
	box, err := secret.NewBox(v.hash, keys...)
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(store.Options{URL: secret.URL(v.url), Box: box, Log: slog.New(slog.NewTextHandler(&v.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// change runs a statement without the store.
func (v *keyring) change(t *testing.T, statement string, args ...any) {
	t.Helper()
	if _, err := storetest.SQL(t, v.url).ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
}

// sealedTables are the tables with sealed values. fill adds a value to each.
var sealedTables = []string{
	"portfolios", "portfolio_accounts", "owners", "payloads", "packed_holdings", "packed_transactions", "idempotency", "captures",
	"mailbox_connections", "mailboxes", "mail_files", "statement_jobs", "mail_consents", "webhook_endpoints",
	"access_changes", "blocks", "links",
}

// fill saves n portfolios of demo:asha, each of another owner and under an Idempotency-Key, and as many captures,
// connections and mailboxes. It returns the payloads by the ids of the portfolios.
func fill(t *testing.T, s *store.DB, first, n int) map[string][]byte {
	t.Helper()
	payloads := map[string][]byte{}
	for i := first; i < first+n; i++ {
		c := claim(fmt.Sprint("key ", i), "body", 0)
		mustClaim(t, s, c)
		payload := named(fmt.Sprint("Fund ", i), "2026-03-31")
		one := saving(t, c.Subject, bytes.Replace(payload, []byte("AAAPZ9999A"), fmt.Appendf(nil, "AAAPZ%04dA", i), 1))
		one.Claim = &c
		a, err := s.SavePortfolio(t.Context(), one)
		if err != nil {
			t.Fatal(err)
		}
		payloads[a.PortfolioID] = one.Payload
		capture(t, s, c.Subject, one.Payload)
		connect(t, s, fmt.Sprint("state ", i), fmt.Sprint("handle ", i))
		begin(t, s, fmt.Sprint("pending ", i))
		own(t, s, gateway.Address, fmt.Sprint("ie_fill_", i), c.Subject, savedAt)
		addFiles(t, s, fmt.Sprint("ie_fill_", i), "", mailFile("msg", "a.pdf", savedAt))
		addJob(t, s, fmt.Sprint("demo:fill-", i), "", savedAt)
		giveConsent(t, s, fmt.Sprint("demo:fill-", i), "hush", savedAt)
		addEndpoint(t, s, fmt.Sprint("fill-", i))
		addLink(t, s, fmt.Sprint("demo:fill-", i), link.UntilSaved)
		mustAlter(t, s, access.Change{Kind: access.Block, Subject: fmt.Sprint("demo:blocked-", i), Reason: "stolen phone"}, savedAt)
	}
	return payloads
}

// reads fails the test unless s can read everything that fill saved.
func reads(t *testing.T, s *store.DB, payloads map[string][]byte) {
	t.Helper()
	list, err := s.Portfolios(t.Context(), "demo:asha", portfolio.Query{Limit: all})
	if err != nil || len(list) != len(payloads) {
		t.Errorf("listed %d of %d: %v", len(list), len(payloads), err)
	}
	for _, p := range list {
		payload, err := s.Payload(t.Context(), "demo:asha", p.ID)
		if c, err := s.Copy(t.Context(), "demo:asha", p.ID); err != nil || c.Unreadable || len(c.Holdings) != 1 || c.Transactions == nil {
			t.Errorf("copied %+v, %v", c, err)
		}
		if p.Unreadable || p.Investor.Name != "Asha Example" || err != nil || !bytes.Equal(payload, payloads[p.ID]) {
			t.Errorf("%+v with payload %.40q, %v", p, payload, err)
		}
	}
	for i := range len(payloads) {
		a, err := s.ClaimKey(t.Context(), claim(fmt.Sprint("key ", i), "body", time.Second))
		if err != nil || !a.Replayed || payloads[a.PortfolioID] == nil {
			t.Errorf("the answer of key %d: %+v, %v", i, a, err)
		}
	}
	ids, err := s.Captures(t.Context(), "demo:asha")
	if err != nil || len(ids) != len(payloads) {
		t.Errorf("listed %d captures of %d: %v", len(ids), len(payloads), err)
	}
	for _, id := range ids {
		if c, err := s.Capture(t.Context(), id); err != nil || !json.Valid(c.Payload) {
			t.Errorf("capture %s: %.40q, %v", id, c.Payload, err)
		}
	}
}

// opensMailboxes fails the test unless s can decrypt n mailboxes, connections and files of
// fill.
func opensMailboxes(t *testing.T, s *store.DB, n int) {
	t.Helper()
	for i := range n {
		if m, err := s.Mailbox(t.Context(), fmt.Sprint("handle ", i)); err != nil || m.Token != mailboxToken {
			t.Errorf("mailbox %d: %+v, %v", i, m, err)
		}
		if c, err := s.EndConnection(t.Context(), fmt.Sprint("pending ", i), "", "", savedAt); err != nil || c.State != "of the page" {
			t.Errorf("connection %d: %+v, %v", i, c, err)
		}
		if f := mailFiles(t, s, fmt.Sprint("ie_fill_", i), time.Time{}, 1); len(f) != 1 || f[0].Members == nil {
			t.Errorf("files %d: %+v", i, f)
		}
	}
}

// reseal calls Reseal and returns the tallies by table.
func reseal(t *testing.T, s *store.DB) map[string]store.Tally {
	t.Helper()
	tallies := map[string]store.Tally{}
	if err := s.Reseal(t.Context(), func(r store.Tally) { tallies[r.Table] = r }); err != nil {
		t.Fatal(err)
	}
	return tallies
}

func TestEverythingIsReadableAndVerifiedDuringRotationAndWithoutTheOldKeyAfterIt(t *testing.T) {
	t.Parallel()
	eachKeyring(t, func(t *testing.T, v *keyring) {
		const n = 120 // more than one batch
		payloads := fill(t, v.open(t, "old"), 0, n)
		serving := v.open(t, "new", "old")
		ctx, stop := context.WithCancel(t.Context())
		var readers sync.WaitGroup
		for range 2 {
			readers.Go(func() {
				for ctx.Err() == nil {
					reads(t, serving, payloads)
				}
			})
		}
		tallies := reseal(t, v.open(t, "new", "old"))
		stop()
		readers.Wait()
		for _, table := range sealedTables {
			if r := tallies[table]; r.Rows != n || r.Missing() != 0 || r.Damaged != 0 {
				t.Errorf("got %+v", r)
			}
		}
		reads(t, v.open(t, "new"), payloads)
		for _, r := range reseal(t, v.open(t, "new", "old")) {
			if r.Rows != 0 {
				t.Errorf("again: %+v", r)
			}
		}
		verifies(t, v, n)
		opensMailboxes(t, v.open(t, "new"), n)
	})
}

// verifies adds values under a key that is lost and under the old one, and a damaged one, to n
// values in each table, and fails the test unless Verify counts them, and changes nothing.
func verifies(t *testing.T, v *keyring, n int) {
	t.Helper()
	fill(t, v.open(t, "lost"), n, 3)
	fill(t, v.open(t, "old"), n+3, 2)
	v.change(t, `UPDATE payloads SET sealed = $1 WHERE portfolio = (SELECT max(portfolio) FROM payloads)`, []byte("\x03newspaper"))
	s := v.open(t, "new", "old")
	for range 2 {
		tables := 0
		err := s.Verify(t.Context(), func(r store.Tally) {
			tables++
			damaged := 0
			if r.Table == "payloads" {
				damaged = 1
			}
			if r.Rows != n+2-damaged || r.Unknown["lost"] != 3 || r.Missing() != 3 || r.Damaged != damaged {
				t.Errorf("got %+v", r)
			}
		})
		if err != nil || tables != len(sealedTables) {
			t.Errorf("%d tables, %v", tables, err)
		}
	}
}

func TestDataSavedDuringRotationIsReadable(t *testing.T) {
	t.Parallel()
	eachKeyring(t, func(t *testing.T, v *keyring) {
		payloads := fill(t, v.open(t, "old"), 0, 30)
		serving := v.open(t, "new", "old")
		var later map[string][]byte
		var saver sync.WaitGroup
		saver.Go(func() { later = fill(t, serving, len(payloads), 15) })
		reseal(t, v.open(t, "new", "old"))
		saver.Wait()
		for id, payload := range later {
			payloads[id] = payload
		}
		reads(t, v.open(t, "new"), payloads)
	})
}

func TestInterruptedRotationContinues(t *testing.T) {
	t.Parallel()
	eachKeyring(t, func(t *testing.T, v *keyring) {
		payloads := fill(t, v.open(t, "old"), 0, 10)
		rotating := v.open(t, "new", "old")
		ctx, stop := context.WithCancel(t.Context())
		if err := rotating.Reseal(ctx, func(store.Tally) { stop() }); err == nil {
			t.Error("Reseal went on after it was canceled")
		}
		reads(t, v.open(t, "new", "old"), payloads)
		if tallies := reseal(t, rotating); tallies["portfolios"].Rows != 0 || tallies["payloads"].Rows != 10 {
			t.Errorf("got %+v", tallies)
		}
		reads(t, v.open(t, "new"), payloads)
	})
}

func TestRotationCountsUndecryptableValuesAndKeepsThem(t *testing.T) {
	t.Parallel()
	eachKeyring(t, func(t *testing.T, v *keyring) {
		lost := fill(t, v.open(t, "lost"), 0, 3)
		kept := fill(t, v.open(t, "old"), 3, 4)
		rotating := v.open(t, "new", "old")
		for range 2 {
			tallies := reseal(t, rotating)
			for _, table := range sealedTables {
				if r := tallies[table]; r.Unknown["lost"] != 3 || r.Missing() != 3 || r.Damaged != 0 {
					t.Errorf("got %+v", r)
				}
			}
		}
		// With its key restored, the rest is resealed too.
		for _, r := range reseal(t, v.open(t, "new", "lost")) {
			if r.Rows != 3 || r.Missing() != 0 {
				t.Errorf("with the key: %+v", r)
			}
		}
		for id, payload := range lost {
			kept[id] = payload
		}
		reads(t, v.open(t, "new"), kept)
	})
}

func TestRotationSkipsDamagedValues(t *testing.T) {
	t.Parallel()
	eachKeyring(t, func(t *testing.T, v *keyring) {
		s := v.open(t, "old")
		fill(t, s, 0, 3)
		damaged := append(append([]byte{3}, "old"...), "no ciphertext of ours at all"...)
		v.change(t, `UPDATE payloads SET sealed = $1 WHERE portfolio = (SELECT min(portfolio) FROM payloads)`, damaged)
		v.change(t, `UPDATE portfolios SET private = $1 WHERE id = (SELECT min(id) FROM portfolios)`, []byte{0})
		tallies := reseal(t, v.open(t, "new", "old"))
		for _, table := range []string{"portfolios", "payloads"} {
			if r := tallies[table]; r.Rows != 2 || r.Damaged != 1 || r.Missing() != 0 {
				t.Errorf("got %+v", r)
			}
		}
	})
}
