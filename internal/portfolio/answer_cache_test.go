package portfolio_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"casbroker/internal/portfolio"
	"casbroker/internal/secret"
	"casbroker/internal/statement"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

// cachingReplicas are two brokers on one database that keep answers in memory, and what one that
// has none in memory answers.
type cachingReplicas struct {
	t        *testing.T
	db       *store.DB
	replicas [2]*broker
	paths    []string
	answers  map[string]string // at the last check
}

// check reads each path on both replicas, twice and in both encodings, and compares the
// answers with those of a new replica. It fails the test unless just these paths have another
// answer than at the last check.
func (c *cachingReplicas) check(change string, changed ...string) {
	c.t.Helper()
	fresh := serve(c.t, c.db)
	want := map[string]bool{}
	for _, path := range changed {
		want[path] = true
	}
	for _, path := range c.paths {
		for _, encoding := range []string{"identity", "gzip"} {
			right := fresh.call("asha", http.MethodGet, path, nil, "Accept-Encoding", encoding)
			for i := range 4 {
				got := c.replicas[i%2].call("asha", http.MethodGet, path, nil, "Accept-Encoding", encoding)
				if got.status != right.status || got.status == http.StatusOK && !bytes.Equal(got.body, right.body) || got.header.Get("ETag") != right.header.Get("ETag") ||
					got.header.Get("Content-Encoding") != right.header.Get("Content-Encoding") || got.header.Get("Content-Type") != right.header.Get("Content-Type") {
					c.t.Errorf("after %s: GET %s as %s: got %d, %d bytes with %v; want %d, %d with %v",
						change, path, encoding, got.status, len(got.body), got.header, right.status, len(right.body), right.header)
				}
			}
		}
		answer := fresh.get("asha", path)
		now := fmt.Sprint(answer.status, answer.header.Get("ETag"))
		if isOther := c.answers[path] != now; isOther != want[path] {
			c.t.Errorf("after %s: GET %s has another answer: got %v, want %v", change, path, isOther, want[path])
		}
		c.answers[path] = now
	}
}

// TestReadsAreOfThePortfoliosNow makes each kind of change through one replica, or another
// program, while others have answers in memory.
func TestReadsAreOfThePortfoliosNow(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		hash, key := secret.RandomKey(), secret.Key{ID: "k1", Secret: secret.RandomKey()}
		next := secret.Key{ID: "k2", Secret: secret.RandomKey()}
		open := func(keys ...secret.Key) *store.DB { return storetest.Open(t, url, newBox(t, hash, keys...)) }
		db := open(key, next)
		seen, changer := capturesOf(t, open(key, next))
		c := &cachingReplicas{t: t, db: db, replicas: [2]*broker{serve(t, db), changer}, answers: map[string]string{}}
		save := func(payload []byte) string { return changer.save("asha", payload).want(t, http.StatusCreated).ID }

		const latest, owned = "/v1/portfolios/latest", "/v1/holdings"
		c.paths = []string{latest, owned}
		c.check("nothing", latest, owned)
		firstID := save(minimal("Fund"))
		makeEarlier(t, url, firstID)
		first, firstRows := "/v1/portfolios/"+firstID, "/v1/portfolios/"+firstID+"/holdings"
		c.paths = append(c.paths, first, firstRows, firstRows+"?limit=1")
		c.check("the first statement, saved by an earlier release", c.paths...)
		if done, err := changer.db.ConvertPortfolios(t.Context(), "", 10, begin); err != nil || done.Converted != 1 {
			t.Fatalf("got %+v, %v", done, err)
		}
		c.check("the conversion", c.paths...)

		changer.save("asha", []byte(`{"data":`+string(minimal("Fund"))+`,"metadata":{"filename":"a.pdf"}}`)).want(t, http.StatusOK)
		c.check("metadata", latest, first)
		seen.see(minimal("Fund"))
		c.check("the vendor's answer", latest, first, owned)

		second := "/v1/portfolios/" + save(bytes.Replace(shares(40), []byte(`"CDSL"`), []byte(`"CDSL","statement_period":{"from":"2026-03-01","to":"2026-03-31"}`), 1))
		c.paths = append(c.paths, second, second+"/holdings?limit=100")
		c.check("a statement that is active now", latest, first, owned, second, second+"/holdings?limit=100")
		var theirs []string
		for _, month := range []string{"2026-01-31", "2026-02-28", "2026-03-30", "2026-03-31"} {
			theirs = append(theirs, "/v1/portfolios/"+save(statementOf("CDSL", "BBBPZ9999B", month)))
		}
		c.check("most statements are of another owner", latest, first, owned, second)
		remove := func(path string) { changer.call("asha", http.MethodDelete, path, nil).want(t, http.StatusNoContent) }
		remove(theirs[3])
		c.check("a deletion of the latest", latest, owned)
		remove(theirs[2])
		c.check("most statements are of the first owner again", latest, first, owned, second)
		remove(theirs[0])
		c.check("a deletion of what is not the latest")

		if err := open(next, key).Reseal(t.Context(), func(store.Tally) {}); err != nil {
			t.Fatal(err)
		}
		c.check("the rotation of keys")
		remove(second)
		c.check("a deletion", latest, first, owned, second, second+"/holdings?limit=100")
		eraseUser(t, changer.db)
		c.check("the erasure", latest, first, firstRows, firstRows+"?limit=1", owned)
	})
}

