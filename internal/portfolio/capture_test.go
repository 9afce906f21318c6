package portfolio_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/portfolio"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

// captures is a Captures on a broker's database that counts outcomes.
type captures struct {
	*portfolio.Captures

	mu       sync.Mutex
	outcomes []string
}

// capturesOf returns the captures of a broker on db, and that broker. change modifies the
// service.
func capturesOf(t *testing.T, db *store.DB, change ...func(*portfolio.Service)) (*captures, *broker) {
	t.Helper()
	c := &captures{}
	b := serve(t, db, append(change, func(s *portfolio.Service) {
		c.Captures = &portfolio.Captures{
			Store: db, Portfolios: s, Log: slog.New(slog.DiscardHandler), Now: s.Now, Observe: func(outcome string) {
				c.mu.Lock()
				defer c.mu.Unlock()
				c.outcomes = append(c.outcomes, outcome)
			},
		}
		s.Settle = c.Settle
	})...)
	return c, b
}

// see makes c see answers.
func (c *captures) see(answers ...[]byte) {
	for _, answer := range answers {
		c.seeOne(answer)
	}
}

// seeOne makes c see an answer.
func (c *captures) seeOne(answer []byte) {
	keep, end := c.Begin("demo:asha", "")
	keep(answer)
	end(nil)
}

// want fails the test unless these are the outcomes so far.
func (c *captures) want(t *testing.T, outcomes ...string) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Equal(c.outcomes, outcomes) {
		t.Errorf("got %q, want %q", c.outcomes, outcomes)
	}
}

func TestSameCaptureIsOnePortfolio(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c, b := capturesOf(t, db)
		c.see(minimal("Fund"), minimal("Fund"))
		c.want(t, portfolio.CaptureSaved, portfolio.CaptureKnown)
		b.save("asha", minimal("Fund")).want(t, http.StatusOK)
		if list := b.get("asha", "/v1/portfolios"); strings.Count(string(list.body), `"provenance":"verified"`) != 1 || strings.Count(string(list.body), `"id"`) != 1 {
			t.Errorf("got %s, want one verified portfolio", list.body)
		}
	})
}

// TestCaptureOfAKilledBrokerIsSavedByTheNext stands for kill -9 between the two
// transactions: the answer is stored, the portfolio is not.
func TestCaptureOfAKilledBrokerIsSavedByTheNext(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		killed, b := capturesOf(t, db)
		b.killed.Store(true)
		killed.see(minimal("Fund"))
		killed.want(t, portfolio.CaptureFailed)

		next, other := capturesOf(t, db)
		if err := next.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		next.want(t) // it is tried again later
		other.clock.Add(int64(time.Minute))
		two, third := capturesOf(t, db)
		third.clock.Add(int64(time.Minute))
		var running sync.WaitGroup
		for _, c := range []*captures{next, two} {
			running.Go(func() {
				if err := c.Run(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		running.Wait()
		if n := len(next.outcomes) + len(two.outcomes); n != 1 {
			t.Errorf("it was saved %d times: %q %q", n, next.outcomes, two.outcomes)
		}
		if got := other.get("asha", "/v1/portfolios/latest"); !strings.Contains(string(got.body), `"provenance":"verified"`) {
			t.Errorf("got %d %s", got.status, got.body)
		}
	})
}

// failingCaptures is a store that fails to keep captures, with each error once.
type failingCaptures struct {
	*store.DB
	errs []error
}

func (s *failingCaptures) KeepCapture(ctx context.Context, c portfolio.Capture) error {
	if len(s.errs) == 0 {
		return s.DB.KeepCapture(ctx, c)
	}
	err := s.errs[0]
	s.errs = s.errs[1:]
	return err
}

func TestAnswerIsStoredOnceTheDatabaseIsBack(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c, b := capturesOf(t, db)
	c.Store = &failingCaptures{DB: db, errs: []error{store.ErrUnavailable, store.ErrUnavailable.Because(errors.New("still"))}}
	c.see(minimal("Fund"))
	c.want(t, portfolio.CaptureSaved)
	if p := b.get("asha", "/v1/portfolios/latest").want(t, http.StatusOK); p.Provenance != "verified" {
		t.Errorf("got %s, want verified", p.Provenance)
	}
}

func TestAnswerThatCannotBeStoredIsLost(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c, b := capturesOf(t, db)
	c.Store = &failingCaptures{DB: db, errs: []error{errors.New("the column is too small")}}
	c.see(minimal("Fund"))
	c.want(t, portfolio.CaptureLost)
	b.get("asha", "/v1/portfolios/latest").want(t, http.StatusNotFound)
}

func TestAnswerThatIsNoStatementIsDropped(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c, b := capturesOf(t, db)
	c.see([]byte(`{"status":"failed","msg":"Invalid PDF"}`), []byte(`{`), nil)
	_, end := c.Begin("demo:asha", "")
	end(errors.New("the answer broke off"))
	c.want(t, portfolio.CaptureRefused, portfolio.CaptureRefused, portfolio.CaptureRefused, portfolio.CaptureSkipped)
	if ids, err := db.Captures(t.Context(), "demo:asha"); err != nil || len(ids) != 0 {
		t.Errorf("got %q, %v", ids, err)
	}
	b.get("asha", "/v1/portfolios/latest").want(t, http.StatusNotFound)
}

func TestCaptureOfAnotherPersonIsRefusedByTheSetting(t *testing.T) {
	t.Parallel()
	c, _ := capturesOf(t, storetest.New(t), func(s *portfolio.Service) { s.RefuseOther = true })
	c.see(minimal("Fund"), []byte(strings.Replace(string(minimal("Fund")), "AAAPZ9999A", "BBBPZ1111B", 1)))
	c.want(t, portfolio.CaptureSaved, portfolio.CaptureRefused)
}

// TestSaveWaitsForTheAnswerThatIsOnItsWay checks that a browser which posts at once gets
// the verified portfolio.
func TestSaveWaitsForTheAnswerThatIsOnItsWay(t *testing.T) {
	t.Parallel()
	c, b := capturesOf(t, storetest.New(t))
	keep, end := c.Begin("demo:asha", "")
	var ended atomic.Bool
	time.AfterFunc(200*time.Millisecond, func() {
		ended.Store(true)
		keep(minimal("Fund"))
		end(nil)
	})
	r := b.save("asha", minimal("Fund")).want(t, http.StatusOK)
	if !ended.Load() || *r.Created {
		t.Errorf("got %+v before the answer had ended", r)
	}
	b.save("ravi", minimal("Fund")).want(t, http.StatusCreated) // another user does not wait
	c.Close()
}

func TestErasedCaptureIsNotSaved(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c, b := capturesOf(t, db)
	b.broken.Store(true)
	c.see(minimal("Fund"))
	stale := staleCaptures{db, mustCapture(t, db)}
	eraseUser(t, db)
	b.broken.Store(false)
	b.clock.Add(int64(time.Minute))
	c.Store = stale // read before the erasure, saved after it
	if err := c.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.want(t, portfolio.CaptureFailed)
	b.get("asha", "/v1/portfolios/latest").want(t, http.StatusNotFound)
}

// staleCaptures returns a capture that was read earlier.
type staleCaptures struct {
	*store.DB
	capture portfolio.Capture
}

func (s staleCaptures) DueCaptures(context.Context, string, time.Time, int) ([]string, error) {
	return []string{s.capture.ID}, nil
}

func (s staleCaptures) Capture(context.Context, string) (portfolio.Capture, error) {
	return s.capture, nil
}

func mustCapture(t *testing.T, db *store.DB) portfolio.Capture {
	t.Helper()
	ids, err := db.Captures(t.Context(), "demo:asha")
	if err != nil || len(ids) != 1 {
		t.Fatalf("got %q, %v, want one capture", ids, err)
	}
	capture, err := db.Capture(t.Context(), ids[0])
	if err != nil {
		t.Fatal(err)
	}
	return capture
}

func eraseUser(t *testing.T, db *store.DB) {
	t.Helper()
	r := audit.New(t.Context(), begin, "demo:asha", audit.DataErase, "demo:asha", "")
	if _, err := db.Erase(t.Context(), "demo:asha", r); err != nil {
		t.Fatal(err)
	}
}

func TestMatchedCaptureVerifiesWhatItsUserPosts(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c, b := capturesOf(t, db)
		c.MatchOnly = true
		c.see(minimal("Fund"))
		c.want(t, portfolio.CaptureMatched)
		b.get("asha", "/v1/portfolios/latest").want(t, http.StatusNotFound)

		changed := b.save("asha", minimal("Changed")).want(t, http.StatusCreated)
		if changed.Provenance != "reported" || !changed.Differs || !slices.Equal(changed.Differences, []string{"/nps/0/funds/0/name"}) {
			t.Errorf("got %+v, want the changed name", changed)
		}
		posted := b.save("asha", []byte(`{"data":`+string(minimal("Fund"))+`,"metadata":{"filename":"a.pdf"}}`)).want(t, http.StatusCreated)
		if posted.Provenance != "verified" || posted.Differs || !posted.Active || posted.Metadata == nil {
			t.Errorf("got %+v, want a verified portfolio", posted)
		}
		if again := b.save("asha", minimal("Fund")).want(t, http.StatusOK); again.ID != posted.ID || again.Provenance != "verified" {
			t.Errorf("got %+v again", again)
		}
		if late := b.save("asha", minimal("Late")).want(t, http.StatusCreated); !late.Differs {
			t.Errorf("got %+v, want it compared with the verified portfolio", late)
		}
		if ids, err := db.Captures(t.Context(), "demo:asha"); err != nil || len(ids) != 0 {
			t.Errorf("got %q, %v, want no captures after the match", ids, err)
		}
	})
}