// makeEarlier makes a portfolio what a release without packed rows saved.
func makeEarlier(t *testing.T, url, id string) {
	t.Helper()
	db := storetest.SQL(t, url)
	for _, change := range []string{
		`DELETE FROM packed_holdings WHERE portfolio = $1`, `DELETE FROM packed_transactions WHERE portfolio = $1`,
		`UPDATE portfolios SET accounts = NULL, account_details = NULL WHERE id = $1`,
	} {
		if _, err := db.ExecContext(t.Context(), change, id); err != nil {
			t.Fatal(err)
		}
	}
}

// countingReader counts reads of whole portfolios and of versions.
type countingReader struct {
	portfolio.Reader
	whole, versions atomic.Int32
}

func (r *countingReader) Latest(ctx context.Context, subject string) (portfolio.Portfolio, []statement.Holding, error) {
	r.whole.Add(1)
	return r.Reader.Latest(ctx, subject)
}

func (r *countingReader) Portfolio(ctx context.Context, subject, id string, first, limit int) (portfolio.Portfolio, []statement.Holding, error) {
	r.whole.Add(1)
	return r.Reader.Portfolio(ctx, subject, id, first, limit)
}

func (r *countingReader) LatestVersion(ctx context.Context, subject string) (string, error) {
	r.versions.Add(1)
	return r.Reader.LatestVersion(ctx, subject)
}

func (r *countingReader) PortfolioVersion(ctx context.Context, subject, id string) (string, error) {
	r.versions.Add(1)
	return r.Reader.PortfolioVersion(ctx, subject, id)
}

func TestAnswerIsMadeOnceForEachUserAndEncoding(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		reader := &countingReader{Reader: db}
		b := serve(t, db, func(s *portfolio.Service) { s.Reader = reader })
		id := b.save("asha", shares(40)).want(t, http.StatusCreated).ID
		b.save("bina", shares(41)).want(t, http.StatusCreated)
		expect := func(doing string, whole, versions int32) {
			t.Helper()
			if w, v := reader.whole.Swap(0), reader.versions.Swap(0); w != whole || v != versions {
				t.Errorf("%s: got %d reads of portfolios and %d of versions, want %d and %d", doing, w, v, whole, versions)
			}
		}
		for _, path := range []string{"/v1/portfolios/latest", "/v1/portfolios/" + id, "/v1/portfolios/" + id + "/holdings"} {
			for range 3 {
				b.call("asha", http.MethodGet, path, nil, "Accept-Encoding", "identity")
			}
			expect(path, 1, 2)
			tag := b.call("asha", http.MethodGet, path, nil, "Accept-Encoding", "gzip").header.Get("ETag")
			again := b.call("asha", http.MethodGet, path, nil, "Accept-Encoding", "gzip", "If-None-Match", tag)
			if again.status != http.StatusNotModified || again.header.Get("ETag") != tag || len(again.body) > 0 {
				t.Errorf("%s: got %d with ETag %q, want 304 with %q", path, again.status, again.header.Get("ETag"), tag)
			}
			expect(path+" with gzip", 1, 1)
		}
		if got := b.get("bina", "/v1/portfolios/latest").want(t, http.StatusOK).StoredRows; got != 41 {
			t.Errorf("another user: got %d rows, want 41", got)
		}
		expect("another user", 1, 0)
		for range 2 {
			b.get("bina", "/v1/portfolios/"+id).want(t, http.StatusNotFound)
		}
		expect("the portfolio of another user", 2, 0)
	})
}