func TestMatchedCaptureEndsAfterADay(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c, b := capturesOf(t, db)
	c.MatchOnly = true
	c.see(minimal("Fund"), minimal("Other"), minimal("Fund"))
	b.clock.Add(int64(24*time.Hour - time.Minute))
	if err := c.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p := b.save("asha", minimal("Other")).want(t, http.StatusCreated); p.Provenance != "verified" {
		t.Errorf("within the day: got %s", p.Provenance)
	}
	b.clock.Add(int64(2 * time.Minute))
	if p := b.save("asha", minimal("Fund")).want(t, http.StatusCreated); p.Provenance != "reported" {
		t.Errorf("after the day: got %s", p.Provenance)
	}
	if err := c.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if ids, err := db.Captures(t.Context(), "demo:asha"); err != nil || len(ids) != 0 {
		t.Errorf("got %q, %v, want none", ids, err)
	}
}

func TestReportedPortfolioIsVerifiedByALaterMatch(t *testing.T) {
	t.Parallel()
	c, b := capturesOf(t, storetest.New(t))
	c.MatchOnly = true
	first := b.save("asha", minimal("Fund")).want(t, http.StatusCreated)
	c.see(minimal("Fund"))
	c.want(t, portfolio.CaptureKnown)
	if p := b.get("asha", "/v1/portfolios/"+first.ID).want(t, http.StatusOK); p.Provenance != "verified" {
		t.Errorf("got %+v", p)
	}
}

// TestMetadataOfThePageIsAddedToAVerifiedPortfolio: the first metadata stays.
func TestMetadataOfThePageIsAddedToAVerifiedPortfolio(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c, b := capturesOf(t, db)
		c.see(minimal("Fund"))
		seen := b.get("asha", "/v1/portfolios/latest").want(t, http.StatusOK)
		raw := func() string { return string(b.get("asha", "/v1/portfolios/"+seen.ID+"/raw").body) }
		if seen.Metadata != nil || raw() != string(minimal("Fund")) {
			t.Errorf("before: got %v, %s", seen.Metadata, raw())
		}
		const first, second = `{"filename":"a.pdf","parser_type":"nsdl"}`, `{"filename":"b.pdf"}`
		post := func(metadata string, headers ...string) shown {
			body := []byte(`{"data":` + string(minimal("Fund")) + `,"metadata":` + metadata + `}`)
			return b.save("asha", body, headers...).want(t, http.StatusOK)
		}
		for _, p := range []shown{post(`"a text"`), post(first, "Idempotency-Key", "k"), post(first, "Idempotency-Key", "k"), post(second), post("null")} {
			if p.ID != seen.ID || p.Provenance != "verified" || len(p.Warnings) == 0 && encode(t, p.Metadata) != first {
				t.Errorf("got %+v, want the first metadata", p)
			}
			if left := slices.ContainsFunc(p.Warnings, func(f finding) bool { return f.Code == "metadata_left_out" }); left != (p.Metadata == nil) {
				t.Errorf("got the warnings %v with the metadata %v", p.Warnings, p.Metadata)
			}
		}
		if got := raw(); got != `{"data":`+string(minimal("Fund"))+`,"metadata":`+first+`}` {
			t.Errorf("got %s", got)
		}
		if again := b.save("asha", []byte(raw())).want(t, http.StatusOK); again.ID != seen.ID { // the answer is a payload itself
			t.Errorf("got %+v", again)
		}
		if list := string(b.get("asha", "/v1/portfolios").body); strings.Count(list, first) != 1 {
			t.Errorf("got %s", list)
		}
		if other := b.save("ravi", minimal("Fund")).want(t, http.StatusCreated); other.Metadata != nil {
			t.Errorf("another user: got %v", other.Metadata)
		}
	})
}

func encode(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestReportedPortfolioHasTheMetadataOfItsPayload(t *testing.T) {
	t.Parallel()
	b := start(t)
	body := `{"data":` + string(minimal("Fund")) + `,"metadata":{"filename":"a.pdf"}}`
	p := b.save("asha", []byte(body)).want(t, http.StatusCreated)
	if encode(t, p.Metadata) != `{"filename":"a.pdf"}` {
		t.Errorf("got %v", p.Metadata)
	}
	if raw := string(b.get("asha", "/v1/portfolios/"+p.ID+"/raw").body); raw != body {
		t.Errorf("got %s, want the payload as sent", raw)
	}
}
